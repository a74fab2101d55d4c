"""What an agency would be told, previewed by the subject (U28): the same, charged to nobody, no use to an asker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import worlds
from bundles import (
    AGENCY,
    NOW,
    OFFICER,
    ROOT,
    SIGNERS,
    charter_of,
    register,
    signed_directory,
)
from consents import BANK, KEY, OTHER_KEY, STRANGER, VIEWER, signed, widen
from fakes import FakeNode
from stores import rows
from test_tracking import acts, refused
from trackers import OPENER, World, access_reading, outcomes, preview_reading, previewed, withheld
from worlds_tables import (
    ANHUI,
    FIELDS,
    JIANGSU,
    MEMBERS,
    PURPOSE,
    SHANGHAI,
    USCC,
    ZHEJIANG,
)

from gateway import carriers, wire
from gateway.clocks import civil_day
from gateway.errors import NotDurable
from gateway.exchange.compose import sign_question
from gateway.exchange.preview import SELF_QUERY, question_of
from gateway.exchange.tracking import context, seal_report, write_reply, write_request
from gateway.federation import request_bytes
from gateway.limits import SALT_BYTES
from gateway.model.access import AccessReply, AccessSummary, DelayedCount, PreviewReading, PreviewReport
from gateway.model.answer import Answer, Item
from gateway.model.codes import AccessSide, ConsentReason, KeyRole, RefusalReason, ResultState, Window
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.verification import Unreadable
from gateway.verification.access import Proof, lines
from gateway.verification.preview import verify_preview
from gateway.verification.reports import NotGenuine
from keys.envelope import Envelope
from nodes.cli.documents import plain_value

R, C = RefusalReason, ConsentReason
KINDS = ("summary", "rating", "measures", "no_violation")
FACTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a little": {"penalty": [worlds.penalty(severity="SERIOUS")], "rating": [worlds.rating()]},
    "much": {
        "penalty": [worlds.penalty(severity="SERIOUS"), worlds.penalty(domain="IP", disputed=1)],
        "permit": [worlds.permit()],
        "listing": [worlds.listing()],
        "rating": [worlds.rating(grade="中")],
        "measure": [worlds.measure()],
    },
}


def free(found: dict[str, Any]) -> None:
    """Let the purpose want no authorisation, so that it can be asked as it stands; one field is closed for it."""
    widen(found)
    for each in found["purposes"]:
        if each["code"] == PURPOSE:
            each |= {"authorisation": "NONE", "authorisation_age_minutes": 0}
    found["data_items"].append({**found["data_items"][0], "id": "penalty.latest_month", "label": "closed"})


FREE = signed_directory(free)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Give four members, and the firm's key enrolled at Shanghai."""
    found = World(folder=tmp_path)
    await found.counters[SHANGHAI].enrolled()
    yield found
    found.close()


# The same as the agency is told


async def told(world: World, member: str, reading: PreviewReading) -> tuple[Answer, Item]:
    """Have the agency ask a member by an officer, and give what it is told."""
    counter = world.counters[member]
    node = FakeNode(charter=counter.charter, now=NOW, source=counter.source)
    asked = question_of(reading, member, counter.charter)
    header = replace(
        asked.header, officer=OFFICER, pair_sequence=1, expire_time=NOW + timedelta(seconds=60), case_reference=""
    )
    question = sign_question(replace(asked, header=header), SIGNERS[SHANGHAI])
    found = carriers.read_response((await node.answering.ask(request_bytes(question), SHANGHAI)).payload)
    return wire.decode(Answer, found.answer.payload), wire.decode(Item, found.items[0][SALT_BYTES:])


