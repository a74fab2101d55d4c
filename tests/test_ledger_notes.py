"""Notes, checkpoints and cosignatures: published ones verify, their bytes survive, every other form is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import (
    ANHUI,
    JIANGSU,
    SHANGHAI,
    SHARED_VECTORS,
    cosigned,
    find,
    head,
    log_key,
    log_signer,
    opened,
    signed,
    witness_key,
    witness_signer,
)

from gateway.ledger import checkpoint, cosignature, entries, logs, note, tiles, tree
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint, read_head
from gateway.ledger.cosignature import Cosignature
from gateway.ledger.errors import CheckpointMalformed, NoteMalformed, NoteUnsigned
from gateway.ledger.note import Algorithm, Note, NoteKey, NoteSignature, read_key, read_note
from gateway.ledger.proofs import verify_inclusion
from gateway.limits import PROOF_HASHES
from keys import suite
from keys.suite import INT_1, PublicKey

TLOG = SHARED_VECTORS / "tlog"
beside = pytest.mark.skipif(not TLOG.exists(), reason="the published vectors are not beside the tree")
GOOD = cosigned(signed(head()), (ANHUI, 1_700_000_000))
DASH = "\N{EM DASH}"
LINE = GOOD.signatures[0].line
KEY = log_key()


def vectors(name: str) -> Any:
    """Read a published file, or nothing where it is not there."""
    path = TLOG / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def key_of(name: str, raw: bytes, algorithm: Algorithm = Algorithm.ED25519) -> NoteKey:
    """Give a key of somebody else's."""
    return NoteKey(name=name, key=PublicKey(id=name, suite=INT_1, raw=raw), algorithm=algorithm)


def test_a_note_is_read_as_it_was_written() -> None:
    """A signed and cosigned head comes back with every byte, opens under the log's key and tells when it was seen."""
    assert read_note(GOOD.payload) == GOOD
    found = open_checkpoint(GOOD.payload, find)
    assert (found.head, found.signers) == (head(), (KEY,))
    assert [each.time for each in cosignature.verify(found.note, [witness_key(ANHUI), witness_key(JIANGSU)])] == [
        1_700_000_000
    ]


BAD_NOTES: dict[str, bytes] = {
    "nothing": b"",
    "no signature": b"a\n\n",
    "no blank line": f"a\n{LINE}".encode(),
    "no last line feed": GOOD.payload[:-1],
    "no UTF-8": b"\xff\n\n" + LINE.encode(),
    "a tab": f"a\tb\n\n{LINE}".encode(),
    "a carriage return": GOOD.payload.replace(b"\n", b"\r\n"),
    "too long": b"a" * (64 << 10) + b"\n\n" + LINE.encode(),
    "too many signatures": f"a\n\n{''.join(LINE.replace('310000', f'3{at:05d}') for at in range(17))}".encode(),
    "one key twice": f"a\n\n{LINE}{LINE}".encode(),
    "a hyphen": f"a\n\n{LINE.replace(DASH, '-')}".encode(),
    "no name": f"a\n\n{DASH} AAAAAAA=\n".encode(),
    "an empty name": f"a\n\n{DASH}  AAAAAAA=\n".encode(),
    "a plus sign": f"a\n\n{DASH} a+b AAAAAAA=\n".encode(),
    "a wide blank": f"a\n\n{DASH} a\u3000b AAAAAAA=\n".encode(),
    "a long name": f"a\n\n{DASH} {'a' * 257} AAAAAAA=\n".encode(),
    "no base64": f"a\n\n{DASH} a AAA$AAA=\n".encode(),
    "letters beyond ASCII": f"a\n\n{DASH} a \u00e9AAAAAA=\n".encode(),
    "another form of base64": f"a\n\n{DASH} a AAAAAAB=\n".encode(),
    "an id alone": f"a\n\n{DASH} a AAAAAA==\n".encode(),
}


@pytest.mark.parametrize("case", BAD_NOTES)
def test_another_form_is_no_note(case: str) -> None:
    """A note that breaks any rule of its form is refused before a key is touched."""
    with pytest.raises(NoteMalformed):
        read_note(BAD_NOTES[case])


def test_what_could_not_be_read_is_not_written() -> None:
    """Writing holds to the same rules as reading."""
    for text in ("no line feed", "a\x00b\n"):
        with pytest.raises(NoteMalformed):
            note.sign(text, KEY.name, log_signer())
    with pytest.raises(NoteMalformed):
        note.sign("text\n", "a b", log_signer())
    with pytest.raises(NoteMalformed):
        Note(text="text\n", signatures=())


