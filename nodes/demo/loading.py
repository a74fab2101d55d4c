"""Loads every member's sample, dirt and all, through `yrdx ingest`, and one correction after it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from nodes.demo.shell import DemoError, Shell
from nodes.lab import Lab
from nodes.sample import SCENARIOS, write_sample

SEED = 2026
COUNTS = ("rows", "accepted", "corrected", "unchanged", "withdrawn", "out_of_scope", "not_ours", "late")
REASONS = ("held", "rejected")
CORRECTED = ("310000", "ENVIRONMENT", "listed")
"""Member, domain and scenario of the penalty that is corrected."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Writes and loads the files of a federation's members."""

    lab: Lab
    shell: Shell
    folder: Path
    subjects: int
    federation: Path
    today: date

    def all(self) -> dict[str, Document]:
        """Load every member's sample, and give what `yrdx ingest --json` said of each."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            return dict(zip(self.lab.members, pool.map(self._sample, self.lab.members), strict=True))

    def correct(self) -> Document:
        """Deliver one decision again with another day: the next answer rests on it, the old version stays.

        Raises:
            DemoError: when it was not taken as a correction.
        """
        member, domain, slug = CORRECTED
        name = f"{member}-{domain}-penalty.csv"
        with (self._files(member) / name).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            row = next(each for each in reader if each["CF_XDR_SHXYM"] == SCENARIOS[slug].uscc)
        row["CF_JDRQ"] = (date.fromisoformat(row["CF_JDRQ"]) - timedelta(days=1)).isoformat()
        path = self.folder / "correction" / name
        path.parent.mkdir()
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerow(row)
        found = self._ingest(member, path)
        if summed([found])["corrected"] != 1:
            raise DemoError("a decision that was delivered again was not taken as a correction")
        return found

    def _sample(self, member: str) -> Document:
        write_sample(
            self._files(member), member, subjects=self.subjects, seed=SEED, today=self.today,
            federation_folder=self.federation, mixed=True,
        )  # fmt: skip
        return self._ingest(member, self._files(member))

    def _files(self, member: str) -> Path:
        return self.folder / f"files-{member}"

    def _ingest(self, member: str, path: Path) -> Document:
        config = str(self.lab.home(member) / "node.toml")
        said = self.shell.answered(f"ingest of {member}", "ingest", str(path), "--config", config, "--json")
        found: Document = json.loads(said)
        refused = [each["file"] for each in found["files"] if "refused" in each]
        if refused:
            raise DemoError(f"ingest of {member} refused {', '.join(refused)}")
        return found


def summed(documents: Iterable[Document]) -> dict[str, Any]:
    """Add up what became of all rows."""
    files = [each for document in documents for each in document["files"]]
    counts: dict[str, Any] = {name: sum(each.get(name, 0) for each in files) for name in COUNTS}
    for name in REASONS:
        found: Counter[str] = Counter()
        for each in files:
            found.update(each.get(name, {}))
        counts[name] = dict(sorted(found.items()))
    return {"files": len(files), **counts}
