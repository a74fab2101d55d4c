"""What is loaded is what is answered: files into a real store, answers out of it, with no process between.

Own decisions only (U4), computed coverage (U2), rows that wait (U16), versions (U15), withdrawals without a trace (U3),
repairs and objections across feeds, acts that count once (A67), closed sole traders (U12), and legal days (U18).
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bundles import OFFICERS, SIGNERS, entropy, key_row
from fakes import FakeJournal
from hands import directory_of, timed
from labs import build
from receipts import LOGGERS
from test_duties_coverage import RANDOM, build_files, plain
from test_ingest import CODES, FIRM, GOOD, NOW, OTHER, SECRET, TRADER, Yard, write

from gateway import wire
from gateway.answering import Answering, Node
from gateway.charter import Charter, charter
from gateway.exchange.accept import accept
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.permit import permit
from gateway.exchange.release import Home
from gateway.federation import request_bytes
from gateway.kinds import KINDS
from gateway.model.answer import Answer, Item, PenaltyLine, Refusal, SummaryItem
from gateway.model.codes import CountBand, CoverageState, ItemState, RefusalReason, Severity, Window
from gateway.model.combined import Intent
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.model.signed import Accepted, Reply, Signed
from keys.envelope import Envelope
from nodes.federation import REFERENCE, Standing, document
from nodes.ingest import Report, release
from nodes.ingest.names import name_digest
from nodes.intake import Delivery, take_in
from nodes.store import tables
from nodes.store.facts import FactSource
from nodes.store.loading import Loading, Mode

SHANGHAI, JIANGSU = "310000", "320000"
ASKERS = {SHANGHAI: ("310118-market", "SH"), JIANGSU: ("320509-market", "JS")}
KEYS = dict(zip(ASKERS, OFFICERS.values(), strict=True))
NEEDED = ("register", "penalty", "permit", "listing", "abnormal", "repair", "objection")
"""Classes whose feeds a summary of MARKET_REG rests on."""

PERSON = "11010519491231002X"  # the sample number printed in GB 11643
NEW_ACT = "样例新行为"
MORE_ACTS = f"""
[[behaviours]]
edition = "2026"
code = "MARKET_REG-G-900"
domain = "MARKET_REG"
severity = "GENERAL"
name = {{ zh = "{NEW_ACT}", en = "A new act" }}
"""
_numbers = count(1)


def standing(member: str) -> Standing:
    """What a member brings to the directory: a key to sign answers and its ledger with, and an officer."""
    until = "2028-01-01T00:00:00Z"
    keys = (
        key_row(SIGNERS[member], valid_until=until),
        key_row(LOGGERS[member], use="ledger", valid_until=until),
    )
    public = base64.b64encode(KEYS[member].public).decode()
    return Standing(keys=keys, officers={f"{ASKERS[member][0]}/o1": public})


@cache
def charter_of(member: str, folder: Path = REFERENCE, version: int = 1) -> Charter:
    """What governs a member under a folder's federation in which both members can sign."""
    standings = {each: standing(each) for each in ASKERS}
    issued = NOW - timedelta(days=1)
    found = timed(document(folder, standings), version=version, issued=issued, expire=NOW + timedelta(days=90))
    return charter(member, directory_of(found), KINDS)