def said(answer: Answer, item: Item) -> Any:
    """Give what an answer says, but for what is drawn at random and what binds it to its question."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items() if name != "line_ref"}
        return [plain(each) for each in value] if isinstance(value, list) else value

    unbound = replace(answer, question_digest=b"", pair_sequence=0, items_root=b"")
    return plain(plain_value((unbound, item)))


@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_preview_says_what_the_agency_is_told(world: World, kind: str, facts: dict[str, Any]) -> None:
    """Of every kind, from every member, field by field: also what is withheld, and how far the data reach."""
    world.adopt(FREE)
    for member in (JIANGSU, ANHUI):
        world.counters[member].rows[USCC] = facts
    reading = preview_reading(body=worlds.question(kind))
    found = await world.preview(body=reading.body)
    assert outcomes(found) == dict.fromkeys(MEMBERS, "ANSWERED")
    for each in found.content.exchanges:
        assert each.accepted is not None
        (item,) = each.accepted.items
        assert said(each.accepted.answer, item) == said(*await told(world, each.outcome.member, reading))
    assert found.content.charter.me == SHANGHAI


async def test_an_authorisation_is_supposed_and_none_is_used(world: World) -> None:
    """The purpose wants one: the preview says what the agency would be told with it."""
    world.counters[ANHUI].rows[USCC] = FACTS["much"]
    with_it, without = await world.preview(), world.bundle
    world.adopt(FREE)
    assert without != world.bundle
    states = [each.state for each in with_it.content.result.subjects]
    assert states == [each.state for each in (await world.preview()).content.result.subjects]


async def test_the_conclusion_is_the_askers(world: World) -> None:
    """The combined state is made by the asker's own rule, so that a silent member is never clean."""
    clean = await world.preview()
    assert (clean.complete, clean.content.result.subjects[0].incomplete_members) == (True, MEMBERS)
    world.counters[ANHUI].rows[USCC] = FACTS["much"]
    world.bent[JIANGSU] = withheld
    world.gone.add(ZHEJIANG)
    found = await world.preview(reading_id=bytes(16))
    (subject,) = found.content.result.subjects
    assert outcomes(found) == {
        SHANGHAI: "ANSWERED",
        ANHUI: "ANSWERED",
        JIANGSU: "UNAVAILABLE DEADLINE_EXCEEDED",
        ZHEJIANG: "UNAVAILABLE NO_ENDPOINT",
    }
    assert (found.complete, subject.state) == (False, ResultState.FOUND)
    assert {JIANGSU, ZHEJIANG} <= set(subject.incomplete_members)


async def test_only_those_whom_the_agency_would_ask_are_asked(world: World) -> None:
    """A member that is no party of the agreement holds nothing for it and is not named."""

    def narrow(found: dict[str, Any]) -> None:
        free(found)
        found["agreements"][0]["parties"] = [SHANGHAI, JIANGSU]

    world.adopt(signed_directory(narrow))
    assert set(outcomes(await world.preview())) == {SHANGHAI, JIANGSU}


# Nobody is charged, and it stands where it must


async def test_nobody_is_charged_or_told_and_the_ledgers_hold_it(world: World) -> None:
    """No budget, no disclosure, no number of a pair; each ledger says for which home member, and names no subject."""
    await world.preview()
    for member in MEMBERS:
        file = world.folder / member / "node.db"
        for table in ("budget", "provision", "disclosure", "pair", "journal"):
            assert rows(file, f"SELECT count(*) FROM {table}") == [(0,)]
        (act,) = [each for each in acts(world, member) if each.act == "PREVIEW"]
        assert (act.role, act.agency, act.officer, USCC in repr(act)) == ("view", SHANGHAI, "", False)
        spent = world.counters[member].store.journal.spent
        assert spent(agency=AGENCY, purpose=PURPOSE, day=civil_day(NOW), subjects=()) == 0


async def test_the_subject_is_shown_its_previews_by_key(world: World) -> None:
    """Whoever has a key, or makes one up elsewhere, is seen by the subject: one line, told by all, proved."""
    await world.preview()
    world.at(NOW + timedelta(seconds=1))
    question = await world.ask(JIANGSU, SHANGHAI)
    found = await world.read()
    own, other = lines([found])
    assert (own.own, own.entry.key_id, own.asker_member, own.answerer_member) == (True, KEY.id, SHANGHAI, "")
    assert (own.told_by, own.proof, own.entry.agency) == (tuple(sorted(MEMBERS)), Proof.LOGGED, AGENCY)
    assert (own.reference, own.entry.purpose) == (f"{SHANGHAI}/{bytes(range(16)).hex()}", PURPOSE)
    assert own.entry.fields == tuple(sorted(FIELDS["summary"]))
    assert (other.own, other.entry.question_id) == (False, question)
    report = found.reports[JIANGSU]
    shown = next(each for each in report.entries if each.side is AccessSide.OWN)
    asked = next(each for each in report.entries if each.side is AccessSide.ASKED)
    false = replace(shown, event=asked.event, receipt=asked.receipt)
    (line,) = lines([replace(found, reports={JIANGSU: replace(report, entries=(false,))})])
    assert line.proof is Proof.FAILED
    elsewhere = replace(report, member=ANHUI, entries=(shown,))
    assert lines([replace(found, reports={ANHUI: elsewhere})])[0].proof is Proof.FAILED


