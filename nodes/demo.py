"""The demonstration: a federation of real processes on this machine, asked through the real command line.

Everything it reports is read from what happened: the members' status files, the answer files, the commands' exits.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway import wire
from gateway.clocks import civil_day
from gateway.model.codes import OutcomeState
from gateway.model.combined import CombinedResult
from keys.envelope import to_json
from nodes.lab import Lab, build
from nodes.sample import SCENARIOS, write_sample
from yrdx.exchange.v1 import desk_pb2

SEED = 2026
SHANGHAI, ANHUI = "310000", "340000"
MARKET, CREDIT, MUNICIPAL = "310118-market/o1", "310118-credit/o1", "310000-credit/o1"
GENUINE = frozenset({0, 10})
ANSWERED = frozenset({0, 3})
EXIT_REFUSED = 4
Say = Callable[[str], None]


class DemoError(Exception):
    """Something did not happen as it must; the text says what, and where the log is."""


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened, in the shape of `--json`."""

    members: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    recognition: dict[str, Any] = field(default_factory=dict)
    refusals: list[dict[str, str]] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One `yrdx ask`: the officer, the kind, the scenario's subject, and the options."""

    title: str
    officer: str
    kind: str
    slug: str
    options: tuple[str, ...]
    consent: str = ""
    reason: str = ""
    """Why it must be refused; empty where it must be answered."""


