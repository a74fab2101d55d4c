"""Key files: who may read them, what opens them, and what they never show."""

import base64
import inspect
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from keys import bodies, boxes, custody, errors, suite, tls
from keys.boxes import Work

SEED = bytes(range(1, 33))
PASSPHRASE = b"correct horse"
QUICK = Work(operations=1, memory=8192)  # libsodium's least: a test needs no work
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def issuer() -> tls.Issuer:
    """A member's issuing CA."""
    return tls.make_ca("310000", now=NOW).issue_intermediate("310000", NOW)


@pytest.fixture(scope="module")
def leaf(issuer: tls.Issuer) -> tls.Leaf:
    """A node's leaf."""
    return issuer.issue_leaf(member="310000", role="node", name="n1", now=NOW)


def save(path: Path, *, use: str = "sign") -> Path:
    """Save the seed with the least work."""
    custody.save_seed(path, SEED, PASSPHRASE, owner="310000", suite=suite.INT_1, use=use, work=QUICK)
    return path


def edit(path: Path, **changes: object) -> None:
    """Change members of a key file; None removes one."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content |= changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}), encoding="utf-8")


def test_a_saved_seed_loads_as_its_signer(tmp_path: Path) -> None:
    """A seed file gives back the signer with the same id and signatures."""
    loaded = custody.load_signer(save(tmp_path / "sign.json"), PASSPHRASE)
    expected = suite.signer(SEED, owner="310000")
    assert (expected.id, expected.sign(b"x")) == (loaded.id, loaded.sign(b"x"))


def test_a_file_says_its_use(tmp_path: Path) -> None:
    """The use is read without the passphrase; what is no key file has none."""
    assert custody.use_of(save(tmp_path / "a", use="ledger")) == "ledger"
    (tmp_path / "b").write_text("{}", encoding="utf-8")
    (tmp_path / "b").chmod(0o600)
    with pytest.raises(errors.CustodyError):
        custody.use_of(tmp_path / "b")


def test_a_credential_of_the_service_may_show_its_access_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In systemd's folder a mask that looks like the group's right to read is let pass; elsewhere, and more, is not."""
    word = tmp_path / "word"
    word.write_bytes(b"secret\n")
    word.chmod(0o440)
    with pytest.raises(errors.KeyFileTooOpen):
        custody.read_passphrase(word)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert custody.read_passphrase(word) == b"secret"
    for mode in (0o460, 0o444):
        word.chmod(mode)
        with pytest.raises(errors.KeyFileTooOpen):
            custody.read_passphrase(word)


def test_a_huge_folder_is_no_backup(tmp_path: Path) -> None:
    """A backup has a bound, so that reading one has."""
    with pytest.raises(errors.CustodyError, match="too large"):
        custody.save_backup(tmp_path / "b", bytes(3 << 20), PASSPHRASE, owner="310000", work=QUICK)


def test_a_saved_secret_loads(tmp_path: Path) -> None:
    """A storage key comes back as it was."""
    key = bodies.new_day_key()
    custody.save_secret(tmp_path / "s", key, PASSPHRASE, work=QUICK)
    assert key == custody.load_secret(tmp_path / "s", PASSPHRASE)


def test_the_defaults_work_as_hard_as_libsodium_advises(tmp_path: Path) -> None:
    """Unless told otherwise the file says libsodium's moderate work."""
    custody.save_secret(tmp_path / "s", SEED, PASSPHRASE, work=boxes.INTERACTIVE)
    assert custody.load_secret(tmp_path / "s", PASSPHRASE) == SEED
    assert (boxes.MODERATE.operations, boxes.MODERATE.memory) == (3, 256 * 1024 * 1024)
    assert inspect.signature(custody.save_seed).parameters["work"].default == boxes.MODERATE


