"""Fills members of a lab with the small sample, through the same door as a province's files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateway.clocks import civil_day
from nodes.intake import Delivery, Loaded, take_in
from nodes.lab import Lab
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
