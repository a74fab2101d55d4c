"""Coverage is computed (U2), what may not be said leaves no trace (U3), a decision belongs to one member (U4)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from callers import Caller, measures, summary
from officers import Officer, deliver, named, no_violation, populated, rating, start, vouch
from populations import leave, load, populate

from gateway import wire
from gateway.clocks import civil_day
from gateway.exchange.accept import open_items, unpack
from gateway.kinds import KINDS
from gateway.model.answer import Answer, Item, NoViolationItem, SummaryItem
from gateway.model.codes import CoverageState, ItemState, ResultState, Verdict, Window
from gateway.model.question import Body, SummaryQuestion
from gateway.uscc import sample_code
from keys.envelope import Envelope
from nodes.clock import FileClock
from nodes.federation import REFERENCE
from nodes.intake import Delivery, take_in
from nodes.lab import Lab, build
from nodes.sample import write_sample
from nodes.sample.records import Desk
from nodes.sample.scenarios import CLEAN
from nodes.sample.subjects import Subject
from nodes.setup import Setting
from nodes.store import Mode

pytestmark = pytest.mark.net
PAIR = ("310000", "320000")
HOME = "320000"
SINCE = date(2019, 1, 1)
_serials = count(600_000)

Write = Callable[[Desk, Subject, date], object]


def fresh(kind: str = "ENTERPRISE") -> Subject:
    """Give a subject of Wujiang that no other test has."""
    serial = next(_serials)
    return Subject(uscc=sample_code("91", "320509", serial), name=f"样例覆盖{serial}号有限公司", kind=kind)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run Shanghai and Jiangsu, every feed of both loaded today."""
    with populated(tmp_path_factory.mktemp("coverage") / "lab", *PAIR) as built:
        yield built


# U2


@pytest.mark.parametrize("record_class", ["penalty", "listing", "register", "measure", "rating"])
async def test_a_feed_that_was_never_loaded_makes_its_domain_partial(tmp_path: Path, record_class: str) -> None:
    """One declared feed without a load turns its domain PARTIAL for the kinds that need it, and for no other."""
    lab = build(tmp_path / "lab")
    populate(lab, "310000", subjects=0)
    name = {"register": "REGISTER", "rating": "RATING"}.get(record_class, "TAX")
    populate_without(lab, HOME, f"{HOME}-{name}-{record_class}")
    needs = {
        "penalty": {"summary", "no_violation"},
        "listing": {"summary", "no_violation"},
        "register": {"summary", "rating", "measures", "no_violation"},
        "measure": {"measures"},
        "rating": {"rating"},
    }[record_class]
    try:
        start(lab, *PAIR)
        officer = Officer(lab=lab)
        for kind, asking in asked(officer).items():
            told = await asking()
            partial_now = {each.domain for each in told.heads[HOME].coverage if each.state is CoverageState.PARTIAL}
            assert partial_now == ({name} if kind in needs else set()), kind
            incomplete = told.subject.incomplete_members
            assert incomplete == ((HOME,) if kind in needs else ())
            expected = ResultState.INCOMPLETE if kind in needs else ResultState.NOT_FOUND
            assert told.subject.state is expected
            verdicts = {each.domain for each in told.subject.domains if each.verdict is Verdict.PARTIAL}
            assert verdicts == ({name} & {each.domain for each in told.subject.domains} if kind in needs else set())
    finally:
        lab.stop()


def populate_without(lab: Lab, member: str, feed: str) -> None:
    """Load all of a member's feeds but one."""
    written = build_files(lab, member)
    load(lab, member, [each for each in written if each.stem != feed])


def build_files(lab: Lab, member: str) -> list[Path]:
    """Write a member's files without loading them."""
    folder = lab.home(member) / "inbox"
    write_sample(folder, member, subjects=0, seed=1, today=civil_day(lab.clock()), federation_folder=lab.federation)
    return sorted(folder.glob("*.csv"))


def asked(officer: Officer, code: str = CLEAN.uscc) -> dict[str, Callable[[], Any]]:
    """Give the four kinds of questions to the pair."""
    return {
        "summary": partial(officer.ask, summary(named(code)), members=PAIR),
        "rating": partial(officer.ask, rating(named(code)), members=PAIR),
        "measures": partial(officer.ask, measures(named(code)), members=PAIR),
        "no_violation": partial(officer.certify, code, members=PAIR),
    }


def load_today(lab: Lab, member: str, paths: list[Path]) -> None:
    """Load files by the lab's own clock, complete up to its day."""
    loaded = take_in(lab.config(member), lab.home(member), paths, now=lab.clock(), delivery=Delivery())
    assert all(each.refused is None for each in loaded)