class Member(Yard):
    """A member whose store is asked through the steps of the exchange."""

    def __init__(self, folder: Path, member: str = SHANGHAI, *, at: datetime = NOW) -> None:
        """Make the store, with every feed of the domain loaded and one firm in the register."""
        super().__init__(folder, member)
        self.charter, self.at = charter_of(member), at
        for each in NEEDED:
            self.deliver(each)

    def deliver(self, record_class: str, *rows: Mapping[str, str], **more: Any) -> Report:
        """Load rows at the member's own time."""
        if record_class == "register":
            rows = ({}, {"uscc": OTHER}, *rows) if self.member == SHANGHAI else ()
        return self.load(record_class, rows, now=self.at, **more)

    async def reply(
        self, code: str, *, purpose: str = "DAILY_SUPERVISION", matter: str = "010"
    ) -> tuple[Signed, Reply]:
        """Let the other member ask for a summary, and answer."""
        asker = charter_of(next(each for each in ASKERS if each != self.member))
        agency, letters = ASKERS[asker.me]
        intent = Intent(
            intent_id=bytes(16),
            agency=agency,
            officer=f"{agency}/o1",
            intend_time=self.at,
            purpose=purpose,
            application_item=f"{letters}-2026-{matter}",
            case_reference="C-1",
            body=SummaryQuestion(subjects=(NamedSubject(uscc=code),), window=Window.M36),
        )
        inquiry = Inquiry(intent=intent, intent_digest=bytes(32), agreement_id="YRD-4-2026", case_subject_count=0)
        number = next(_numbers)
        signed = compose(
            inquiry,
            self.member,
            number,
            question_id=number.to_bytes(16, "big"),
            charter=asker,
            signer=SIGNERS[asker.me],
            now=self.at,
        )
        source = FactSource(self.database)
        node = Node(
            charter=lambda: self.charter,
            signer=lambda: SIGNERS[self.member],
            clock=lambda: self.at,
            ticks=lambda: 0.0,
            source=source,
            journal=FakeJournal(),
            home=Home(entropy=entropy, name_digest=lambda subject, name: name_digest(SECRET, subject, name)),
            consents=lambda _: (),
            observe=lambda _: None,
        )
        try:
            return signed, await Answering(node).ask(request_bytes(signed), asker.me)
        finally:
            source.close()

    async def ask(self, code: str = FIRM) -> tuple[Item, Accepted, int]:
        """Give what the other member accepts of the answer about a code, and the size of its bytes."""
        signed, reply = await self.reply(code)
        assert not reply.refused
        asker = charter_of(signed.question.header.asker_member)
        granted = permit(signed.question, charter=asker, now=self.at).grant
        found = accept(reply.payload, signed, granted, asker, self.at)
        return found.items[0], found, len(reply.payload)

    async def penalties(self, code: str = FIRM) -> tuple[PenaltyLine, ...]:
        """Give the lines of penalties in an answer."""
        body = (await self.ask(code))[0].body
        assert isinstance(body, SummaryItem)
        return body.penalties

    async def state(self) -> CoverageState:
        """Give how far the domain is covered, as an answer says it."""
        covered = (await self.ask())[1].answer.coverage
        return next(each.state for each in covered if each.domain == "MARKET_REG")


def dump(database: Path) -> bytes:
    """Give every version of every fact as it lies in a store."""
    with closing(sqlite3.connect(database)) as connection:
        rows = {each: connection.execute(f"SELECT * FROM {each}").fetchall() for each in sorted(tables.FACTS)}
    return repr(rows).encode()


@pytest.fixture
def member(tmp_path: Path) -> Member:
    """Shanghai, complete in the domain."""
    return Member(tmp_path)


# U4


async def test_one_decision_loaded_at_two_members_is_answered_by_one(tmp_path: Path) -> None:
    """Both load Jiangsu's decision; Shanghai finds nothing of it and stays complete."""
    row = {"CF_CFJGDM": CODES["320509-market"]}
    shanghai, jiangsu = Member(tmp_path), Member(tmp_path, JIANGSU)
    assert (shanghai.deliver("penalty", row).not_ours, jiangsu.deliver("penalty", row).accepted) == (1, 1)
    found = {each.member: (await each.ask())[0].state for each in (shanghai, jiangsu)}
    assert found == {SHANGHAI: ItemState.NOT_FOUND, JIANGSU: ItemState.FOUND}
    assert await shanghai.state() is CoverageState.COMPLETE


# U2


@pytest.mark.parametrize("stopped", [each for each in NEEDED if each != "register"])
async def test_one_feed_that_stops_makes_its_domain_partial(member: Member, stopped: str) -> None:
    """All others deliver on: the domain is PARTIAL until this one has caught up, with no file or with an empty one."""
    assert await member.state() is CoverageState.COMPLETE
    member.at = NOW + timedelta(days=8)
    for each in NEEDED:
        if each != stopped:
            member.deliver(each)
    assert await member.state() is CoverageState.PARTIAL
    member.deliver(stopped)
    assert await member.state() is CoverageState.COMPLETE


# U16


@pytest.fixture
def newer(tmp_path: Path) -> Charter:
    """Shanghai under tables that know one act more."""
    folder = tmp_path / "newer"
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "more.toml").write_text(MORE_ACTS, "utf-8")
    return charter_of(SHANGHAI, folder, version=2)


async def test_a_held_record_makes_its_domain_partial_until_it_is_released(member: Member, newer: Charter) -> None:
    """An act that the tables do not know says nothing; under newer tables it is said, without its file."""
    member.deliver("penalty", {"CF_WFXW": NEW_ACT})
    before = (await member.penalties(), await member.state())
    feed = member.feed("penalty")
    member.charter = newer
    with Loading(member.database) as loading:
        (report,) = release(loading, newer, {feed.id: feed}, secret=SECRET, now=NOW)
    assert before == ((), CoverageState.PARTIAL)
    assert (report.rows, report.gaps) == (1, 0)
    assert [each.severity for each in await member.penalties()] == [Severity.GENERAL]
    assert await member.state() is CoverageState.COMPLETE


# U15