SUPERVISION = ("--purpose", "DAILY_SUPERVISION", "--item", "SH-2026-010")
QUESTIONS = (
    Question(
        title="summary: penalties in three regions, a severe listing in Anhui",
        officer=MARKET, kind="summary", slug="listed", options=(*SUPERVISION, "--window", "M36"),
    ),
    Question(
        title="measures: what may be applied in Shanghai, and what is for information only",
        officer=MARKET, kind="measures", slug="listed",
        options=("--purpose", "JOINT_PUNISHMENT", "--item", "SH-2026-014", "--case", "DEMO-1"),
    ),
    Question(
        title="no_violation: a clean enterprise, domain by domain, with its authorisation",
        officer=MARKET, kind="no_violation", slug="clean", consent="NO_VIOLATION_REPORT",
        options=("--purpose", "NO_VIOLATION_REPORT", "--item", "SH-2026-015", "--window", "M36"),
    ),
    Question(
        title="rating: the grade at home and every region's ceiling",
        officer=MARKET, kind="rating", slug="listed", options=SUPERVISION,
    ),
    Question(
        title="recognition: a Jiashan enterprise asked from Qingpu, under the demonstration zone's agreement",
        officer=CREDIT, kind="rating", slug="zone-rated", consent="RATING_RECOGNITION",
        options=("--purpose", "RATING_RECOGNITION", "--item", "SH-2026-012"),
    ),
)  # fmt: skip
REFUSED = (
    Question(
        title="no case is named", reason="CASE_MISSING",
        officer=MARKET, kind="measures", slug="listed",
        options=("--purpose", "JOINT_PUNISHMENT", "--item", "SH-2026-014"),
    ),
    Question(
        title="the subject has not authorised it", reason="AUTHORISATION_MISSING",
        officer=MARKET, kind="no_violation", slug="clean",
        options=("--purpose", "NO_VIOLATION_REPORT", "--item", "SH-2026-015", "--window", "M12"),
    ),
    Question(
        title="the agency lies outside the demonstration zone", reason="NOT_IN_SCOPE",
        officer=MUNICIPAL, kind="rating", slug="zone-rated",
        consent="RATING_RECOGNITION",
        options=("--purpose", "RATING_RECOGNITION", "--item", "SH-2026-012", "--agreement", "ZONE-2026"),
    ),
    Question(
        title="a sole trader, whom this purpose does not open", reason="SUBJECT_KIND_CLOSED",
        officer=MUNICIPAL, kind="summary", slug="sole-trader",
        options=("--purpose", "SCI_TECH_PROJECT", "--item", "SH-2026-011", "--case", "DEMO-2", "--window", "M36"),
    ),
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Demo:
    """One run in a folder of its own."""

    folder: Path
    subjects: int
    language: str
    federation: Path
    say: Say
    show: Say
    story: Story = field(default_factory=Story)
    lab: Lab = field(init=False)

    def prepare(self) -> None:
        """Make the federation, load every member's sample through `yrdx ingest`, and start the members."""
        self.lab = build(self.folder / "federation", federation=self.federation)
        self.say(f"keys, certificates and the signed directory of {len(self.lab.members)} members")
        self.say(f"{self.subjects} sample subjects a member, loaded through yrdx ingest")
        with ThreadPoolExecutor(max_workers=2) as pool:
            for member, rows in pool.map(self._load, self.lab.members):
                self.say(f"  {member}: {rows} rows")
        self.lab.start(*self.lab.members)
        for member in self.lab.members:
            process = self.lab.status(member)["process_id"]
            self.story.members.append({"id": member, "process_id": process})
            self.say(f"  {member}: process {process}, {self.lab.standings[member].endpoint}")
        self._open_case("DEMO-1", MARKET, "JOINT_PUNISHMENT", "SH-2026-014")
        self._open_case("DEMO-2", MUNICIPAL, "SCI_TECH_PROJECT", "SH-2026-011")

    def _load(self, member: str) -> tuple[str, int]:
        files, home = self.folder / f"files-{member}", self.lab.home(member)
        today = civil_day(datetime.now(UTC))
        write_sample(files, member, subjects=self.subjects, seed=SEED, today=today, federation_folder=self.federation)
        done = self._yrdx("ingest", str(files), "--config", str(home / "node.toml"), "--json")
        if done.returncode not in ANSWERED:
            raise DemoError(f"ingest of {member} failed: {done.stderr.strip()}")
        return member, sum(each.get("rows", 0) for each in json.loads(done.stdout)["files"])

    def ask_all(self) -> None:
        """Ask the four kinds and a recognition, and verify each answer file offline."""
        for number, question in enumerate(QUESTIONS):
            self._ask(question, f"answer-{number}")

    def refuse_all(self) -> None:
        """Ask what must be refused, each for its own reason."""
        for number, question in enumerate(REFUSED):
            self.say(f"\nrefused: {question.title}")
            done = self._asked(question, self.folder / f"refused-{number}.yrdx")
            said = done.stderr.strip()
            if done.returncode != EXIT_REFUSED or question.reason not in re.findall(r"[A-Z_]{6,}", said):
                raise DemoError(f"{question.title!r} was to be refused as {question.reason}: {done.returncode} {said}")
            self.show(said + "\n")
            self.story.refusals.append({"reason": question.reason})

    def lose_one(self) -> None:
        """Stop one region and ask again: it is named as missing, and nothing is called clean."""
        self.say(f"\n{ANHUI} is stopped")
        self.lab.stop(ANHUI)
        silent = Question(
            title="the same clean enterprise while Anhui is silent", officer=MARKET, kind="summary", slug="clean",
            options=(*SUPERVISION, "--window", "M36"),
        )  # fmt: skip
        result = self._ask(silent, "missing")
        if any(each.state.value == "NOT_FOUND" for each in result.subjects):
            raise DemoError("a silent region was taken for a clean one")
        for each in result.members:
            if each.state is not OutcomeState.ANSWERED:
                self.story.missing.append({"member": each.member, "reason": each.state.value})

    def _ask(self, question: Question, name: str) -> CombinedResult:
        self.say(f"\n{question.title}")
        out = self.folder / f"{name}.yrdx"
        done = self._asked(question, out)
        if done.returncode not in ANSWERED:
            raise DemoError(f"no answer to {question.title!r}: {done.stderr.strip()}")
        self.show(done.stdout)
        verified = self._verify(out)
        held = desk_pb2.AskMembersResponse.FromString(out.read_bytes())
        result = wire.decode(CombinedResult, held.result.payload)
        answered = {each.member for each in result.members if each.state is OutcomeState.ANSWERED}
        for each in result.subjects[0].members:
            if each.member in answered:
                row = {"member": each.member, "kind": result.kind, "state": each.state.value, "verified": verified}
                self.story.answers.append(row)
        if question.slug == "zone-rated":
            self._note_recognition(result)
        return result

    def _note_recognition(self, result: CombinedResult) -> None:
        found = result.subjects[0].recognition
        if found is None or found.recognised_grade is None:
            raise DemoError("the recognition was not made")
        self.story.recognition = {
            "origin_grade": found.origin_grade,
            "ceilings": [
                {"member": each.member, "grade": each.ceiling.grade.value if each.ceiling.grade else None}
                for each in found.ceilings
            ],
            "recognised_grade": found.recognised_grade.value,
            "mapping_version": found.mapping_version,
        }

    def _verify(self, file: Path) -> bool:
        done = self._yrdx("verify", str(file), "--root", str(self.lab.folder / "root.json"), "--json")
        self.say(f"  verified offline: {done.returncode in GENUINE}")
        return done.returncode in GENUINE

    def _asked(self, question: Question, out: Path) -> subprocess.CompletedProcess[str]:
        scenario = SCENARIOS[question.slug]
        options = [*question.options, "--profile", str(self.lab.profile(question.officer)), "--out", str(out)]
        if question.consent:
            options += ["--authorisation", str(self._consent(question, scenario.uscc, scenario.home))]
        return self._yrdx("ask", question.kind, scenario.uscc, *options)

    def _consent(self, question: Question, uscc: str, home: str) -> Path:
        envelope = self.lab.authorise(
            uscc,
            home=home,
            agency=question.officer.partition("/")[0],
            purpose=question.consent,
            kinds=(question.kind,),
            identity=os.urandom(16),
        )
        path = self.folder / f"consent-{len(list(self.folder.glob('consent-*')))}.json"
        path.write_bytes(to_json(envelope))
        return path

    def _open_case(self, reference: str, officer: str, purpose: str, item: str) -> None:
        profile = str(self.lab.profile(officer))
        done = self._yrdx("case", "open", reference, "--purpose", purpose, "--item", item, "--profile", profile)
        if done.returncode != 0:
            raise DemoError(f"the case was not opened: {done.stderr.strip()}")

    def _yrdx(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "nodes.cli", "--lang", self.language, *arguments]
        environment = {**os.environ, "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"}
        return subprocess.run(  # noqa: S603  our own interpreter and arguments
            command, capture_output=True, text=True, encoding="utf-8", check=False, env=environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def complete(self) -> bool:
        """Say whether everything was answered and verified as it must be."""
        story = self.story
        kinds = {each["kind"] for each in story.answers}
        return (
            all(each["verified"] for each in story.answers)
            and kinds == {"summary", "rating", "measures", "no_violation"}
            and [each["member"] for each in story.missing] == [ANHUI]
            and [each["reason"] for each in story.refusals] == [each.reason for each in REFUSED]
        )