async def test_a_feed_that_stops_is_overdue_after_its_frequency(tmp_path: Path) -> None:
    """The clock moves past a feed's days: the other feeds deliver on, this one does not, and the answers change."""
    clock = tmp_path / "clock"
    clock.write_text("0", encoding="ascii")
    lab = build(
        tmp_path / "lab",
        setting=Setting(clock=f'source = "file"\npath = "{clock}"'),
        clock=FileClock(path=clock).now,
    )
    lab.edits.append(lambda found: found["limits"].update(witness_lag_stop=30 * 86_400))  # two cannot witness
    stopped = f"{HOME}-TAX-penalty"
    files = {member: build_files(lab, member) for member in PAIR}
    for member, paths in files.items():
        load(lab, member, paths)
    try:
        start(lab, *PAIR)
        officer = Officer(lab=lab)
        assert (await asked(officer)["summary"]()).subject.state is ResultState.NOT_FOUND
        clock.write_text(str(timedelta(days=8).total_seconds()), encoding="ascii")
        today = civil_day(lab.clock())
        for member, paths in files.items():
            load_today(lab, member, [each for each in paths if each.stem != stopped])
        told = await asked(officer)["summary"]()
        partial_now = {each.domain for each in told.heads[HOME].coverage if each.state is CoverageState.PARTIAL}
        assert partial_now == {"TAX"}
        tax = next(each for each in told.heads[HOME].coverage if each.domain == "TAX")
        assert tax.data_through_date == (today - timedelta(days=8)).isoformat()
        assert (told.subject.state, told.subject.incomplete_members) == (ResultState.INCOMPLETE, (HOME,))
        report = await asked(officer)["no_violation"]()
        assert {each.domain for each in report.subject.domains if each.verdict is not Verdict.NONE_TO_REPORT} == {"TAX"}
        load_today(lab, HOME, [each for each in files[HOME] if each.stem == stopped])
        assert (await asked(officer)["summary"]()).subject.state is ResultState.NOT_FOUND
    finally:
        lab.stop()


@pytest.mark.parametrize("act", ["无此行为", "消防通道\u200b标识不清"])
async def test_a_row_that_makes_no_sense_makes_its_domain_partial(tmp_path: Path, act: str) -> None:
    """A penalty of no known sort says nothing, nor does a rejected one: the domain waits for a clean snapshot."""
    lab = build(tmp_path / "lab")
    try:
        for member in PAIR:
            populate(lab, member, subjects=0)
        subject = fresh()
        odd = deliver(lab, HOME, lambda desk: desk.register(subject, division="320509", since=SINCE))
        folder = lab.home(HOME) / "inbox"
        clean = folder / f"{HOME}-FIRE-penalty.csv"
        torn = folder / "torn" / clean.name
        torn.parent.mkdir()
        row = clean.read_text(encoding="utf-8").splitlines()
        assert odd[0].report is not None
        torn.write_text("\n".join([row[0], row[1].replace("消防通道标识不清", act)]) + "\n", encoding="utf-8")
        load(lab, HOME, [torn])
        start(lab, *PAIR)
        officer = Officer(lab=lab)
        told = await asked(officer)["summary"]()
        assert {e.domain for e in told.heads[HOME].coverage if e.state is CoverageState.PARTIAL} == {"FIRE"}
        allowed = leave(lab, "320509-market/o2", clean)
        load(lab, HOME, [clean], Delivery(mode=Mode.SNAPSHOT, leaves=(allowed,)))
        assert (await asked(officer)["summary"]()).subject.state is ResultState.NOT_FOUND
    finally:
        lab.stop()