def test_a_saved_issuer_still_issues(tmp_path: Path, issuer: tls.Issuer) -> None:
    """A CA's file gives back a CA that issues leaves."""
    custody.save_issuer(tmp_path / "ca", issuer, PASSPHRASE)
    loaded = custody.load_issuer(tmp_path / "ca", PASSPHRASE)
    assert (issuer, issuer.member) == (loaded, loaded.member)
    leaf = loaded.issue_leaf(member="310000", role="node", name="n2", now=NOW)
    assert tls.spiffe_of(leaf.certificate_pem).name == "n2"


def test_a_saved_leaf_loads(tmp_path: Path, leaf: tls.Leaf) -> None:
    """A leaf's file gives back chain and key."""
    custody.save_leaf(tmp_path / "leaf", leaf, PASSPHRASE)
    assert leaf == custody.load_leaf(tmp_path / "leaf", PASSPHRASE)


def test_a_leaf_may_be_renewed_in_place(tmp_path: Path, leaf: tls.Leaf, issuer: tls.Issuer) -> None:
    """A leaf lives for days: told so, its file is replaced whole and keeps its mode."""
    renewed = issuer.issue_leaf(member="310000", role="node", name="n1", now=NOW)
    custody.save_leaf(tmp_path / "leaf", leaf, PASSPHRASE)
    custody.save_leaf(tmp_path / "leaf", renewed, PASSPHRASE, replace=True)
    assert renewed == custody.load_leaf(tmp_path / "leaf", PASSPHRASE)
    assert [path.name for path in tmp_path.iterdir()] == ["leaf"]
    assert stat.S_IMODE((tmp_path / "leaf").stat().st_mode) == 0o600


def test_files_hold_nothing_of_the_key(tmp_path: Path, leaf: tls.Leaf, issuer: tls.Issuer) -> None:
    """No form of a seed or private key, nor the passphrase, stands in a file."""
    save(tmp_path / "sign")
    custody.save_issuer(tmp_path / "ca", issuer, PASSPHRASE)
    custody.save_leaf(tmp_path / "leaf", leaf, PASSPHRASE)
    # The private value stands in the first two lines; the third is public.
    bare = [line for pem in (leaf.key_pem, issuer.key_pem) for line in pem.splitlines()[1:3]]
    secrets = [SEED, SEED.hex().encode(), base64.b64encode(SEED), PASSPHRASE, *bare]
    found = [s for s in secrets for path in tmp_path.iterdir() if s in path.read_bytes()]
    assert found == []


@pytest.mark.parametrize("mask", [0, 0o022, 0o777])
def test_files_are_for_their_owner_alone(tmp_path: Path, mask: int) -> None:
    """A new file has mode 0600 whatever the umask is."""
    before = os.umask(mask)
    try:
        save(tmp_path / "sign")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "sign").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644])
def test_refuses_files_that_others_may_touch(tmp_path: Path, mode: int) -> None:
    """A file with any group or other bit is not read, be it key or passphrase."""
    for name, load in LOADS.items():
        path = tmp_path / name
        path.write_bytes(b"x")
        path.chmod(mode)
        with pytest.raises(errors.KeyFileTooOpen, match="chmod 600"):
            load(path)


LOADS: dict[str, Callable[[Path], object]] = {
    "signer": lambda path: custody.load_signer(path, PASSPHRASE),
    "secret": lambda path: custody.load_secret(path, PASSPHRASE),
    "issuer": lambda path: custody.load_issuer(path, PASSPHRASE),
    "leaf": lambda path: custody.load_leaf(path, PASSPHRASE),
    "passphrase": custody.read_passphrase,
}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_refuses_files_that_cannot_be_read(tmp_path: Path, load: Callable[[Path], object]) -> None:
    """A missing file, a folder and an empty file are refused by the one family of errors."""
    empty = tmp_path / "empty"
    empty.touch(mode=0o600)
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    for path in (tmp_path / "missing", folder, empty):
        with pytest.raises(errors.CustodyError):
            load(path)


