"""The demonstration: a federation of real processes on this machine, asked through the real command line.

Everything it reports is read from what happened: the members' status files, the answer files, the commands' exits.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway import wire
from gateway.clocks import civil_day
from gateway.model.codes import OutcomeState
from gateway.model.combined import CombinedResult
from nodes.demo import ledgers, shell
from nodes.demo.consents import Consents
from nodes.demo.lists import List
from nodes.demo.loading import Loader, summed
from nodes.demo.questions import DELAYED, MARKET, MUNICIPAL, QUESTIONS, REFUSED, SUPERVISION, Question
from nodes.demo.shell import ANSWERED, GENUINE, DemoError, Shell
from nodes.demo.story import Story
from nodes.demo.tracker import SLUG, Tracker
from nodes.lab import Lab, build
from nodes.sample import SCENARIOS
from yrdx.exchange.v1 import desk_pb2

ASKER, ANHUI = "310000", "340000"
Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Demo:
    """One run in a folder of its own."""

    folder: Path
    subjects: int
    shell: Shell
    federation: Path
    say: Say
    show: Say
    story: Story = field(default_factory=Story)
    lab: Lab = field(init=False)
    consents: Consents = field(init=False)
    tracker: Tracker = field(init=False)

    def prepare(self) -> None:
        """Make the federation, load every member's sample through `yrdx ingest`, and start the members."""
        self.lab = build(self.folder / "federation", federation=self.federation)
        self.say(f"keys, certificates and the bundle that the officers of {len(self.lab.members)} members")
        self.say(f"{self.subjects} sample subjects a member, loaded through yrdx ingest")
        loader = self._loader()
        loaded = loader.all()
        for member, document in loaded.items():
            self.say(f"  {member}: {_told(summed([document]))}")
        corrected = loader.correct()
        self.say(f"  one decision delivered again: {_told(summed([corrected]))}")
        self.story.ingest = summed([*loaded.values(), corrected])
        self.say(f"  rejected rows by reason: {_listed(self.story.ingest['rejected'])}")
        self.lab.start(*self.lab.members)
        for member in self.lab.members:
            process = self.lab.status(member)["process_id"]
            self.story.members.append({"id": member, "process_id": process})
            self.say(f"  {member}: process {process}, {self.lab.standings[member].endpoint}")
        self._note_bundle()
        self.consents = Consents(lab=self.lab, shell=self.shell, folder=self.folder, today=civil_day(datetime.now(UTC)))
        self.tracker = Tracker(consents=self.consents, show=self.show)
        self._open_case("DEMO-1", MARKET, "JOINT_PUNISHMENT", "SH-2026-014")
        self._open_case("DEMO-2", MUNICIPAL, "SCI_TECH_PROJECT", "SH-2026-011")
        self._open_case(DELAYED, MARKET, "JOINT_PUNISHMENT", "SH-2026-014")
        self._delay(DELAYED, MARKET)

    def _note_bundle(self) -> None:
        """Tell the bundle in force, which the officers of all members signed."""
        published = self.lab.published
        if published is None:
            raise DemoError("no bundle was published")
        roles = [
            {"role": each.name, "version": each.version, "threshold": each.threshold, "signatures": len(each.signed_by)}
            for each in published.opened.roles
        ]
        quorum = next(each for each in roles if each["role"] == "targets")
        said = {name: quorum[name] for name in ("threshold", "signatures")}
        self.story.bundle = {"version": published.version, **said, "roles": roles}
        self.say(
            f"bundle {published.version}: {said['signatures']} of {len(self.lab.hands.tops)} members signed, "
            f"{said['threshold']} must; {len(roles)} roles"
        )

    def _loader(self) -> Loader:
        return Loader(
            lab=self.lab, shell=self.shell, folder=self.folder, subjects=self.subjects,
            federation=self.federation, today=civil_day(datetime.now(UTC)),
        )  # fmt: skip

    def check_list(self) -> None:
        """Ask about a list of bidders: one verdict a row, each the one that it must be, and a signed manifest."""
        self.say("\na list of bidders: one verdict a row")
        asked = List(
            lab=self.lab, shell=self.shell, folder=self.folder, subjects=self.subjects,
            federation=self.federation, show=self.show,
        )  # fmt: skip
        self.story.batch = asked.check()
        self.say(f"  {self.story.batch['codes']} rows: {_listed(self.story.batch['verdicts'])}")

    def verify_ledgers(self) -> None:
        """Verify every member's ledger, and see that the asker's is witnessed to its end."""
        found = self.story.ledger = ledgers.told(self.lab, self.shell, ASKER)
        said = "verified" if found["verified"] else "DAMAGED"
        self.say(
            f"\nledgers: all {said}; that of {ASKER} has {found['size']} entries, cosigned by {found['cosignatures']}"
        )

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
            if done.returncode != shell.REFUSED or question.reason not in re.findall(r"[A-Z_]{6,}", said):
                raise DemoError(f"{question.title!r} was to be refused as {question.reason}: {done.returncode} {said}")
            self.show(said + "\n")
            self.story.refusals.append({"reason": question.reason})

    def track(self) -> None:
        """Show an enterprise who asked about it: every question that was answered stands there, with its proof.

        But for those of the delayed case, of which nothing does.
        """
        self.say("\nwho asked about the clean enterprise, as it reads it itself")
        self.story.access = found = self.tracker.read()
        self.say(f"  {found['entries']} questions, each proved by the ledgers that hold it")
        self.say(f"  {found['delayed']} more are shown once the delay by two officers has ended")

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
        if question.slug == SLUG:
            due = self.tracker.delayed if question.delayed else self.tracker.open
            due.update((member, result.kind) for member in answered)
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
        done = self.shell.run("verify", str(file), "--root", str(self.lab.folder / "root.json"), "--json")
        self.say(f"  verified offline: {done.returncode in GENUINE}")
        return done.returncode in GENUINE

    def _asked(self, question: Question, out: Path) -> subprocess.CompletedProcess[str]:
        scenario = SCENARIOS[question.slug]
        options = [*question.options, "--profile", str(self.lab.profile(question.officer)), "--out", str(out)]
        if question.consent:
            options += ["--authorisation", self._consent(question, scenario.uscc, scenario.home)]
        return self.shell.run("ask", question.kind, scenario.uscc, *options)

    def _consent(self, question: Question, uscc: str, home: str) -> str:
        agency = question.officer.partition("/")[0]
        return self.consents.give(uscc, home=home, agency=agency, purpose=question.consent, kind=question.kind)

    def _open_case(self, reference: str, officer: str, purpose: str, item: str) -> None:
        profile = str(self.lab.profile(officer))
        done = self.shell.run("case", "open", reference, "--purpose", purpose, "--item", item, "--profile", profile)
        if done.returncode != 0:
            raise DemoError(f"the case was not opened: {done.stderr.strip()}")

    def _delay(self, reference: str, officer: str) -> None:
        """Have two officers delay what is shown of a case, at every member."""
        until = str(self.consents.today + timedelta(days=30))
        profile = str(self.lab.profile(officer))
        self.consents.run(
            "access", "delay", reference, "--until", until, "--ground", "sample ground", "--profile", profile
        )

    def complete(self) -> bool:
        """Say whether everything was answered and verified as it must be."""
        story = self.story
        kinds = {each["kind"] for each in story.answers}
        return (
            all(each["verified"] for each in story.answers)
            and kinds == {"summary", "rating", "measures", "no_violation"}
            and story.ingest["corrected"] == 1
            and "INCOMPLETE" not in story.batch["verdicts"]
            and story.ledger["verified"]
            and [each["member"] for each in story.missing] == [ANHUI]
            and [each["reason"] for each in story.refusals] == [each.reason for each in REFUSED]
        )


def _told(counts: Mapping[str, Any]) -> str:
    """Say what became of rows, leaving out what did not happen."""
    sums = {name: value if isinstance(value, int) else sum(value.values()) for name, value in counts.items()}
    return _listed({name.replace("_", " "): number for name, number in sums.items() if number})


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"