async def test_a_preview_never_hides_a_question(world: World) -> None:
    """Under the id of a question it is a line of its own."""
    question = await world.ask(JIANGSU, SHANGHAI)
    world.at(NOW + timedelta(seconds=1))
    await world.preview(reading_id=question)
    assert [each.own for each in lines([await world.read()])] == [False, True]


async def test_previews_are_counted_by_day(world: World) -> None:
    """Of a subject and of the member that vouches; the same bytes again are one, and the next day counts anew."""
    for limit in ("subject_previews", "member_previews"):
        world.adopt(signed_directory(partial(limited, limit)))
        world.at(world.now + timedelta(days=1))
        envelope = signed(preview_reading(read_time=world.now), KEY)
        for _ in range(2):
            summary, _replies = await world.tracker.preview(envelope, AGENCY)
            states = {each.state.value for each in wire.decode(AccessSummary, summary.payload).members}
            assert states == {"ANSWERED"}
        again = await world.preview(reading_id=bytes(16))
        assert outcomes(again) == dict.fromkeys(MEMBERS, "REFUSED BUDGET_EXHAUSTED")
    world.at(world.now + timedelta(days=1))
    assert (await world.preview(reading_id=bytes(16))).complete


def limited(limit: str, document: dict[str, Any]) -> None:
    """Allow one a day."""
    free(document)
    document["limits"] = {**document["limits"], "attempts": 1, limit: 1}