def test_refuses_another_passphrase(tmp_path: Path, leaf: tls.Leaf, issuer: tls.Issuer) -> None:
    """A wrong passphrase opens nothing and is not quoted."""
    save(tmp_path / "sign")
    custody.save_secret(tmp_path / "secret", SEED, PASSPHRASE, work=QUICK)
    custody.save_issuer(tmp_path / "ca", issuer, PASSPHRASE)
    custody.save_leaf(tmp_path / "leaf", leaf, PASSPHRASE)
    for load, name in (
        (custody.load_signer, "sign"),
        (custody.load_secret, "secret"),
        (custody.load_issuer, "ca"),
        (custody.load_leaf, "leaf"),
    ):
        with pytest.raises(errors.PassphraseWrong) as caught:
            load(tmp_path / name, b"wrong horse")
        assert "horse" not in str(caught.value)


def test_never_writes_over_a_file(tmp_path: Path, leaf: tls.Leaf, issuer: tls.Issuer) -> None:
    """A file that exists stays as it is, and nothing is left beside it."""
    path = tmp_path / "key"
    path.write_bytes(b"precious")
    for write in (
        lambda: save(path),
        lambda: custody.save_secret(path, SEED, PASSPHRASE, work=QUICK),
        lambda: custody.save_issuer(path, issuer, PASSPHRASE),
        lambda: custody.save_leaf(path, leaf, PASSPHRASE),
    ):
        with pytest.raises(errors.CustodyError, match="never written over"):
            write()
    assert path.read_bytes() == b"precious"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails half way there is no file, neither under its name nor under another."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(errors.CustodyError, match="No space left"):
        save(tmp_path / "sign")
    assert list(tmp_path.iterdir()) == []


def test_refuses_folders_that_do_not_exist(tmp_path: Path) -> None:
    """A missing folder is refused with its remedy."""
    with pytest.raises(errors.CustodyError, match="check the folder"):
        save(tmp_path / "no" / "sign")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"version": 2}, errors.CustodyError),
        ({"version": None}, errors.CustodyError),
        ({"kdf": "scrypt"}, errors.CustodyError),
        ({"operations": 0}, errors.CustodyError),
        ({"operations": 5}, errors.CustodyError),
        ({"memory": 8191}, errors.CustodyError),
        ({"memory": 2**40}, errors.CustodyError),
        ({"salt": "AAAA"}, errors.CustodyError),
        ({"note": "x"}, errors.CustodyError),
        ({"use": "ledger"}, errors.CustodyError),
        ({"owner": "320000"}, errors.PassphraseWrong),
        ({"suite": "YRDX-SM-1"}, errors.PassphraseWrong),
        ({"operations": 2}, errors.PassphraseWrong),
        ({"salt": "AAAAAAAAAAAAAAAAAAAAAA=="}, errors.PassphraseWrong),
        ({"box": ""}, errors.PassphraseWrong),
        ({"box": "A" * 136}, errors.PassphraseWrong),
    ],
    ids=str,
)
def test_refuses_edited_files(
    tmp_path: Path,
    changes: dict[str, object],
    refusal: type[errors.CustodyError],
) -> None:
    """Every member of a key file counts: edited, it is refused as malformed or does not open."""
    path = save(tmp_path / "sign")
    edit(path, **changes)
    with pytest.raises(errors.CustodyError) as caught:
        custody.load_signer(path, PASSPHRASE)
    assert refusal is type(caught.value)


def test_one_use_a_key(tmp_path: Path) -> None:
    """A ledger's seed does not load as a signing key, even when the file is edited to say so."""
    path = save(tmp_path / "ledger", use="ledger")
    assert custody.load_signer(path, PASSPHRASE, use="ledger").id.startswith("310000/")
    with pytest.raises(errors.CustodyError, match="not for 'sign'"):
        custody.load_signer(path, PASSPHRASE)
    edit(path, use="sign")
    with pytest.raises(errors.PassphraseWrong):
        custody.load_signer(path, PASSPHRASE)