def test_text_may_have_blank_lines() -> None:
    """The last blank line parts text and signatures."""
    made = note.sign("one\n\ntwo\n\n", KEY.name, log_signer())
    assert read_note(made.payload) == made
    assert note.verify_note(made, [KEY]) == (KEY,)


def test_a_later_signature_of_a_key_takes_the_place_of_its_earlier_one() -> None:
    """A note holds one cosignature of a witness: the newest."""
    twice = cosigned(cosigned(signed(head()), (ANHUI, 5), (JIANGSU, 6)), (ANHUI, 7))
    keys = [witness_key(ANHUI), witness_key(JIANGSU)]
    assert [each.time for each in cosignature.verify(twice, keys)] == [7, 6]
    assert len(twice.signatures) == 3


def test_strangers_are_passed_over_and_forgers_are_not() -> None:
    """A stranger's line changes nothing; a bad line in a known key's name spoils the note; one must be good."""
    stranger = NoteSignature(name="stranger", id=bytes(4), signature=b"x")
    assert note.verify_note(GOOD.extended(stranger), [KEY]) == (KEY,)
    forged = NoteSignature(name=KEY.name, id=KEY.id, signature=bytes(64))
    with pytest.raises(NoteUnsigned, match=KEY.name):
        note.verify_note(GOOD.extended(forged), [KEY])
    with pytest.raises(NoteUnsigned, match="no key"):
        note.verify_note(GOOD, [log_key(JIANGSU)])
    with pytest.raises(NoteUnsigned, match="no key"):
        note.verify_note(GOOD, [])


@given(st.integers(0, len(signed(head()).payload) * 8 - 1))
def test_any_bit_turned_spoils_a_checkpoint(bit: int) -> None:
    """No bit of a checkpoint can be turned without its being refused."""
    payload = bytearray(signed(head()).payload)
    payload[bit // 8] ^= 1 << bit % 8
    with pytest.raises((NoteMalformed, NoteUnsigned, CheckpointMalformed)):
        open_checkpoint(bytes(payload), find)


def test_a_head_of_another_log_does_not_pass() -> None:
    """A log that signs in another's name, or a key under another name, opens nothing."""
    as_other = checkpoint.sign(head(member=JIANGSU), log_signer(SHANGHAI))
    with pytest.raises(NoteUnsigned):
        open_checkpoint(as_other.payload, find)
    with pytest.raises(NoteUnsigned):
        open_checkpoint(signed(head()).payload, lambda _: [key_of("other", log_signer().public)])
    unknown = Head(origin="example.com/log", size=0, root=tree.EMPTY)
    with pytest.raises(NoteUnsigned):
        open_checkpoint(checkpoint.sign(unknown, log_signer()).payload, find)


ROOT = base64.b64encode(bytes(32)).decode()
BAD_HEADS = {
    "nothing": "",
    "two lines": "o\n5\n",
    "no last line feed": f"o\n5\n{ROOT}",
    "no origin": f"\n5\n{ROOT}\n",
    "a sign": f"o\n+5\n{ROOT}\n",
    "leading zero": f"o\n05\n{ROOT}\n",
    "other digits": f"o\n\u0665\n{ROOT}\n",
    "too large": f"o\n{1 << 63}\n{ROOT}\n",
    "twenty digits": f"o\n10000000000000000000\n{ROOT}\n",
    "short root": f"o\n5\n{ROOT[:-4]}\n",
    "no base64": f"o\n5\n{ROOT[:-2]}$=\n",
    "another form of base64": f"o\n5\n{ROOT[:-2]}B=\n",
    "an empty extension": f"o\n5\n{ROOT}\n\n",
}


@pytest.mark.parametrize("case", BAD_HEADS)
def test_another_form_is_no_checkpoint(case: str) -> None:
    """A text that is not origin, size, root and lines that say something is refused."""
    with pytest.raises(CheckpointMalformed):
        read_head(BAD_HEADS[case])


@given(
    st.builds(
        Head,
        origin=st.just("o"),
        size=st.integers(0, (1 << 63) - 1),
        root=st.binary(min_size=32, max_size=32),
        extension=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1), max_size=2).map(
            tuple
        ),
    )
)
def test_a_head_is_read_as_it_was_written(found: Head) -> None:
    """Every head survives its text, extension lines too."""
    assert read_head(found.text) == found


