"""The client of The Update Framework: every way in which a mirror or a thief of keys can lie ends in a named fault.

The cases are those of the framework's conformance suite, on repositories that its own library makes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mirrors import answering, served
from repositories import DAY, NOW, Repository
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import MetaFile

from nodes.bundle.client import Fault, Trusted, fault, is_unchanged, refresh, trusted
from nodes.bundle.fetching import Visit

ROLES = ("timestamp", "snapshot", "targets")


@dataclass(kw_only=True)
class Client:
    """A client of one repository, at a time that the test tells."""

    repository: Repository
    folder: Path
    now: datetime = NOW
    first: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Ship with the first root."""
        self.folder.mkdir()
        self.first = self.repository.first

    def refresh(self) -> Trusted | Fault:
        """Refresh; give what is trusted, or the fault."""
        with Visit() as visit:
            try:
                mirror = f"{self.repository.folder.as_uri()}/"
                return refresh(self.folder, mirror, root=self.first, now=self.now, skew=DAY, visit=visit)
            except (RepositoryError, DownloadError) as error:
                return fault(error, visit)

    def versions(self) -> dict[str, int]:
        """Give the version that is trusted of each role."""
        names = (name.removeprefix("metadata/") for name in trusted(self.folder).files)
        found = {role: int(number) for number, role in (name.split(".")[:2] for name in names if name[0].isdigit())}
        roots = [int(each.name.split(".")[0]) for each in (self.folder / "root_history").iterdir()]
        return {**found, "root": max(roots)}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Make a repository with two keys a role, two needed."""
    return Repository(folder=tmp_path / "repository")


@pytest.fixture
def client(repository: Repository, tmp_path: Path) -> Iterator[Client]:
    """Make a client that has refreshed once."""
    found = Client(repository=repository, folder=tmp_path / "trusted")
    assert isinstance(found.refresh(), Trusted)
    yield found
    found.folder.joinpath("root.json").resolve(strict=True)  # whatever happened, the trusted root is there


def file(repository: Repository, name: str) -> Path:
    """Name a file of the repository's metadata."""
    return repository.folder / "metadata" / name


def saved(repository: Repository, name: str) -> Any:
    """Keep a file and give what puts it back."""
    content = file(repository, name).read_bytes()
    return lambda: file(repository, name).write_bytes(content)


def test_what_is_trusted_has_the_names_of_an_archive(client: Client, repository: Repository) -> None:
    """After a refresh the client gives every root, and the other roles in their trusted version."""
    repository.publish()
    repository.publish_root()
    found = client.refresh()
    assert isinstance(found, Trusted)
    assert found.snapshot == 2
    assert sorted(found.files) == [
        "metadata/1.root.json", "metadata/2.root.json", "metadata/2.snapshot.json", "metadata/2.targets.json",
        "metadata/timestamp.json",
    ]  # fmt: skip
    assert all(file(repository, name.partition("/")[2]).read_bytes() == each for name, each in found.files.items())


def test_an_old_timestamp_is_refused(client: Client, repository: Repository) -> None:
    """Rollback: a mirror that serves what was current yesterday is told from one that is current."""
    back = saved(repository, "timestamp.json")
    repository.publish_timestamp()
    client.refresh()
    back()
    assert client.refresh() == Fault(problem="ROLLED_BACK", role="timestamp")


def test_an_old_snapshot_is_refused(client: Client, repository: Repository) -> None:
    """Rollback: publishers whose keys are stolen cannot sign a timestamp that names an older snapshot."""
    repository.publish()
    client.refresh()
    repository.snapshot.version = 0
    repository.publish_snapshot()
    assert client.refresh() == Fault(problem="ROLLED_BACK", role="timestamp")
    assert client.versions()["snapshot"] == 2


def test_old_targets_are_refused(client: Client, repository: Repository) -> None:
    """Rollback: nor a newer snapshot that names older targets."""
    repository.publish()
    client.refresh()
    repository.snapshot.meta["targets.json"] = MetaFile(1)
    repository.publish_snapshot()
    assert client.refresh() == Fault(problem="ROLLED_BACK", role="snapshot")
    assert client.versions()["targets"] == 2