def test_a_secret_is_no_seed(tmp_path: Path) -> None:
    """A storage key's file does not load as a signer, nor a seed's as a storage key."""
    custody.save_secret(tmp_path / "secret", SEED, PASSPHRASE, work=QUICK)
    with pytest.raises(errors.CustodyError, match="not for"):
        custody.load_signer(tmp_path / "secret", PASSPHRASE)
    with pytest.raises(errors.CustodyError, match="not for"):
        custody.load_secret(save(tmp_path / "sign"), PASSPHRASE)


def test_stores_nothing_that_could_not_be_loaded(tmp_path: Path) -> None:
    """A seed, secret, owner, suite, use or passphrase that is unfit is refused before a file is made."""
    path = tmp_path / "x"
    with pytest.raises(errors.WeakKey):
        custody.save_seed(path, b"short", PASSPHRASE, owner="310000", suite=suite.INT_1, use="sign")
    with pytest.raises(errors.CustodyError, match="32 bytes"):
        custody.save_secret(path, b"short", PASSPHRASE, work=QUICK)
    with pytest.raises(ValueError, match="owner"):
        custody.save_seed(path, SEED, PASSPHRASE, owner="a b", suite=suite.INT_1, use="sign")
    with pytest.raises(errors.SuiteUnknown):
        custody.save_seed(path, SEED, PASSPHRASE, owner="310000", suite="none", use="sign")
    with pytest.raises(errors.CustodyError, match="use"):
        save(path, use="a use")
    with pytest.raises(errors.CustodyError, match="empty"):
        custody.save_secret(path, SEED, b"", work=QUICK)
    assert list(tmp_path.iterdir()) == []


def test_refuses_an_empty_passphrase_for_certificates(tmp_path: Path, leaf: tls.Leaf) -> None:
    """A P-256 key is never stored bare."""
    with pytest.raises(errors.CustodyError, match="empty"):
        custody.save_leaf(tmp_path / "leaf", leaf, b"")
    assert list(tmp_path.iterdir()) == []


def test_refuses_damaged_certificate_files(tmp_path: Path, leaf: tls.Leaf, issuer: tls.Issuer) -> None:
    """A file without its key, with another's key, or of a leaf where a CA is wanted, is refused."""
    custody.save_issuer(tmp_path / "ca", issuer, PASSPHRASE)
    custody.save_leaf(tmp_path / "leaf", leaf, PASSPHRASE)
    key = b"-----BEGIN ENCRYPTED " + (tmp_path / "leaf").read_bytes().split(b"-----BEGIN ENCRYPTED ")[1]
    for name, content in (("bare", leaf.certificate_pem), ("mixed", issuer.certificate_pem + key)):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
        with pytest.raises(errors.CustodyError, match="not a certificate"):
            custody.load_issuer(tmp_path / name, PASSPHRASE)
    with pytest.raises(errors.CustodyError, match="not a certificate"):
        custody.load_issuer(tmp_path / "leaf", PASSPHRASE)


def test_says_when_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed key derivation is no wrong passphrase."""
    path = save(tmp_path / "sign")

    def fail(*_: object, **__: object) -> bytes:
        raise CryptoError

    monkeypatch.setattr(argon2id, "kdf", fail)
    with pytest.raises(errors.CustodyError, match="memory") as caught:
        custody.load_signer(path, PASSPHRASE)
    assert type(caught.value) is errors.CustodyError


@pytest.mark.parametrize("content", [b"correct horse", b"correct horse\n", b"correct horse\r\n"])
def test_reads_a_passphrase_without_its_line_end(tmp_path: Path, content: bytes) -> None:
    """Editors end a line; a passphrase does not."""
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    path.chmod(0o600)
    assert custody.read_passphrase(path) == PASSPHRASE
