"""A repository of The Update Framework made with its own library, to go wrong in every way that a client must see."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
LIVES = {"root": 365 * DAY, "targets": 90 * DAY, "snapshot": 7 * DAY, "timestamp": DAY}
ROLES = tuple(LIVES)


@dataclass(kw_only=True)
class Repository:
    """A repository in a folder of static files; `signed` holds each role's metadata as it is to be signed next."""

    folder: Path
    keys: int = 2
    threshold: int = 2
    now: datetime = NOW
    signers: dict[str, list[CryptoSigner]] = field(default_factory=dict)
    root: Root = field(init=False)
    targets: Targets = field(init=False)
    snapshot: Snapshot = field(init=False)
    timestamp: Timestamp = field(init=False)

    def __post_init__(self) -> None:
        """Publish the first version of every role."""
        (self.folder / "metadata").mkdir(parents=True)
        (self.folder / "targets").mkdir()
        self.root = Root(consistent_snapshot=True)
        self.targets, self.snapshot, self.timestamp = Targets(), Snapshot(), Timestamp()
        for role in ROLES:
            self.signers[role] = []
            self.rekey(role)
        for signed in (self.root, self.targets, self.snapshot, self.timestamp):
            signed.version = 0
        self.publish_root()
        self.publish()

    @property
    def first(self) -> bytes:
        """Give the root that ships with clients."""
        return (self.folder / "metadata" / "1.root.json").read_bytes()

    def rekey(self, role: str) -> None:
        """Give a role new keys, in the root's next version."""
        for each in self.signers[role]:
            self.root.revoke_key(each.public_key.keyid, role)
        self.signers[role] = [CryptoSigner.generate_ed25519() for _ in range(self.keys)]
        for each in self.signers[role]:
            self.root.add_key(each.public_key, role)
        self.root.roles[role].threshold = self.threshold

    def write(self, signed: Signed, name: str, *signers: CryptoSigner) -> bytes:
        """Sign as it stands, and put it in place."""
        metadata: Metadata[Any] = Metadata(signed)
        for each in signers:
            metadata.sign(each, append=True)
        content = metadata.to_bytes(JSONSerializer())
        (self.folder / "metadata" / name).write_bytes(content)
        return content

    def publish_root(self, *more: CryptoSigner, short: int = 0) -> None:
        """Publish the next root, signed by its keys, by `more`, and by `short` fewer than it has."""
        self.root.version += 1
        self.root.expires = self.now + LIVES["root"]
        signers = [*self.signers["root"], *more]
        self.write(self.root, f"{self.root.version}.root.json", *signers[: len(signers) - short])

    def publish(self, *, short: str = "") -> None:
        """Publish the next targets, snapshot and timestamp; the role `short` has one signature too few."""
        self.targets.version += 1
        self.targets.expires = self.now + LIVES["targets"]
        content = self.write(self.targets, f"{self.targets.version}.targets.json", *self._signers("targets", short))
        self.snapshot.meta["targets.json"] = MetaFile.from_data(self.targets.version, content, ["sha256"])
        self.publish_snapshot(short=short)

    def publish_snapshot(self, *, short: str = "") -> None:
        """Publish the next snapshot and its timestamp."""
        self.snapshot.version += 1
        self.snapshot.expires = self.now + LIVES["snapshot"]
        content = self.write(self.snapshot, f"{self.snapshot.version}.snapshot.json", *self._signers("snapshot", short))
        self.timestamp.snapshot_meta = MetaFile.from_data(self.snapshot.version, content, ["sha256"])
        self.publish_timestamp(short=short)

    def publish_timestamp(self, *, short: str = "") -> None:
        """Publish the next timestamp."""
        self.timestamp.version += 1
        self.timestamp.expires = self.now + LIVES["timestamp"]
        self.write(self.timestamp, "timestamp.json", *self._signers("timestamp", short))

    def add_target(self, path: str, content: bytes) -> TargetFile:
        """Name a file in the targets' next version and put it in place."""
        found = self.targets.targets[path] = TargetFile.from_data(path, content, ["sha256"])
        directory, slash, name = path.rpartition("/")
        place = self.folder / "targets" / f"{directory}{slash}{found.hashes['sha256']}.{name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return found

    def _signers(self, role: str, short: str) -> list[CryptoSigner]:
        return self.signers[role][: self.threshold - (role == short)]