async def test_a_window_that_begins_before_the_history_is_partial(tmp_path: Path) -> None:
    """Where the delivered history began last year, twelve months are complete and thirty-six are not."""
    federation = tmp_path / "federation"
    shutil.copytree(REFERENCE, federation, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    feeds = federation / "feeds.toml"
    rule = 'history_from = "2020-01-01"'
    began = (datetime.now(UTC).date() - timedelta(days=500)).isoformat()
    text = feeds.read_text(encoding="utf-8")
    assert rule in text
    feeds.write_text(text.replace(rule, f'history_from = "{began}"'), encoding="utf-8")
    lab = build(tmp_path / "lab", federation=federation)
    try:
        populate(lab, "310000", subjects=0)
        start(lab, "310000")
        found = {}
        for window in (Window.M12, Window.M36):
            body = SummaryQuestion(subjects=(named(CLEAN.uscc),), window=window)
            told = await Officer(lab=lab).ask(body, members=("310000",))
            states = {each.state for each in told.heads["310000"].coverage if each.domain != "REGISTER"}
            found[window] = (told.subject.state, states, told.heads["310000"].coverage[0].history_from_date)
        assert found == {
            Window.M12: (ResultState.NOT_FOUND, {CoverageState.COMPLETE}, began),
            Window.M36: (ResultState.INCOMPLETE, {CoverageState.PARTIAL}, began),
        }
    finally:
        lab.stop()


# U3


BASE: dict[str, Write] = {
    "nothing": lambda *_: None,
    "penalty": lambda desk, it, today: desk.penalty(it, "MARKET_REG-G-001", decided=today - timedelta(days=100)),
}
UNSAYABLE: dict[str, Write] = {
    "repaired": lambda desk, it, today: desk.penalty(
        it, "MARKET_REG-G-001", decided=today - timedelta(days=200), repaired=today - timedelta(days=30)
    ),
    "annulled": lambda desk, it, today: desk.penalty(
        it, "WORK_SAFETY-S-001", decided=today - timedelta(days=250), annulled=today - timedelta(days=60)
    ),
    "exempt": lambda desk, it, today: desk.penalty(it, "FIRE-M-001", decided=today - timedelta(days=10), exempt=True),
    "grace": lambda desk, it, today: desk.penalty(
        it, "TAX-G-001", decided=today - timedelta(days=15), grace=today + timedelta(days=30)
    ),
    "self-declared": lambda desk, it, today: desk.penalty(
        it, "NET_MARKET-G-001", decided=today - timedelta(days=40), origin="SELF_DECLARED"
    ),
    "expired": lambda desk, it, today: desk.penalty(it, "FIRE-M-001", decided=today - timedelta(days=400)),
    "disputed and repaired": lambda desk, it, today: desk.penalty(
        it,
        "MARKET_REG-S-001",
        decided=today - timedelta(days=90),
        repaired=today - timedelta(days=1),
        disputed=True,
    ),
    "left list": lambda desk, it, today: desk.listing(
        it,
        "TAX_SEVERE",
        listed=today - timedelta(days=400),
        left=today - timedelta(days=100),
        reason="REPAIRED",
    ),
    "list in grace": lambda desk, it, today: desk.listing(
        it, "COURT_DISHONEST", listed=today - timedelta(days=5), grace=today + timedelta(days=30)
    ),
    "lifted measure": lambda desk, it, today: desk.measure(
        it,
        "MP09",
        "MARKET_REG",
        territory="320000",
        since=today - timedelta(days=400),
        lifted=today - timedelta(days=100),
    ),
    "ended measure": lambda desk, it, today: desk.measure(
        it, "MP01", "TAX", territory="NATIONAL", since=today - timedelta(days=400), until=today
    ),
    "ended permit": lambda desk, it, today: desk.permit(
        it, "FOOD_DRUG", "ORDINARY", since=today - timedelta(days=400), until=today
    ),
    "ended rating": lambda desk, it, today: desk.rating(
        it, "320000-COMPREHENSIVE", "优秀", rated=today - timedelta(days=400), until=today
    ),
}
RANDOM: dict[str, Any] = {
    "question_digest": b"", "pair_sequence": 0, "items_root": b"", "answer_time": None, "as_of_time": None,
    "valid_until_time": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def twins(pair: Lab) -> dict[tuple[str, str], Subject]:
    """Load subjects that differ in one unsayable item only, all in one delivery."""
    today = civil_day(pair.clock())
    found = {(base, name): fresh() for base in BASE for name in ("without", *UNSAYABLE)}

    def write(desk: Desk) -> None:
        for (base, name), subject in found.items():
            desk.register(subject, division="320509", since=SINCE)
            BASE[base](desk, subject, today)
            if name != "without":
                UNSAYABLE[name](desk, subject, today)

    reports = [each.report for each in deliver(pair, HOME, write)]
    assert all(each is not None and not each.gaps and not each.rejected for each in reports)
    return found


def question(kind: str, code: str) -> Body:
    """Ask a kind about a code."""
    table: dict[str, Callable[..., Body]] = {
        "summary": summary, "rating": rating, "measures": measures, "no_violation": no_violation,
    }  # fmt: skip
    ask = table[kind]
    return ask(named(code))


def plain(item: Item) -> Item:
    """Blank what differs between any two answers: the code, references and ids."""
    body = item.body
    changes: dict[str, Any] = {}
    for name in ("penalties", "listings", "measures", "verdicts"):
        lines = getattr(body, name, ())
        if lines:
            changes[name] = tuple(replace(each, line_ref=each.line_ref and b"") for each in lines)
    assert body is not None
    return replace(item, uscc="", body=replace(body, **changes))


async def told_by(caller: Caller, kind: str, code: str) -> tuple[int, Answer, Item]:
    """Ask a member directly; give the reply's size, and its head and item without ids, salts and times."""
    credit = {
        "purpose": "RATING_RECOGNITION",
        "item": "SH-2026-012",
        "agency": "310118-credit",
        "agreement": "ZONE-2026",
    }
    report = {"purpose": "NO_VIOLATION_REPORT", "item": "SH-2026-015"}
    terms: dict[str, Any] = {"rating": credit, "no_violation": report}.get(kind, {})
    consent: tuple[Envelope, ...] = ()
    if terms:
        consent = (
            vouch(
                caller.lab, code, home=HOME, agency=terms.get("agency", "310118-market"), purpose=terms["purpose"],
                kind=kind,
            ),
        )  # fmt: skip
    reply = await caller.ask(caller.compose(question(kind, code), authorisations=consent, **terms))
    assert not reply.refused
    found = unpack(reply.payload)
    answer = wire.decode(Answer, found.answer.payload)
    (item,) = open_items(answer, found.items)
    # The basis is a root over salted digests of what was said: nothing said, nothing to differ.
    basis = {"basis_root": b""} if item.state is ItemState.FOUND else {}
    return len(reply.payload), replace(answer, **{**RANDOM, **basis}), plain(item)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", BASE)
@pytest.mark.parametrize("name", UNSAYABLE)
async def test_what_may_not_be_said_leaves_no_trace(
    pair: Lab, twins: dict[tuple[str, str], Subject], kind: str, base: str, name: str
) -> None:
    """The answers with and without the item have one size and differ in ids, salts and times only (U3)."""
    caller = Caller(lab=pair)
    try:
        with_it, without = [await told_by(caller, kind, twins[base, each].uscc) for each in (name, "without")]
    finally:
        await caller.close()
    assert with_it == without


async def test_twins_are_told_apart_when_something_may_be_said(
    pair: Lab, twins: dict[tuple[str, str], Subject]
) -> None:
    """The comparison is able to see a difference: a sayable penalty shows in it."""
    caller = Caller(lab=pair)
    try:
        clean, penalised = [
            await told_by(caller, "summary", twins[base, "without"].uscc) for base in ("nothing", "penalty")
        ]
    finally:
        await caller.close()
    assert (clean[2].state, penalised[2].state) == (ItemState.NOT_FOUND, ItemState.FOUND)


async def test_the_own_record_shows_what_was_repaired(pair: Lab, twins: dict[tuple[str, str], Subject]) -> None:
    """A purpose whose dated rule shows repaired items says HAS_REPAIRED; all others never do (U5)."""
    code = twins["nothing", "repaired"].uscc
    officer = Officer(lab=pair, name="310118-credit/o1")
    consent = officer.consent(code, purpose="SELF_QUERY", kind="no_violation", home=HOME)
    told = await officer.ask(
        no_violation(named(code), window=Window.M60), purpose="SELF_QUERY", authorisations=(consent,), members=(HOME,)
    )
    body = told.items[HOME].body
    assert isinstance(body, NoViolationItem)
    assert {each.domain: each.verdict for each in body.verdicts if each.verdict is not Verdict.NONE_TO_REPORT} == {
        "MARKET_REG": Verdict.HAS_REPAIRED
    }


# U4


async def test_one_decision_at_two_members_is_answered_by_one(pair: Lab) -> None:
    """A file of Jiangsu's decisions that came back to Shanghai loads there as NOT_OURS, and Jiangsu alone answers."""
    subject, today = fresh(), civil_day(pair.clock())

    def write(desk: Desk) -> None:
        desk.register(subject, division="320509", since=SINCE)
        desk.penalty(subject, "TAX-S-001", decided=today - timedelta(days=50))
        desk.listing(subject, "TAX_SEVERE", listed=today - timedelta(days=40))

    ours = deliver(pair, HOME, write)
    copies = []
    for each in ours:
        assert each.report is not None
        assert each.path is not None
        assert (each.report.accepted, each.report.not_ours) == (1, 0)
        if "register" not in each.path.stem:
            copy = pair.home("310000") / "inbox" / "copies" / each.path.name.replace(HOME, "310000")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(each.path.read_bytes())
            copies.append(copy)
    for each in load(pair, "310000", copies):
        assert each.report is not None
        assert (each.report.accepted, each.report.not_ours, each.report.gaps) == (0, 1, 0)
    told = await Officer(lab=pair).ask(summary(named(subject.uscc)), members=PAIR)
    assert told.states == {"310000": "NOT_FOUND", HOME: "FOUND"}
    body = told.items[HOME].body
    assert isinstance(body, SummaryItem)
    assert (len(body.penalties), len(body.listings)) == (1, 1)
    assert told.subject.incomplete_members == ()