def test_targets_may_not_vanish_from_the_snapshot(client: Client, repository: Repository) -> None:
    """A snapshot that leaves out what an earlier one named is refused."""
    repository.snapshot.meta["members-310000.json"] = MetaFile(1)
    repository.publish()
    client.refresh()
    del repository.snapshot.meta["members-310000.json"]
    repository.publish()
    assert client.refresh() == Fault(problem="MALFORMED", role="snapshot")


@pytest.mark.parametrize(("role", "after"), [("timestamp", 2), ("snapshot", 8), ("targets", 91), ("root", 366)])
def test_a_frozen_mirror_is_found_out(role: str, after: int, client: Client, repository: Repository) -> None:
    """Freeze: what nobody signs anew ends, whichever role it is; the roles below it are signed anew here."""
    client.now = repository.now = NOW + after * DAY
    renew = {
        "timestamp": lambda: None,
        "snapshot": repository.publish_timestamp,
        "targets": repository.publish_snapshot,
    }
    renew.get(role, repository.publish)()
    assert client.refresh() == Fault(problem="EXPIRED", role=role)


def test_an_expired_repository_that_signs_again_is_taken(client: Client, repository: Repository) -> None:
    """After all roles but the root have expired, the next ones are taken without any help."""
    client.now = repository.now = NOW + 100 * DAY
    repository.publish()
    assert isinstance(client.refresh(), Trusted)


def test_expiry_follows_the_clock_that_is_given(client: Client) -> None:
    """A minute before its end a timestamp is current; a second after it is not."""
    client.now = NOW + DAY - timedelta(minutes=1)
    assert isinstance(client.refresh(), Trusted)
    client.now = NOW + DAY + timedelta(seconds=1)
    assert client.refresh() == Fault(problem="EXPIRED", role="timestamp")


@pytest.mark.parametrize("role", ROLES)
def test_one_signature_short_is_refused(role: str, client: Client, repository: Repository) -> None:
    """One stolen key of two that are needed signs nothing; the fault says how many are missing."""
    before = client.versions()
    repository.publish(short=role)
    assert client.refresh() == Fault(problem="SIGNATURES_MISSING", role=role, have=1, need=2)
    assert client.versions()["targets"] == before["targets"]


def test_one_key_that_signs_twice_counts_once(client: Client, repository: Repository) -> None:
    """Two signatures of one key under two names are one."""
    twin = repository.signers["timestamp"][0]
    content = repository.write(repository.timestamp, "timestamp.json", twin)
    other = repository.signers["timestamp"][1].public_key.keyid
    forged = content.replace(
        b'"signatures": [', b'"signatures": [{"keyid": "%s", "sig": "%s"},' % (other.encode(), signature(content)), 1
    )
    assert forged != content
    repository.timestamp.version += 1
    file(repository, "timestamp.json").write_bytes(forged)
    assert client.refresh() == Fault(problem="SIGNATURES_MISSING", role="timestamp", have=1, need=2)


def signature(content: bytes) -> bytes:
    """Take the first signature out of a metadata file."""
    return content.split(b'"sig": "', 1)[1].split(b'"', 1)[0]


def test_one_key_in_two_seats_is_no_root(client: Client, repository: Repository) -> None:
    """A root that lists a key id twice in a role is refused: one holder would count as two."""
    client.refresh()
    ids = repository.root.roles["timestamp"].keyids
    repository.root.roles["timestamp"].keyids = [ids[0], ids[0]]
    repository.publish_root()
    assert client.refresh() == Fault(problem="MALFORMED", role="root")