def test_a_head_cannot_hide_a_line() -> None:
    """An origin with a line feed would be another checkpoint."""
    with pytest.raises(CheckpointMalformed):
        Head(origin="a\n5", size=1, root=bytes(32))


def test_what_only_a_verifier_makes_is_made_by_nobody_else() -> None:
    """A Checkpoint and a Cosignature cannot be built by hand."""
    with pytest.raises(TypeError, match="open_checkpoint"):
        Checkpoint(head=head(), note=GOOD, signers=(KEY,), verified=object())
    with pytest.raises(TypeError, match="verify"):
        Cosignature(key=witness_key(ANHUI), time=1, verified=object())
    assert opened(head()).head == head()


def test_a_cosignature_is_of_one_text_and_time() -> None:
    """A cosignature carried to another head, or with another time, is refused; a key that did not sign adds nothing."""
    made = GOOD.signature(witness_key(ANHUI))
    assert made is not None
    keys = [witness_key(ANHUI)]
    with pytest.raises(NoteUnsigned):
        cosignature.verify(signed(head(6)).extended(made), keys)
    for time in (b"\x00" * 8, b"\xff" * 8):
        later = GOOD.extended(NoteSignature(name=made.name, id=made.id, signature=time + made.signature[8:]))
        with pytest.raises(NoteUnsigned):
            cosignature.verify(later, keys)
    assert cosignature.verify(signed(head()), keys) == ()


def test_a_cosignature_is_no_log_signature() -> None:
    """Under one name and key, the kinds of signature have ids of their own."""
    raw = witness_signer(ANHUI).public
    plain, timed = (key_of("one", raw, each) for each in Algorithm)
    assert plain.id != timed.id
    made = cosignature.cosign(signed(head()), "one", witness_signer(ANHUI), 5)
    assert (made.id, len(made.signature)) == (timed.id, 72)


def test_a_key_is_read_as_it_was_written() -> None:
    """A key's text survives; another id, algorithm, size or suite is refused."""
    for key in (log_key(), witness_key(ANHUI)):
        found = read_key(key.text)
        assert (found.text, found.id, found.algorithm) == (key.text, key.id, key.algorithm)
    name, digits, encoded = KEY.text.split("+", 2)
    raw = base64.b64decode(encoded)
    for bad in (
        f"{name}+{digits}",
        f"{name}+00000000+{encoded}",
        f"{name}+{digits.upper()}x+{encoded}",
        f"{name}+{digits}+{base64.b64encode(bytes([2]) + raw[1:]).decode()}",
        f"{name}+{digits}+{base64.b64encode(raw[:-1]).decode()}",
        f"{name}+{digits}+",
        f"a b+{digits}+{encoded}",
    ):
        with pytest.raises(NoteMalformed):
            read_key(bad)


