"""Fills members of a lab with the small sample, through the same door as a province's files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateway.clocks import civil_day
from keys import custody
from nodes.intake import Delivery, Loaded, feed_of, take_in
from nodes.lab import Lab
from nodes.leave import Leave, file_sha256, write_leave
from nodes.sample import write_sample

SUBJECTS = 60
SEED = 2026


def populate(lab: Lab, member: str, *, subjects: int = SUBJECTS) -> tuple[Loaded, ...]:
    """Write a member's sample files and load them all."""
    files = lab.home(member) / "inbox"
    today = civil_day(lab.clock())
    write_sample(files, member, subjects=subjects, seed=SEED, today=today, federation_folder=lab.federation)
    return load(lab, member, sorted(files.glob("*.csv")))


def load(lab: Lab, member: str, paths: Iterable[Path], delivery: Delivery | None = None) -> tuple[Loaded, ...]:
    """Load files of a member's feeds."""
    return tuple(take_in(lab.config(member), lab.home(member), paths, now=lab.clock(), delivery=delivery or Delivery()))


def leave(lab: Lab, officer: str, path: Path, *, withdrawals: int = 1_000_000) -> Path:
    """Have an officer allow a file of a feed to withdraw so many records."""
    desk = lab.desk_of(officer)
    signer = custody.load_signer(desk / "officer.key", custody.read_passphrase(desk / "passphrase"))
    digest, now = file_sha256(path), lab.clock().replace(microsecond=0)
    allowed = Leave(feed=feed_of(path), file_sha256=digest, withdrawals=withdrawals, officer=officer, time=now)
    found = path.with_name(f"{path.name}.leave")
    found.write_bytes(write_leave(allowed, signer))
    return found