@pytest.mark.parametrize("signed_by", ["old", "new"])
def test_a_root_needs_the_old_and_the_new_keys(signed_by: str, client: Client, repository: Repository) -> None:
    """Root rotation: the next root is signed by enough keys of the last one and of its own."""
    old = repository.signers["root"]
    repository.rekey("root")
    kept = repository.signers["root"]
    repository.signers["root"] = old if signed_by == "old" else kept
    repository.publish_root()
    assert client.refresh() == Fault(problem="SIGNATURES_MISSING", role="root", have=0, need=2)
    repository.signers["root"], repository.root.version = kept, 1
    repository.publish_root(*old)
    assert isinstance(client.refresh(), Trusted)
    assert client.versions()["root"] == 2


def test_a_root_one_signature_short_is_refused(client: Client, repository: Repository) -> None:
    """A root that one of the two needed signed changes nothing."""
    repository.publish_root(short=1)
    assert client.refresh() == Fault(problem="SIGNATURES_MISSING", role="root", have=1, need=2)
    assert client.versions()["root"] == 1


def test_a_skipped_root_is_refused(client: Client, repository: Repository) -> None:
    """The chain of roots has no gap: what lies at the next number must be the next number."""
    repository.publish_root()
    repository.publish_root()
    shutil.copy(file(repository, "3.root.json"), file(repository, "2.root.json"))
    assert client.refresh() == Fault(problem="ROLLED_BACK", role="root")


def test_roots_are_walked_one_by_one(client: Client, repository: Repository) -> None:
    """A client that was away for three roots, each with keys of its own, comes through all of them."""
    for _ in range(3):
        old = repository.signers["root"]
        repository.rekey("root")
        repository.publish_root(*old)
    assert isinstance(client.refresh(), Trusted)
    assert client.versions()["root"] == 4


@pytest.mark.parametrize("role", ROLES)
def test_keys_of_a_role_are_turned_over_by_the_root(role: str, client: Client, repository: Repository) -> None:
    """After a rotation only the new keys sign for a role."""
    old = repository.signers[role]
    repository.rekey(role)
    repository.publish_root()
    new, repository.signers[role] = repository.signers[role], old
    repository.publish()
    assert client.refresh() == Fault(problem="SIGNATURES_MISSING", role=role, have=0, need=2)
    repository.signers[role] = new
    repository.publish()
    assert isinstance(client.refresh(), Trusted)


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_a_fast_forward_is_recovered_from(role: str, client: Client, repository: Repository) -> None:
    """A thief of online keys who set a version far ahead is undone by new keys: versions begin anew."""
    getattr(repository, role).version = 1_000_000
    repository.publish_snapshot() if role == "snapshot" else repository.publish_timestamp()
    assert isinstance(client.refresh(), Trusted)
    getattr(repository, role).version = 2
    repository.publish_snapshot()
    assert client.refresh() == Fault(problem="ROLLED_BACK", role="timestamp")
    repository.rekey("timestamp")
    repository.rekey("snapshot")
    repository.publish_root()
    repository.publish_snapshot()
    assert isinstance(client.refresh(), Trusted)
    assert client.versions()["snapshot"] < 10


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_other_octets_are_refused(role: str, client: Client, repository: Repository) -> None:
    """Hash and length in the signed metadata bind the very octets, signatures included."""
    repository.publish()
    path = file(repository, f"2.{role}.json")
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert client.refresh() in (Fault(problem="TOO_LARGE", role=role), Fault(problem="WRONG_HASH", role=role))
    path.write_bytes(content.replace(b'"sig": "', b'"sig": "0', 1)[:-1] + b"\n")
    assert isinstance(client.refresh(), Fault)
    path.write_bytes(content)
    assert isinstance(client.refresh(), Trusted)


def test_a_length_binds(client: Client, repository: Repository) -> None:
    """What is longer than was signed is not read to its end."""
    repository.publish()
    path = file(repository, "2.targets.json")
    repository.snapshot.meta["targets.json"].length = path.stat().st_size - 1
    repository.publish_snapshot()
    assert client.refresh() == Fault(problem="TOO_LARGE", role="targets")