async def test_without_an_entry_nothing_leaves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member whose store fails is named as refusing, and none of its facts is read."""

    async def broken(*_: Any) -> None:
        raise NotDurable("no")

    monkeypatch.setattr(type(world.counters[ANHUI].store.accesses), "preview", broken)
    assert set(outcomes(await world.preview()).values()) == {"REFUSED NOT_DURABLE"}
    assert world.counters[ANHUI].source.asked[1:] == []


# Of no use to an asker


def about(*subjects: NamedSubject) -> SummaryQuestion:
    """Ask about subjects."""
    return SummaryQuestion(subjects=subjects, window=Window.M12)


BAD: dict[str, tuple[dict[str, Any], RefusalReason]] = {
    "another's code": ({"body": about(NamedSubject(uscc=STRANGER))}, R.BAD_SUBJECT),
    "another's beside it": ({"body": about(NamedSubject(uscc=USCC), NamedSubject(uscc=STRANGER))}, R.BAD_SUBJECT),
    "nobody's": ({"body": about()}, R.BAD_SUBJECT),
    "a name to be tried": ({"body": about(NamedSubject(uscc=USCC, name="n"))}, R.BAD_SUBJECT),
    "no agency": ({"agency": "nobody"}, R.AGENCY_NOT_ALLOWED),
    "an agency that may not": ({"agency": BANK, "purpose": "FREE"}, R.AGENCY_NOT_ALLOWED),
    "a purpose that nobody has": ({"purpose": "NONE"}, R.PURPOSE_NOT_ALLOWED),
    "another member's item": ({"agency": BANK}, R.ITEM_NOT_PUBLISHED),
    "an unknown item": ({"application_item": "none"}, R.ITEM_NOT_PUBLISHED),
    "no agreement": ({"agreement_id": ""}, R.NO_AGREEMENT),
    "too old": ({"read_time": NOW - timedelta(seconds=301)}, R.EXPIRED),
    "no id": ({"reading_id": b"x"}, R.MALFORMED),
    "a false sealing key": ({"sealing_key": bytes(32)}, R.KEY_NOT_VALID),
    "another home": ({"home_member": JIANGSU}, R.WRONG_AUDIENCE),
    "another subject": ({"uscc": STRANGER}, R.BAD_SIGNATURE),
}


@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD)
async def test_what_the_agency_would_be_refused_is_not_previewed(
    world: World, changes: dict[str, Any], reason: RefusalReason
) -> None:
    """Its reason is given at the desk, nobody is asked, and nothing counts."""
    envelope = signed(preview_reading(**changes), KEY)
    assert await refused(world.tracker.preview(envelope, AGENCY)) is reason
    assert [each for each in acts(world, SHANGHAI) if each.act == "PREVIEW"] == []


EDITS: dict[str, tuple[Callable[[dict[str, Any]], None], RefusalReason]] = {
    "the agency is suspended": (lambda found: found["members"][0]["agencies"][0].update(suspended=True), R.SUSPENDED),
    "the agency has ended": (
        lambda found: found["members"][0]["agencies"][0].update(active_until="2025-01-01"),
        R.AGENCY_NOT_ALLOWED,
    ),
    "previews have ended": (
        lambda found: found["purposes"][-1].update(valid_until="2026-01-01"),
        R.PURPOSE_NOT_ALLOWED,
    ),
    "previews of this kind are none": (
        lambda found: found["purposes"][-1]["kinds"].pop("summary"),
        R.PURPOSE_NOT_ALLOWED,
    ),
}


@pytest.mark.parametrize(("edit", "reason"), EDITS.values(), ids=EDITS)
async def test_the_directory_decides_about_previews(
    world: World, edit: Callable[[dict[str, Any]], None], reason: RefusalReason
) -> None:
    """What ends for the agency ends for its previews; whether there are any is data."""

    def changed(found: dict[str, Any]) -> None:
        widen(found)
        assert found["purposes"][-1]["code"] == SELF_QUERY
        edit(found)

    world.counters[SHANGHAI].charter = charter_of(SHANGHAI, signed_directory(changed))
    assert await refused(world.preview()) is reason


async def test_only_a_good_key_that_may_view_previews(world: World) -> None:
    """As for who asked: no key that may only authorise, and no key of a firm that is gone."""
    await world.counters[SHANGHAI].enrolled(VIEWER, roles=(KeyRole.CONSENT,))
    assert await refused(world.preview(VIEWER)) is C.KEY_ROLE_MISSING
    assert await refused(world.preview(OTHER_KEY)) is R.KEY_NOT_VALID
    world.counters[SHANGHAI].rows[USCC] = {"register": [register(lifecycle="DEREGISTERED")]}
    assert await refused(world.preview()) is C.SUBJECT_NOT_REGISTERED


async def request_of(world: World, **changes: Any) -> Envelope:
    """Write Shanghai's request to Jiangsu, with a preview that the key signed and Shanghai's own desk would refuse."""
    authorising = world.counters[SHANGHAI].authorising
    read = authorising.reading(PreviewReading, signed(preview_reading(**changes), KEY), AGENCY)
    return write_request(read, JIANGSU, SIGNERS[SHANGHAI], NOW)


async def test_each_member_decides_for_itself(world: World) -> None:
    """A home member that passes on what it should refuse, or vouches for another's subject, gets nothing."""
    tracking = world.trackings[JIANGSU]
    for changes, reason in (
        ({"body": about(NamedSubject(uscc=STRANGER))}, R.BAD_SUBJECT),
        ({"agency": BANK, "purpose": "FREE"}, R.AGENCY_NOT_ALLOWED),
        ({"agreement_id": "none"}, R.NO_AGREEMENT),
    ):
        assert await refused(tracking.preview(await request_of(world, **changes), SHANGHAI)) is reason
    assert await refused(tracking.preview(await request_of(world), ANHUI)) is R.BAD_SIGNATURE
    world.counters[JIANGSU].rows[USCC] = {"register": [register(division="320102")]}
    assert await refused(tracking.preview(await request_of(world), SHANGHAI)) is R.KEY_NOT_VALID
    assert rows(world.folder / JIANGSU / "node.db", "SELECT count(*) FROM preview") == [(0,)]


async def test_the_two_readings_never_stand_for_one_another(world: World) -> None:
    """A signature over who asked opens no preview, and the other way round, at the desk and at a member."""
    access, preview = signed(access_reading(), KEY), signed(preview_reading(), KEY)
    assert await refused(world.tracker.preview(access, AGENCY)) is R.WRONG_TYPE
    assert await refused(world.tracker.read(preview, AGENCY)) is R.WRONG_TYPE
    assert await refused(world.trackings[JIANGSU].access(await request_of(world), SHANGHAI)) is R.WRONG_TYPE


