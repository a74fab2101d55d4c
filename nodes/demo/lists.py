"""Checks a list of bidders through `yrdx check`, and holds every verdict against what it must be."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.catalogue import read_catalogue
from gateway.clocks import civil_day
from nodes.demo.shell import GENUINE, DemoError, Shell
from nodes.federation.compiling import sections
from nodes.lab import Lab
from nodes.sample import batch_rows

ROWS = 1_000
OFFICER = "310000-trading/o1"
CASE, PURPOSE, ITEM = "DEMO-3", "TENDERING", "SH-2026-005"


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list of bidders, asked under a case of its own that two officers opened."""

    lab: Lab
    shell: Shell
    folder: Path
    subjects: int
    federation: Path
    show: Callable[[str], None]

    def check(self) -> dict[str, Any]:
        """Check the list, verify its manifest offline, and give the counts.

        Raises:
            DemoError: when a row's verdict is another than it must be, or the manifest does not verify.
        """
        rows = list(
            batch_rows(ROWS, subjects=self.subjects, federation_folder=self.federation, members=self._parties())
        )
        path, result = self.folder / "bidders.csv", self.folder / "verdicts.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("uscc", "企业名称"))
            writer.writerows((each.code, each.name) for each in rows)
        terms = ("--purpose", PURPOSE, "--item", ITEM, "--profile", str(self.lab.profile(OFFICER)), "--second-officer")
        self.shell.answered("opening a case", "case", "open", CASE, "--subjects", str(ROWS), *terms)
        said = self.shell.answered(
            "checking a list", "check", str(path), "--kind", "summary", "--window", "M36", "--case", CASE,
            "--out", str(result), "--json", *terms,
        )  # fmt: skip
        self._compare(result, [each.verdict for each in rows])
        found = json.loads(said)
        manifest = str(result.with_name(found["manifest"]))
        done = self.shell.run("verify", manifest, "--root", str(self.lab.folder / "root.json"))
        self.show(done.stdout)
        if done.returncode not in GENUINE:
            raise DemoError(f"the manifest of the list does not verify: {done.stderr.strip()}")
        return {"codes": found["rows"], "verdicts": found["verdicts"], "seconds": found["seconds"], "verified": True}

    def _parties(self) -> tuple[str, ...]:
        """Name the members that a question of this purpose goes to: who else registers a subject is not heard."""
        catalogue, on = read_catalogue(sections(self.federation)), civil_day(datetime.now(UTC))
        found = catalogue.agreements_for(purpose=PURPOSE, kind="summary", member=OFFICER[:6], on=on)
        return next(found).parties

    @staticmethod
    def _compare(result: Path, wanted: list[str]) -> None:
        with result.open(encoding="utf-8-sig", newline="") as file:
            given = [row["verdict"] for row in csv.DictReader(file)]
        for number, (one, other) in enumerate(zip(given, wanted, strict=True), start=2):
            if one != other:
                raise DemoError(f"row {number} of the list is {one} and must be {other}")