def test_parts_of_two_releases_do_not_mix(client: Client, repository: Repository) -> None:
    """Mix and match: a snapshot or targets of another release under a timestamp are refused."""
    repository.publish()
    repository.publish()
    shutil.copy(file(repository, "2.targets.json"), file(repository, "3.targets.json"))
    assert client.refresh() == Fault(problem="WRONG_HASH", role="targets")
    shutil.copy(file(repository, "2.snapshot.json"), file(repository, "3.snapshot.json"))
    client.folder.joinpath("snapshot.json").unlink()
    assert client.refresh() == Fault(problem="WRONG_HASH", role="snapshot")


def test_targets_of_another_version_are_refused(client: Client, repository: Repository) -> None:
    """A snapshot without hashes still binds the version of the targets."""
    repository.snapshot.meta["targets.json"] = MetaFile(2)
    repository.publish_snapshot()
    shutil.copy(file(repository, "1.targets.json"), file(repository, "2.targets.json"))
    assert client.refresh() == Fault(problem="ROLLED_BACK", role="targets")


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_a_missing_file_is_named(name: str, client: Client, repository: Repository) -> None:
    """A mirror that is half copied is told from one that lies."""
    repository.publish()
    file(repository, name).unlink()
    role = name.removeprefix("2.").removesuffix(".json")
    assert client.refresh() == Fault(problem="NOT_SERVED", role=role)


HOSTILE = {
    "no JSON": b"<html>",
    "empty": b"",
    "deep": b"[" * 10_000,
    "huge number": b'{"signed": {"_type": "timestamp", "version": ' + b"9" * 5_000 + b"}}",
    "another form": b'{"signed": [], "signatures": {}}',
    "a list": b"[]",
    "another role": b'{"signatures": [], "signed": {"_type": "root"}}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_refused(content: bytes, client: Client, repository: Repository) -> None:
    """Whatever a mirror serves as a timestamp ends as a named fault, and the trusted one stays."""
    before = client.folder.joinpath("timestamp.json").read_bytes()
    file(repository, "timestamp.json").write_bytes(content)
    assert client.refresh() == Fault(problem="MALFORMED", role="timestamp")
    assert client.folder.joinpath("timestamp.json").read_bytes() == before


def test_a_big_timestamp_is_not_read(client: Client, repository: Repository) -> None:
    """A file whose length nothing signed tells has a cap."""
    file(repository, "timestamp.json").write_bytes(b" " * (17 << 10))
    assert client.refresh() == Fault(problem="TOO_LARGE", role="timestamp")


def test_a_timestamp_of_the_same_number_changes_nothing(client: Client, repository: Repository) -> None:
    """Two timestamps of one version: the first one that was seen stays."""
    before = client.folder.joinpath("timestamp.json").read_bytes()
    repository.timestamp.version -= 1
    repository.now += timedelta(hours=1)
    repository.publish_timestamp()
    assert isinstance(client.refresh(), Trusted)
    assert client.folder.joinpath("timestamp.json").read_bytes() == before


def test_a_false_first_root_is_refused(repository: Repository, tmp_path: Path) -> None:
    """A root that came with the node and does not sign itself is none, and no mirror is asked."""
    client = Client(repository=repository, folder=tmp_path / "trusted")
    client.first = client.first.replace(b'"version": 1', b'"version": 2')
    assert client.refresh() == Fault(problem="SIGNATURES_MISSING", role="root", have=0, need=2)


@pytest.mark.net
@pytest.mark.parametrize(("status", "known"), [(404, True), (403, True), (500, False)])
def test_no_root_is_told_from_no_answer(status: int, *, known: bool, client: Client, repository: Repository) -> None:
    """A mirror that has no further root says so with 404 or 403; another answer leaves open what it has."""
    held = trusted(client.folder).files
    with served(repository.folder) as mirror, Visit() as visit:
        mirror.tricks["2.root.json"] = answering(status)
        if known:
            assert is_unchanged(mirror.url, held, visit)
            return
        with pytest.raises(DownloadError) as caught:
            is_unchanged(mirror.url, held, visit)
        assert fault(caught.value, visit) == Fault(problem="NOT_SERVED", role="root")