def test_notes_are_signed_with_ed25519_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of a suite to come does not pass for Ed25519."""
    monkeypatch.setattr(suite, "_SUITES", {"OTHER": suite._SUITES[INT_1]})
    with pytest.raises(NoteMalformed, match="Ed25519"):
        NoteKey(name="a", key=PublicKey(id="a", suite="OTHER", raw=bytes(32)))


@beside
def test_the_published_examples_read_and_verify() -> None:
    """The examples of the specifications: the note verifies under its key; all of them survive reading."""
    found = vectors("c2sp_examples")
    key = read_key(found["signed_note"]["vkey"])
    assert key.text == found["signed_note"]["vkey"]
    assert note.verify_note(read_note(found["signed_note"]["note"].encode()), [key]) == (key,)
    for text in (
        found["note_parse_only"][0]["note"],
        found["checkpoint"]["text"],
        found["cosigned_checkpoint"]["text"],
    ):
        assert read_note(text.encode()).payload == text.encode()
    read = read_head(read_note(found["checkpoint"]["text"].encode()).text)
    assert (read.origin, read.size) == (found["checkpoint"]["origin"], found["checkpoint"]["size"])
    witness = read_note(found["cosigned_checkpoint"]["text"].encode()).signatures[1]
    assert (witness.id.hex(), int.from_bytes(witness.signature[:8], "big")) == ("8d66cf3f", 1_679_315_147)


@beside
@pytest.mark.parametrize("case", vectors("checkpoint_body_parse_cases").get("cases", []), ids=lambda each: each["desc"])
def test_a_published_checkpoint_text_is_read_as_published(case: dict[str, Any]) -> None:
    """With a root of 32 bytes in place of the file's, each text is taken or refused as its file says.

    One is not: the specification wants extension lines that are not empty, which that parser does not mind.
    """
    lines = case["text"].split("\n")
    is_base64 = len(lines) > 2 and "'" not in lines[2]
    text = "\n".join([*lines[:2], ROOT, *lines[3:]]) if is_base64 and lines[2] else case["text"]
    if case["valid"] and "trailing newlines" not in case["desc"]:
        assert read_head(text).text == text
    else:
        with pytest.raises(CheckpointMalformed):
            read_head(text)


@beside
def test_the_published_sigsum_checkpoint_is_what_we_sign() -> None:
    """From the published seed and head the very bytes of the published checkpoint are made, and they open."""
    found = vectors("sigsum_checkpoint")
    payload = found["checkpoint"].encode()
    signer = suite.signer(bytes.fromhex(found["private_seed_hex"]), owner="sigsum")
    read = read_head(read_note(payload).text)
    assert checkpoint.sign(read, signer).payload == payload
    assert open_checkpoint(payload, lambda name: [key_of(name, signer.public)]).head.size == 10


@beside
def test_the_published_tiled_log_is_what_we_make() -> None:
    """Every checkpoint of the published log opens; its entries give the published tiles, bundles and roots."""
    found = vectors("tessera_log")
    key = read_key(found["vkey"])
    texts = [each.encode() for each in found["entries"]]
    hashes = [tree.leaf_hash(each) for each in texts]
    for size, text in found["checkpoints"].items():
        read = open_checkpoint(text.encode(), lambda _: [key]).head
        grown = tiles.append(0, hashes[: int(size)], lambda _: [])
        assert (read.size, read.root) == (int(size), grown.root)
    for width, tile in found["tile_level0_partial_b64"].items():
        grown = tiles.append(0, hashes[: int(width)], lambda _: [])
        assert grown.tiles == {tiles.Tile(0, 0, int(width)): base64.b64decode(tile)}
    for width, bundle in found["entry_bundle_partial_b64"].items():
        assert list(entries.read_bundle(base64.b64decode(bundle))) == texts[: int(width)]


@beside
def test_the_published_rekor_bundle_verifies() -> None:
    """A log of four million leaves: its path, the log's signature, and the cosignatures whose keys are published."""
    bundle, key = vectors("sigstore_staging_rekor_v2_dsse_bundle"), vectors("sigstore_staging_rekor_v2_key")
    (entry,) = bundle["verificationMaterial"]["tlogEntries"]
    proof = entry["inclusionProof"]
    log = key_of(key["origin"], bytes.fromhex(key["ed25519_public_key_hex"]))
    found = open_checkpoint(proof["checkpoint"]["envelope"].encode(), lambda _: [log])
    path = [base64.b64decode(each) for each in proof["hashes"]]
    leaf = tree.leaf_hash(base64.b64decode(entry["canonicalizedBody"]))
    verify_inclusion(leaf, int(proof["logIndex"]), found.head.size, path, found.head.root)
    witnesses = {
        name: key_of(name, bytes.fromhex(each["key_hex"]), Algorithm.COSIGNATURE)
        for name, each in key["witnesses"].items()
    }
    seen = {each.key.name: each.time for each in cosignature.verify(found.note, witnesses.values())}
    assert seen == {name: each["timestamp"] for name, each in key["witnesses"].items()}


@beside
def test_the_shape_of_the_published_proof_is_ours() -> None:
    """A published proof names its index and hashes before a checkpoint; the path is no longer than we allow."""
    text = vectors("c2sp_examples")["tlog_proof_shape"]["text"]
    proof, _, _ = text.partition("\n\n")
    kind, _, index, *path = proof.split("\n")
    assert (kind, index) == ("c2sp.org/tlog-proof@v1", "index 73894")
    assert all(len(base64.b64decode(each)) == 32 for each in path)
    assert len(path) <= PROOF_HASHES


def test_names_say_whose_log_it_is() -> None:
    """An origin names its member and number; anything else is no member's log."""
    assert logs.origin(SHANGHAI, 1) == "yrdx/ledger/310000/1"
    assert logs.witness(ANHUI) == "yrdx/witness/340000"
    assert logs.owner("yrdx/ledger/310000/12") == SHANGHAI
    for name in ("yrdx/ledger/310000/0", "yrdx/ledger/310000/01", "yrdx/witness/310000", "yrdx/ledger/31000/1", "x"):
        assert logs.owner(name) is None