async def test_a_correction_changes_the_next_answer_and_keeps_the_old_version(member: Member) -> None:
    """The store holds both; the answer is of the newer, and says by its version that it is."""
    member.deliver("penalty", {})
    first = (await member.ask())[1].answer
    assert member.deliver("penalty", {"CF_JDRQ": "2026-07-02"}).corrected == 1
    second = (await member.ask())[1].answer
    assert [each.latest_month for each in await member.penalties()] == ["2026-07"]
    assert second.facts_version > first.facts_version
    with closing(sqlite3.connect(member.database)) as connection:
        kept = connection.execute("SELECT version, decided_on FROM penalty ORDER BY version").fetchall()
    assert kept == [(1, "2026-06-01"), (2, "2026-07-02")]


# U3


def bare(answer: Answer, item: Item) -> tuple[Answer, Item]:
    """Blank what differs between any two answers: ids, salts, times."""
    basis = {"basis_root": b""} if item.state is ItemState.FOUND else {}
    return replace(answer, **{**RANDOM, **basis}), plain(item)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("record_class", ["penalty", "permit", "listing"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another"])
async def test_a_withdrawal_leaves_no_trace(member: Member, record_class: str, mode: Mode, beside: bool) -> None:  # noqa: FBT001
    """The firm whose record was withdrawn and one that never had any get answers of one size and content."""
    if beside:
        member.deliver("penalty", {"CF_WSH": "9号"}, {"CF_WSH": "9号", "CF_XDR_SHXYM": OTHER})
    others = [{"CF_WSH": "9号"}, {"CF_WSH": "9号", "CF_XDR_SHXYM": OTHER}] if beside else []
    keeps = others if record_class == "penalty" else []
    member.deliver(record_class, {}, *keeps)
    (spoken, *_), without = await member.ask(), await member.ask(OTHER)
    assert (spoken.body == without[0].body) is False
    gone = [{"deleted": "1"}] if mode is Mode.DELTA else keeps
    assert member.deliver(record_class, *gone, mode=mode, leave=lambda *_: None).withdrawn == 1
    with_it, without = await member.ask(), await member.ask(OTHER)
    assert bare(with_it[1].answer, with_it[0]) == bare(without[1].answer, without[0])
    assert with_it[2] == without[2]
    assert (with_it[0].state is ItemState.FOUND) is beside


# Amendments across feeds


@pytest.mark.parametrize("order", [("penalty", "repair"), ("repair", "penalty")])
async def test_a_repair_silences_a_penalty_whichever_is_loaded_first(member: Member, order: tuple[str, str]) -> None:
    """Two feeds, one conclusion, and delivering the penalty again does not undo it."""
    member.deliver(order[0], {})
    assert (await member.penalties() != ()) is (order[0] == "penalty")
    member.deliver(order[1], {})
    assert await member.penalties() == ()
    member.deliver("penalty", {})
    assert await member.penalties() == ()


@pytest.mark.parametrize("order", [("listing", "objection"), ("objection", "listing")])
async def test_an_objection_marks_what_it_is_about_as_disputed(member: Member, order: tuple[str, str]) -> None:
    """The entry is still said, with the mark, until the objection is decided."""
    for each in order:
        member.deliver(each, {})
    item = (await member.ask())[0]
    assert (item.state, item.disputed) == (ItemState.FOUND, True)
    member.deliver("objection", {"status": "维持", "decided_on": "2026-10-20"})
    item = (await member.ask())[0]
    assert (item.state, item.disputed) == (ItemState.FOUND, False)


# A67


@pytest.mark.parametrize(("day", "band"), [("2026-07-01", CountBand.ONE), ("2026-07-02", CountBand.TWO_TO_FOUR)])
async def test_a_second_act_in_the_time_to_rectify_is_not_counted_again(
    member: Member, day: str, band: CountBand
) -> None:
    """Up to the last day it is the same act, the day after it is another."""
    member.deliver("penalty", {"rectify_until": "2026-07-01"}, {"CF_WSH": "2号", "CF_JDRQ": day})
    assert [each.band for each in await member.penalties()] == [band]


async def test_conduct_of_a_person_is_the_companys_and_nothing_is_of_the_person(member: Member) -> None:
    """The company is answered for; no byte of store, log or answer tells who acted."""
    person = {"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": "", "CF_XDR_MC": "样例人甲", "CF_FRDB": "样例人甲"}
    report = member.deliver("penalty", {**person, "CF_XDR_ZJHM": PERSON, "attributed_uscc": FIRM})
    assert (report.accepted, report.out_of_scope) == (1, 0)
    assert [each.band for each in await member.penalties()] == [CountBand.ONE]
    reply = (await member.reply(FIRM))[1]
    seen = [reply.payload, repr(report).encode(), *member.disk.values(), member.database.read_bytes()]
    assert [text for text in ("样例人甲", PERSON) for each in seen if text.encode() in each] == []


# Loading again


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("record_class", GOOD)
def test_loading_again_changes_nothing(tmp_path: Path, record_class: str, mode: Mode) -> None:
    """The same rows, also with their columns in another order, leave every fact as it lies, byte for byte."""
    yard, rows = Yard(tmp_path), [GOOD[record_class]]
    first = write(yard.folder / "first.csv", rows, GOOD[record_class])
    turned = write(yard.folder / "turned.csv", rows, reversed(list(GOOD[record_class])))
    yard.load_file(first, record_class, mode=mode)
    before = dump(yard.database)
    for path in (first, turned):
        report = yard.load_file(path, record_class, mode=mode)
        assert (report.unchanged, report.accepted, report.corrected, report.withdrawn) == (1, 0, 0, 0)
    assert FIRM.encode() in before
    assert dump(yard.database) == before


def test_an_interrupted_load_of_a_folder_resumes(tmp_path: Path) -> None:
    """What was loaded before the interrupt is passed over, and the end is that of an undisturbed load."""
    lab = build(tmp_path / "lab")  # no member runs
    paths = build_files(lab, SHANGHAI)[:6]
    seen: list[Path] = []

    def interrupt(path: Path, _rows: int, part: float) -> None:
        if part >= 1.0:
            seen.append(path)
        if path == paths[3]:
            raise KeyboardInterrupt

    terms: dict[str, Any] = {"now": lab.clock(), "delivery": Delivery()}
    with pytest.raises(KeyboardInterrupt):
        list(take_in(lab.config(SHANGHAI), lab.home(SHANGHAI), paths, progress=interrupt, **terms))
    again = list(take_in(lab.config(SHANGHAI), lab.home(SHANGHAI), paths, **terms))
    assert seen == paths[:4]
    assert [each.unchanged for each in again] == [True] * 3 + [False] * 3
    assert all(each.refused is None for each in again)
    assert all(each.unchanged for each in take_in(lab.config(SHANGHAI), lab.home(SHANGHAI), paths, **terms))


# U12


@pytest.mark.parametrize("loaded", [False, True], ids=["unknown", "loaded"])
async def test_a_sole_trader_is_closed_from_the_code_alone(member: Member, loaded: bool) -> None:  # noqa: FBT001
    """Whether anything is held of it or not, a purpose that does not open sole traders is refused."""
    if loaded:
        member.deliver("penalty", {"CF_XDR_LB": "个体工商户", "CF_XDR_SHXYM": TRADER})
    _, refused = await member.reply(TRADER, purpose="ADMIN_LICENSING", matter="001")
    refusal = wire.decode(Refusal, wire.decode(Envelope, refused.payload).payload)
    assert refusal.reason is RefusalReason.SUBJECT_KIND_CLOSED
    assert (await member.ask(TRADER))[0].state is (ItemState.FOUND if loaded else ItemState.NOT_FOUND)
    assert not (await member.reply(FIRM, purpose="ADMIN_LICENSING", matter="001"))[1].refused


# U18

MOMENTS = ("2026-11-20T00:30:00+08:00", "2026-11-20T23:30:00+08:00", "2026-11-21T00:30:00+08:00")


async def legal_days(folder: Path) -> dict[str, list[object]]:
    """At each moment: the day of a load, the coverage of a feed due daily, and whether a decision was in time."""
    found: dict[str, list[object]] = {}
    for number, moment in enumerate(MOMENTS):
        place = folder / str(number)
        place.mkdir(parents=True)
        store = Member(place, at=datetime.fromisoformat(moment).astimezone(UTC))
        store.deliver("listing", data_through=date(2026, 11, 19))
        # The seventh working day from the decision is 20 November.
        report = store.deliver("penalty", {"CF_JDRQ": "2026-11-11"})
        found[moment] = [report.data_through.isoformat(), (await store.state()).value, report.on_time, report.late]
    return found


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
def test_the_legal_day_is_that_of_china_wherever_the_node_stands(tmp_path: Path, zone: str) -> None:
    """Half past midnight and half past eleven at night are one day in China, whatever the machine's own zone."""
    here = Path(__file__).parent
    program = (
        "import asyncio, json, sys, time, pathlib, test_duties_data as tested;"
        "told = asyncio.run(tested.legal_days(pathlib.Path(sys.argv[1])));"
        "print(json.dumps([time.localtime(0).tm_hour, told]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=here,
        env={**os.environ, "TZ": zone, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
    )
    hour, told = json.loads(done.stdout)
    assert hour == {"UTC": 0, "Asia/Shanghai": 8, "America/Los_Angeles": 16}[zone]
    same_day = ["2026-11-20", "COMPLETE", 1, 0]
    assert told == {MOMENTS[0]: same_day, MOMENTS[1]: same_day, MOMENTS[2]: ["2026-11-21", "PARTIAL", 0, 1]}