async def test_a_member_of_a_suspended_agencys_member_is_told_nothing(world: World) -> None:
    """A suspended member asks nothing, and so nothing is previewed for its agencies."""

    def suspend(found: dict[str, Any]) -> None:
        widen(found)
        next(each for each in found["members"] if each["id"] == JIANGSU)["suspended"] = True

    world.counters[SHANGHAI].charter = charter_of(SHANGHAI, signed_directory(suspend))
    assert await refused(world.preview(agency=BANK)) is R.SUSPENDED


# What the subject's own program believes


FORGED: dict[str, Callable[[PreviewReport], PreviewReport]] = {
    "another subject": lambda report: replace(report, item=replace(report.item, uscc=STRANGER)),
    "more fields": lambda report: replace(report, answer=replace(report.answer, fields_granted=("penalty.amount",))),
    "another member": lambda report: replace(report, member=JIANGSU),
    "another answerer": lambda report: replace(report, answer=replace(report.answer, answerer_member=JIANGSU)),
    "another reading": lambda report: replace(report, reading_digest=bytes(32)),
    "another agreement": lambda report: replace(report, answer=replace(report.answer, agreement_id="ANOTHER")),
    "a running number": lambda report: replace(report, answer=replace(report.answer, pair_sequence=1)),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_member_that_tells_another_thing_counts_as_silent(
    world: World, forge: Callable[[PreviewReport], PreviewReport]
) -> None:
    """What the agency's member would not take as an answer is none here, and its member is named."""
    envelope = signed(preview_reading(), KEY)
    summary, replies = await world.tracker.preview(envelope, AGENCY)
    read = world.counters[SHANGHAI].authorising.reading(PreviewReading, envelope, AGENCY)
    sealed = {each.member: each for each in replies}
    text = carriers.read_sealed_text(OPENER.open(sealed[ANHUI].sealed, context(read.reading, ANHUI)))
    report = wire.decode(PreviewReport, wire.decode(Envelope, text.payload).payload)
    false = seal_report(forge(report), read, SIGNERS[ANHUI])
    changed = AccessReply(reading_digest=read.digest, member=ANHUI, sealed=false)
    found = verify_preview(
        previewed(summary, tuple({**sealed, ANHUI: changed}.values())),
        reading=read.reading, envelope=envelope, opener=OPENER, root=ROOT,
    )  # fmt: skip
    assert outcomes(found) == {**dict.fromkeys(MEMBERS, "ANSWERED"), ANHUI: "UNAVAILABLE NOT_GENUINE"}


async def test_a_summary_must_name_those_whom_the_agency_would_ask(world: World) -> None:
    """One that leaves a member out is not believed, nor an agency that nobody lists; torn bytes show nothing."""
    envelope = signed(preview_reading(), KEY)
    summary, replies = await world.tracker.preview(envelope, AGENCY)
    value = wire.decode(AccessSummary, summary.payload)
    short = signed(replace(value, members=value.members[1:]), SIGNERS[SHANGHAI])
    given: dict[str, Any] = {"envelope": envelope, "opener": OPENER, "root": ROOT}
    with pytest.raises(NotGenuine, match="MEMBERS"):
        verify_preview(previewed(short, replies), reading=preview_reading(), **given)
    with pytest.raises(NotGenuine, match="AGENCY_NOT_ALLOWED"):
        verify_preview(previewed(summary, replies), reading=preview_reading(agency="nobody"), **given)
    with pytest.raises(Unreadable):
        verify_preview(b"\xff", reading=preview_reading(), **given)


async def test_a_preview_carries_no_counts_of_delays(world: World) -> None:
    """A reply with some is none: the band of who asked is told by the other reading alone."""

    async def counted(reply: Envelope) -> Envelope:
        value = wire.decode(AccessReply, reply.payload)
        return write_reply(replace(value, delayed=(DelayedCount(month="2026-01", count=1),)), SIGNERS[ANHUI])

    world.bent[ANHUI] = counted
    assert outcomes(await world.preview())[ANHUI] == "UNAVAILABLE DATA_LOSS"


async def test_what_cannot_be_concluded_shows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where members tell what no rule of the directory brings together, the program ends and shows none of it."""

    def stuck(*_: Any) -> None:
        raise LookupError

    monkeypatch.setattr("gateway.verification.preview.combine", stuck)
    with pytest.raises(NotGenuine, match="SUBJECTS: LookupError"):
        await world.preview()
