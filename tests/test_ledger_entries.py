"""Entries and receipts: each half opens alone, and a receipt proves one event in one ledger and nothing else."""

from __future__ import annotations

import base64
import copy
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import bundles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import JIANGSU, SALT, SHANGHAI, find, head, log_key, log_signer, logged, shelf, signed, witness_signer

from gateway import wire
from gateway.ledger import entries, logs, receipts, tiles
from gateway.ledger.entries import Opening
from gateway.ledger.errors import BundleMalformed, OpeningInvalid, ReceiptInvalid
from gateway.ledger.note import Algorithm
from gateway.ledger.receipts import Logged
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate, Receipt
from keys.directory import Directory, open_bundle
from keys.errors import MemberUnknown
from keys.suite import Signer

EVENT = LedgerEvent(
    kind=LedgerEventKind.ANSWERED,
    asker_member=JIANGSU,
    answerer_member=SHANGHAI,
    pair_sequence=7,
    question_digest=bytes(range(32)),
    reply_digest=bytes(range(32, 64)),
)
EVENT_BYTES = wire.encode(EVENT)
PRIVATE = Opening(bytes(range(16, 32)), wire.encode(LedgerPrivate(log_time=bundles.NOW, agency="a", purpose="P")))
ENTRY = entries.entry(Opening(SALT, EVENT_BYTES), PRIVATE)
RECEIPT = logged(3, EVENT_BYTES, PRIVATE, 7)


def test_an_entry_opens_half_by_half() -> None:
    """Each part opens with its own salt and bytes, and says nothing about the other."""
    assert len(ENTRY.data) == 64
    held = entries.read_entry(ENTRY.data)
    assert held == ENTRY
    entries.check_shared(held, Opening(SALT, EVENT_BYTES))
    entries.check_private(held, PRIVATE)


@given(st.binary(min_size=16, max_size=16), st.binary())
def test_nothing_else_opens_an_entry(salt: bytes, text: bytes) -> None:
    """Another salt or text opens neither half, nor does one half's opening the other."""
    for opening in (Opening(salt, text), Opening(SALT, text), Opening(salt, EVENT_BYTES)):
        with pytest.raises(OpeningInvalid, match="shared"):
            entries.check_shared(ENTRY, opening)
    for opening in (Opening(SALT, EVENT_BYTES), Opening(PRIVATE.salt, text)):
        with pytest.raises(OpeningInvalid, match="private"):
            entries.check_private(ENTRY, opening)


def test_one_text_under_two_salts_is_two_entries() -> None:
    """A code guessed finds nothing: without the salt the half cannot be tried, and the parts have labels apart."""
    same = Opening(SALT, b"x")
    assert entries.shared_hash(same) != entries.shared_hash(Opening(SALT[::-1], b"x"))
    assert entries.shared_hash(same) != entries.private_hash(same)


@pytest.mark.parametrize("salt", [b"", SALT + b"x"])
def test_a_salt_has_one_size(salt: bytes) -> None:
    """A salt that could take in bytes of the text is refused."""
    with pytest.raises(OpeningInvalid, match="16 bytes"):
        Opening(salt, b"x")


def test_a_bundle_is_read_as_it_was_written() -> None:
    """An entry bundle of one tile holds its entries in order, each after its length."""
    held = [entries.entry(Opening(SALT, b"%d" % each), PRIVATE) for each in range(256)]
    bundle = entries.write_bundle(held)
    assert len(bundle) == 256 * 66
    assert [entries.read_entry(each) for each in entries.read_bundle(bundle)] == held


@pytest.mark.parametrize("bundle", [b"", b"\x00", b"\x00\x02a", b"\x00\x01ab", b"\x00\x00" * 257])
def test_another_form_is_no_bundle(bundle: bytes) -> None:
    """Nothing, a cut entry, or more than a tile's entries are refused."""
    with pytest.raises(BundleMalformed):
        entries.read_bundle(bundle)


def test_an_entry_has_one_size() -> None:
    """Data of another size is no entry of these ledgers."""
    with pytest.raises(BundleMalformed, match="64 bytes, not 63"):
        entries.read_entry(ENTRY.data[1:])


def test_a_receipt_proves_the_event() -> None:
    """The partner derives the event from the signed messages, and the receipt shows that it stands in the ledger."""
    found = receipts.verify(wire.decode(Receipt, wire.encode(RECEIPT)), EVENT_BYTES, find)
    assert (found.shared, found.index, found.checkpoint.head.size) == (EVENT_BYTES, 3, 7)


@pytest.mark.parametrize("field", [each for each in LedgerEvent.__slots__ if each != "kind"])
def test_a_receipt_proves_no_other_event(field: str) -> None:
    """Change any field of the event, and the receipt says nothing about it."""
    other = {str: "330000", int: 8, bytes: bytes(32)}[type(getattr(EVENT, field))]
    with pytest.raises(ReceiptInvalid, match=r"entry 3 fails: .*another root"):
        receipts.verify(RECEIPT, wire.encode(replace(EVENT, **{field: other})), find)  # type: ignore[arg-type]


SHELF = shelf(7)
BAD: dict[str, tuple[Receipt, str]] = {
    "another place": (replace(RECEIPT, leaf_index=2), "another root"),
    "beyond the ledger": (replace(RECEIPT, leaf_index=7), "no such entry"),
    "another path": (replace(RECEIPT, inclusion_hashes=tiles.inclusion(2, 7, SHELF)), "another root"),
    "a short path": (replace(RECEIPT, inclusion_hashes=()), "another number of hashes"),
    "another salt": (replace(RECEIPT, shared_salt=bytes(16)), "another root"),
    "another private part": (replace(RECEIPT, private_hash=bytes(32)), "another root"),
    "no checkpoint": (replace(RECEIPT, checkpoint=b""), "a note is text"),
    "an older checkpoint": (replace(RECEIPT, checkpoint=signed(head(3)).payload), "no such entry"),
    "another history": (replace(RECEIPT, checkpoint=signed(head(7)).payload), "another root"),
    "a stranger's signature": (logged(3, EVENT_BYTES, PRIVATE, 7, lambda each: signed(each, seed=2)), "no key"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_receipt_changed_anywhere_proves_nothing(case: str) -> None:
    """Whatever part of a receipt is another, it is refused, and the entry and the flaw are named."""
    receipt, flaw = BAD[case]
    with pytest.raises(ReceiptInvalid, match=f"entry {receipt.leaf_index} fails: .*{flaw}"):
        receipts.verify(receipt, EVENT_BYTES, find)


@pytest.mark.parametrize(
    "change",
    [
        {"shared_salt": bytes(15)},
        {"private_hash": bytes(31)},
        {"inclusion_hashes": (bytes(33),)},
        {"inclusion_hashes": (bytes(32),) * 64},
    ],
    ids=["salt", "private", "hash", "path"],
)
def test_sizes_are_checked_before_anything_is_hashed(change: dict[str, Any]) -> None:
    """A receipt with a salt, hash or path of another size is malformed on the wire."""
    fields = {name: getattr(RECEIPT, name) for name in Receipt.__slots__}
    with pytest.raises(ValueError, match="another size"):
        Receipt(**{**fields, **change})
    message = wire.to_message(RECEIPT)
    for name, value in change.items():
        message.ClearField(name)
        if isinstance(value, tuple):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    with pytest.raises(wire.WireMalformed):
        wire.decode(Receipt, message.SerializeToString())


def test_only_a_verifier_makes_a_logged_event() -> None:
    """A Logged cannot be built by hand."""
    checkpoint = receipts.verify(RECEIPT, EVENT_BYTES, find).checkpoint
    with pytest.raises(TypeError, match=r"receipts\.verify"):
        Logged(shared=EVENT_BYTES, index=3, checkpoint=checkpoint, verified=object())


def key(signer: Signer, use: str, **changes: str | None) -> dict[str, Any]:
    """Write a key as a member's row has it."""
    row = copy.deepcopy(bundles.document()["members"][0]["keys"][0])
    return {**row, "id": signer.id, "public": base64.b64encode(signer.public).decode(), "use": use, **changes}


@lru_cache
def directory() -> Directory:
    """Open a directory in which Shanghai has a ledger key in force, one that ended, and a witness key."""

    def edit(found: dict[str, Any]) -> None:
        for each in found["members"]:
            del each["keys"][1:]
        found["members"][0]["keys"] += [
            key(log_signer(), "ledger"),
            key(log_signer(seed=2), "ledger", valid_until="2026-02-01T00:00:00Z"),
            key(witness_signer(SHANGHAI), "witness"),
        ]

    return open_bundle(bundles.signed_directory(edit), root=bundles.ROOT)


def test_the_directory_says_who_signs_a_log() -> None:
    """A log's keys are those of use `ledger` of the member that its name says, while they are in force."""
    name = logs.origin(SHANGHAI, 1)
    (found,) = logs.log_keys(directory(), name, bundles.NOW)
    assert (found.name, found.id) == (name, log_key().id)
    assert len(logs.log_keys(directory(), name, bundles.NOW - timedelta(days=60))) == 2
    assert logs.log_keys(directory(), logs.origin(JIANGSU, 1), bundles.NOW) == ()
    assert logs.log_keys(directory(), "example.com/log", bundles.NOW) == ()
    with pytest.raises(MemberUnknown):
        logs.log_keys(directory(), logs.origin("990000", 1), bundles.NOW)


def test_the_answerers_logs_prove_and_nobody_elses() -> None:
    """A receipt from a log of another member, however genuine, is none for this answerer; a second log counts."""
    ours, others = (logs.of_member(directory(), each, bundles.NOW) for each in (SHANGHAI, JIANGSU))
    assert receipts.verify(RECEIPT, EVENT_BYTES, ours).index == 3
    assert [each.name for each in ours(logs.origin(SHANGHAI, 2))] == [logs.origin(SHANGHAI, 2)]
    with pytest.raises(ReceiptInvalid, match="no key"):
        receipts.verify(RECEIPT, EVENT_BYTES, others)


def test_the_directory_says_who_cosigns() -> None:
    """A member's witness keys are those of use `witness`, under its name as a witness."""
    (found,) = logs.witness_keys(directory(), SHANGHAI, bundles.NOW)
    assert (found.name, found.algorithm) == (logs.witness(SHANGHAI), Algorithm.COSIGNATURE)
    assert logs.witness_keys(directory(), JIANGSU, bundles.NOW) == ()
