"""Who asked about a subject (U28, U29): sealed to it, proved, nothing about others, and no silence that looks clean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import (
    AGENCY,
    NOW,
    OFFICER,
    OFFICERS,
    ROOT,
    SECOND,
    SIGNERS,
    charter_of,
    register,
    signed_directory,
)
from consents import BANK, KEY, OTHER_KEY, STRANGER, VIEWER, attested, revocation, signed, widen
from hands import root_of
from stores import rows
from trackers import (
    CASE,
    MONTH,
    OPENER,
    World,
    access_reading,
    not_now,
    ordered,
    outcomes,
    response,
    verified,
    withheld,
)
from worlds_tables import ANHUI, JIANGSU, MEMBERS, SHANGHAI, USCC, ZHEJIANG

from gateway import wire
from gateway.errors import ConsentRefused, NotDurable, Refused, Unavailable
from gateway.exchange.tracking import ENTRIES, Read, bands, write_reply, write_request
from gateway.model.access import AccessReading, AccessReply, AccessRequest, AccessSummary, DelayedCount, DelayedMonth
from gateway.model.codes import AccessSide, ConsentReason, CountBand, KeyRole, RefusalReason
from gateway.model.ledger import LedgerPrivate
from gateway.tracker import LocalHolder
from gateway.verification import Unreadable
from gateway.verification.access import Proof, lines, verify_access
from gateway.verification.reports import NotGenuine
from keys import seal, suite
from keys.envelope import Envelope, sign

R, C = RefusalReason, ConsentReason
OTHER = "91310115MA1K300011"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Give four members, and the firm's key enrolled at Shanghai."""
    found = World(folder=tmp_path)
    await found.counters[SHANGHAI].enrolled()
    yield found
    found.close()


async def refused(work: Any) -> RefusalReason | ConsentReason:
    """Give the reason for which something is not taken."""
    try:
        await work
    except (Refused, ConsentRefused) as error:
        return error.reason
    raise AssertionError("it was taken")


# What is shown


async def test_a_subject_sees_who_asked_whom_why_and_what_was_told(world: World) -> None:
    """Agency, members, time, purpose, matter, role, fields, outcome and a reference, with proof from the ledgers."""
    asked = await world.ask(JIANGSU, SHANGHAI)
    (line,) = lines([await world.read()])
    entry = line.entry
    assert (line.asker_member, line.answerer_member, entry.agency, entry.time) == (JIANGSU, SHANGHAI, BANK, NOW)
    assert (entry.purpose, entry.application_item, entry.officer_role) == ("procurement", "bid-review", "ask")
    assert (entry.kind, entry.fields, entry.outcome) == ("summary", ("penalty.band",), "ANSWERED")
    assert (line.reference, line.proof) == (f"{SHANGHAI}/{asked.hex()}", Proof.LOGGED)


async def test_every_member_is_named_and_nothing_about_others_shows(world: World) -> None:
    """A question about two subjects shows as one of each's own; one about another shows nowhere."""
    await world.ask(JIANGSU, SHANGHAI, others=(OTHER,))
    await world.ask(JIANGSU, SHANGHAI, code=OTHER)
    found = await world.read()
    assert outcomes(found) == dict.fromkeys(MEMBERS, "ANSWERED")
    assert len(lines([found])) == 1
    assert OTHER not in repr([each.reports for each in (found,)])


async def test_the_months_are_those_that_were_asked_for(world: World) -> None:
    """What was asked in another month is not told."""
    await world.ask()
    assert lines([await world.read(first_month="2026-04")]) == ()


async def test_a_long_list_comes_in_pages_and_none_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report says how many entries found no room; they are read by passing over the others."""
    monkeypatch.setattr("gateway.exchange.tracking.ENTRIES", 2)
    for _ in range(3):
        await world.ask(JIANGSU, SHANGHAI)
    first, second = await world.read(), await world.read(skip=2)
    assert (first.left_out, second.left_out, ENTRIES) == (True, False, 500)
    assert [first.reports[SHANGHAI].left_out, len(lines([first, second]))] == [1, 3]


async def test_a_subject_sees_its_keys_and_authorisations_from_its_home_alone(world: World) -> None:
    """A key that somebody else had enrolled is there to be seen by every other one (U28), and so is a withdrawal."""
    counter = world.counters[SHANGHAI]
    await counter.given()
    await counter.enrolled(OTHER_KEY, roles=(KeyRole.VIEW,))
    found = await world.read()
    home = found.reports[SHANGHAI]
    assert [each.key_id for each in home.keys] == [KEY.id, OTHER_KEY.id]
    assert [each.consent.agency for each in home.authorisations] == [AGENCY]
    assert {(each.keys, each.authorisations) for name, each in found.reports.items() if name != SHANGHAI} == {((), ())}


# Silence


@pytest.mark.parametrize(
    ("bend", "told"), [(withheld, "UNAVAILABLE DEADLINE_EXCEEDED"), (not_now, "REFUSED OVERLOADED")]
)
async def test_a_silent_member_is_named_as_silent(world: World, bend: Any, told: str) -> None:
    """Nobody asked, as far as is known, and one member is not known: that is said."""
    world.bent[ANHUI] = bend
    world.gone.add(ZHEJIANG)
    found = await world.read()
    heard = {SHANGHAI: "ANSWERED", JIANGSU: "ANSWERED", ANHUI: told, ZHEJIANG: "UNAVAILABLE NO_ENDPOINT"}
    assert (outcomes(found), found.complete, lines([found])) == (heard, False, ())
    events = [(each.peer, each.outcome) for each in world.counters[SHANGHAI].events if each.side == "access"]
    assert set(events) == {(member, told.split()[0]) for member, told in heard.items()}


FORGED: dict[str, Callable[[Envelope], Envelope]] = {
    "signed by another member": lambda reply: sign(reply.payload_type, reply.payload, SIGNERS[JIANGSU]),
    "another payload type": lambda reply: sign("t", reply.payload, SIGNERS[ANHUI]),
    "another member's": lambda reply: _replied(reply, member=JIANGSU),
    "to another reading": lambda reply: _replied(reply, reading_digest=bytes(32)),
    "garbage": lambda reply: sign(reply.payload_type, b"\xff", SIGNERS[ANHUI]),
}


def _replied(reply: Envelope, **changes: Any) -> Envelope:
    return write_reply(replace(wire.decode(AccessReply, reply.payload), **changes), SIGNERS[ANHUI])


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
async def test_a_reply_that_does_not_verify_is_silence(world: World, change: Callable[[Envelope], Envelope]) -> None:
    """The home member counts what another key signed, or what answers another reading, as nothing."""

    async def forge(reply: Envelope) -> Envelope:
        return change(reply)

    world.bent[ANHUI] = forge
    assert outcomes(await world.read())[ANHUI] == "UNAVAILABLE DATA_LOSS"


async def test_ones_own_node_is_asked_as_any_other() -> None:
    """A node that is not ready in time is as silent to itself as to others, and takes a delay likewise."""
    taken: list[str] = []

    class Own:
        async def access(self, request: Envelope, peer: str) -> Envelope:
            del request, peer
            await asyncio.Event().wait()
            raise AssertionError

        async def take_delay(self, order: Envelope, peer: str) -> None:
            del order
            taken.append(peer)

    own: Any = Own()
    holder = LocalHolder(own, SHANGHAI)
    with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
        await holder.access(ordered(), 0.001)
    await holder.delay(ordered(), 1)
    assert taken == [SHANGHAI]


# The home member's own desk


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"home_member": JIANGSU}, R.WRONG_AUDIENCE),
        ({"read_time": NOW - timedelta(seconds=301)}, R.EXPIRED),
        ({"reading_id": b"x"}, R.MALFORMED),
        ({"first_month": "2026-13"}, R.MALFORMED),
        ({"first_month": "2027-01"}, R.MALFORMED),
        ({"first_month": "2016-01"}, R.MALFORMED),
        ({"sealing_key": bytes(32)}, R.KEY_NOT_VALID),
        ({"suite": "YRDX-NONE"}, R.KEY_NOT_VALID),
        ({"uscc": STRANGER}, R.BAD_SIGNATURE),
    ],
)
async def test_a_reading_that_is_not_in_order_is_refused(
    world: World, changes: dict[str, Any], reason: RefusalReason
) -> None:
    """Nobody is asked for it."""
    envelope = signed(access_reading(**changes), KEY)
    assert await refused(world.tracker.read(envelope, AGENCY)) is reason
    assert all(not each.events for each in world.counters.values())


async def test_only_a_key_that_may_view_reads(world: World) -> None:
    """A key that may only authorise reads nothing, an ended one nothing, an officer nothing, nor a licence by a node's
    own word.
    """
    counter = world.counters[SHANGHAI]
    await counter.enrolled(VIEWER, roles=(KeyRole.CONSENT,))
    reading = access_reading()
    assert await refused(world.tracker.read(signed(reading, VIEWER), AGENCY)) is C.KEY_ROLE_MISSING
    assert await refused(world.tracker.read(signed(reading, OFFICERS[OFFICER]), AGENCY)) is R.KEY_NOT_VALID
    counter.seals = lambda _: USCC
    licence = suite.signer(bytes(32), owner="licence")
    worker = counter.worker()
    with pytest.raises(Refused, match="KEY_NOT_VALID"):
        worker.reading(AccessReading, signed(reading, KEY, licence), AGENCY)
    with pytest.raises(Refused, match="KEY_NOT_VALID"):
        worker.reading(AccessReading, signed(reading, licence), AGENCY)
    await counter.authorising.revoke(signed(revocation(), KEY), AGENCY)
    assert await refused(world.tracker.read(signed(reading, KEY), AGENCY)) is R.KEY_NOT_VALID


async def test_keys_end_with_the_deregistration(world: World) -> None:
    """Once the register shows the firm gone, its keys read nothing (U28)."""
    world.counters[SHANGHAI].rows[USCC] = {"register": [register(lifecycle="DEREGISTERED")]}
    assert await refused(world.read()) is C.SUBJECT_NOT_REGISTERED


# Between members


async def read_of(world: World, **changes: Any) -> Read[AccessReading]:
    """Give a reading as the home member has verified it."""
    return world.counters[SHANGHAI].authorising.reading(AccessReading, signed(access_reading(**changes), KEY), AGENCY)


async def requested(world: World, *, by: str = SHANGHAI, **changes: Any) -> Envelope:
    """Write the home member's request to Jiangsu."""
    read = await read_of(world)
    request = wire.decode(AccessRequest, write_request(read, JIANGSU, SIGNERS[SHANGHAI], NOW).payload)
    return signed(replace(request, **changes), SIGNERS[by])


@pytest.mark.parametrize(
    ("changes", "by", "peer", "reason"),
    [
        ({"answerer_member": ANHUI}, SHANGHAI, SHANGHAI, R.WRONG_AUDIENCE),
        ({"ask_time": NOW - timedelta(seconds=91)}, SHANGHAI, SHANGHAI, R.EXPIRED),
        ({"asker_member": ZHEJIANG}, SHANGHAI, SHANGHAI, R.BAD_SIGNATURE),
        ({"asker_member": ZHEJIANG}, ZHEJIANG, ZHEJIANG, R.WRONG_AUDIENCE),
        ({}, SHANGHAI, ZHEJIANG, R.BAD_SIGNATURE),
        ({"public": OTHER_KEY.public}, SHANGHAI, SHANGHAI, R.KEY_NOT_VALID),
        ({"public": bytes(32)}, SHANGHAI, SHANGHAI, R.MALFORMED),
        ({"reading": signed(access_reading(uscc="x"), KEY)}, SHANGHAI, SHANGHAI, R.BAD_SUBJECT),
        ({"reading": signed(access_reading(read_time=NOW - MONTH), KEY)}, SHANGHAI, SHANGHAI, R.EXPIRED),
    ],
)
async def test_a_member_answers_the_home_for_its_own_subject_alone(
    world: World, changes: dict[str, Any], by: str, peer: str, reason: RefusalReason
) -> None:
    """Who asks, for whom, whose key and when: each is refused by name, and nothing is noted."""
    request = await requested(world, by=by, **changes)
    assert await refused(world.trackings[JIANGSU].access(request, peer)) is reason
    assert rows(world.folder / JIANGSU / "node.db", "SELECT count(*) FROM ledger_entry") == [(0,)]


async def test_nobody_else_vouches_for_a_subject_of_the_members_own_register(world: World) -> None:
    """A node that makes itself the home of another's subject learns nothing where the register can tell."""
    world.counters[JIANGSU].rows[USCC] = {"register": [register(division="320102")]}
    assert await refused(world.trackings[JIANGSU].access(await requested(world), SHANGHAI)) is R.KEY_NOT_VALID


async def test_a_reading_stands_in_the_ledger_before_anything_leaves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each member enters who read on whose behalf, naming no subject; without an entry nothing leaves."""
    await world.read()
    (told,) = acts(world, JIANGSU)
    assert (told.act, told.agency, USCC in repr(told)) == ("ACCESS", SHANGHAI, False)

    async def broken(*_: Any) -> None:
        raise NotDurable("no")

    monkeypatch.setattr(type(world.counters[JIANGSU].store.accesses), "note", broken)
    assert await refused(world.trackings[JIANGSU].access(await requested(world), SHANGHAI)) is R.NOT_DURABLE


async def test_no_node_on_the_way_reads_a_report(world: World) -> None:
    """What the home member passes on names neither agency nor question; its size is that of a class (threat 14)."""
    await world.ask(JIANGSU, SHANGHAI)
    _, replies = await world.tracker.read(signed(access_reading(), KEY), AGENCY)
    assert len({len(each.sealed) for each in replies if each.member != SHANGHAI}) == 1
    assert all(BANK.encode() not in each.sealed and USCC.encode() not in each.sealed for each in replies)
    stranger = seal.opener(bytes(32), owner="subject")
    envelope = signed(access_reading(), KEY)
    summary, replies = await world.tracker.read(envelope, AGENCY)
    found = verify_access(
        response(summary, replies),
        reading=access_reading(),
        digest=envelope.digest(),
        opener=stranger,
        root=ROOT,
    )
    assert set(outcomes(found).values()) == {"UNAVAILABLE NOT_GENUINE"}


async def test_an_enrolment_stands_in_the_ledger_once(world: World) -> None:
    """Who approved it is entered with the key, the subject is not named, and the same envelope again enters nothing."""
    await world.counters[SHANGHAI].enrolled()
    (told,) = acts(world, SHANGHAI)
    assert (told.act, told.officer, told.agency) == ("ENROLMENT", SECOND, AGENCY)
    assert USCC not in repr(told)


async def test_the_end_of_a_key_stands_in_the_ledger_once(world: World) -> None:
    """A key that ends itself names no officer; two officers are named by who approved; what has ended ends no more."""
    authorising = world.counters[SHANGHAI].authorising
    await world.counters[SHANGHAI].enrolled(OTHER_KEY)
    for envelope in (signed(revocation(), KEY), attested(revocation()), attested(revocation(OTHER_KEY))):
        await authorising.revoke(envelope, AGENCY)
    ends = [each for each in acts(world, SHANGHAI) if each.act == "KEY_REVOCATION"]
    assert [(each.role, each.officer, each.agency) for each in ends] == [
        ("subject", "", ""),
        ("approve", SECOND, AGENCY),
    ]
    assert USCC not in repr(ends)


def acts(world: World, member: str) -> list[LedgerPrivate]:
    """Give the private parts of a member's ledger."""
    found = rows(world.folder / member / "node.db", "SELECT private FROM ledger_entry ORDER BY seq")
    return [wire.decode(LedgerPrivate, private) for (private,) in found]


# What the subject's own program believes


async def sent(world: World) -> tuple[Envelope, Envelope, tuple[AccessReply, ...]]:
    """Give a signed reading and what the desk sends for it."""
    envelope = signed(access_reading(), KEY)
    return (envelope, *await world.tracker.read(envelope, AGENCY))


def resigned(summary: Envelope, by: str = SHANGHAI, **changes: Any) -> Envelope:
    """Sign a summary again, changed."""
    return signed(replace(wire.decode(AccessSummary, summary.payload), **changes), SIGNERS[by])


async def test_a_summary_that_hides_a_member_is_not_believed(world: World) -> None:
    """Who is left out would look as if it held nothing; a summary of another reading or signer is none."""
    envelope, summary, replies = await sent(world)
    members = wire.decode(AccessSummary, summary.payload).members
    for false, check in (
        (resigned(summary, members=members[1:]), "MEMBERS"),
        (resigned(summary, members=(*members[1:], members[1])), "MEMBERS"),
        (resigned(summary, reading_digest=bytes(32)), "BINDING"),
        (resigned(summary, JIANGSU), "KEY"),
        (sign("t", summary.payload, SIGNERS[SHANGHAI]), "SIGNATURE"),
    ):
        with pytest.raises(NotGenuine, match=check):
            verified(false, replies, access_reading(), envelope)


async def test_what_is_no_response_is_unreadable(world: World) -> None:
    """Torn bytes, and a bundle under another root, show nothing."""
    envelope, summary, replies = await sent(world)
    given: dict[str, Any] = {"reading": access_reading(), "digest": envelope.digest(), "opener": OPENER}
    with pytest.raises(Unreadable):
        verify_access(b"\xff", root=ROOT, **given)
    with pytest.raises(NotGenuine, match="SIGNATURE"):
        verify_access(response(summary, replies), root=root_of(MEMBERS, "another"), **given)


async def test_a_report_that_fails_leaves_its_member_unknown(world: World) -> None:
    """A report changed on the way, put in another's place or left out tells nothing of its member."""
    await world.ask(JIANGSU, SHANGHAI)
    envelope, summary, replies = await sent(world)
    shanghai, jiangsu, *others = replies
    torn = replace(shanghai, sealed=shanghai.sealed[:-1] + bytes([shanghai.sealed[-1] ^ 1]))
    swapped = (replace(shanghai, sealed=jiangsu.sealed), replace(jiangsu, sealed=shanghai.sealed))
    for changed, unknown in (
        ((torn, jiangsu, *others), {SHANGHAI}),
        ((*swapped, *others), {SHANGHAI, JIANGSU}),
        ((shanghai, *others), {JIANGSU}),
    ):
        found = verified(summary, changed, access_reading(), envelope)
        assert {name for name, told in outcomes(found).items() if told != "ANSWERED"} == unknown


async def test_a_proof_is_of_this_very_entry(world: World) -> None:
    """An entry with the event of another question, of other members, or of no exchange at all is marked as failing."""
    await world.ask(JIANGSU, SHANGHAI)
    await world.ask(ZHEJIANG, SHANGHAI)
    await world.ask(SHANGHAI, JIANGSU)
    found = await world.read()
    report = found.reports[SHANGHAI]
    first, second, third = report.entries

    def proof(**changes: Any) -> Proof:
        changed = replace(report, entries=(replace(first, **changes),))
        return lines([replace(found, reports={SHANGHAI: changed})])[0].proof

    assert (proof(), proof(receipt=None)) == (Proof.LOGGED, Proof.NONE)
    assert proof(event=second.event) is Proof.FAILED
    assert proof(event=second.event, receipt=second.receipt) is Proof.FAILED
    assert proof(event=third.event, receipt=third.receipt) is Proof.FAILED
    assert proof(event=b"\xff") is Proof.FAILED
    assert proof(side=AccessSide.ASKED) is Proof.FAILED


# Delays


async def test_a_delayed_question_shows_as_a_band_of_a_closed_month_alone(world: World) -> None:
    """Before the month has closed nothing tells of it; then a band without member; after the end the entry (U29)."""
    await world.open_case()
    taken = await world.tracker.order_delay(ordered(until_date="2026-05-01"), AGENCY)
    assert outcomes(taken) == dict.fromkeys(MEMBERS, "ANSWERED")
    await world.ask(SHANGHAI, JIANGSU, case_reference=CASE)
    await world.ask(SHANGHAI, ANHUI, case_reference=CASE)
    during = await world.read()
    assert (lines([during]), during.delayed) == ((), ())
    world.at(NOW + MONTH)
    closed = await world.read()
    assert (lines([closed]), closed.delayed) == ((), (DelayedMonth(month="2026-03", band=CountBand.TWO_TO_FOUR),))
    world.at(NOW + 2 * MONTH)
    after = await world.read()
    assert (len(lines([after])), after.delayed) == (2, ())


async def test_a_delay_holds_for_its_case_and_for_what_comes_after_it(world: World) -> None:
    """What was shown is shown still; another case and another agency's are not delayed."""
    await world.open_case()
    before = await world.ask(SHANGHAI, JIANGSU, case_reference=CASE)
    world.at(NOW + timedelta(seconds=1))
    await world.tracker.order_delay(ordered(), AGENCY)
    await world.ask(SHANGHAI, JIANGSU, case_reference=CASE)
    other = await world.ask(SHANGHAI, JIANGSU, case_reference="case-8")
    third = await world.ask(JIANGSU, SHANGHAI, case_reference=CASE)
    assert {each.entry.question_id for each in lines([await world.read()])} == {before, other, third}


async def test_an_extension_keeps_what_the_subject_has_not_seen(world: World) -> None:
    """A further order goes on from the first; one after its end begins anew."""
    await world.open_case()
    await world.tracker.order_delay(ordered(until_date="2026-04-10"), AGENCY)
    await world.ask(SHANGHAI, JIANGSU, case_reference=CASE)
    world.at(NOW + timedelta(days=20))
    again = ordered(delay_id=b"2" * 16, order_time=world.now, until_date="2026-05-01")
    await world.tracker.order_delay(again, AGENCY)
    world.at(NOW + MONTH)
    assert lines([await world.read()]) == ()
    world.at(NOW + 2 * MONTH)
    late = ordered(delay_id=b"3" * 16, order_time=world.now, until_date="2026-06-01")
    await world.tracker.order_delay(late, AGENCY)
    assert len(lines([await world.read()])) == 1


async def test_a_delay_stands_in_every_ledger_once(world: World) -> None:
    """The same order again changes nothing; another one under its id is refused; the entry names who approved."""
    await world.open_case()
    for _ in range(2):
        await world.tracker.order_delay(ordered(), AGENCY)
    for member in MEMBERS:
        (told,) = [each for each in acts(world, member) if each.act == "DELAY"]
        assert (told.officer, told.agency, told.role) == (SECOND, AGENCY, "approve")
    assert await refused(world.tracker.order_delay(ordered(ground="another"), AGENCY)) is R.REPLAYED


async def test_who_has_not_taken_a_delay_is_named(world: World) -> None:
    """The officers are told where it does not hold: there it would be shown at once."""
    await world.open_case()
    world.bent[ANHUI] = withheld
    taken = outcomes(await world.tracker.order_delay(ordered(), AGENCY))
    assert taken == {**dict.fromkeys(MEMBERS, "ANSWERED"), ANHUI: "UNAVAILABLE UNAVAILABLE"}


@pytest.mark.parametrize(
    ("changes", "signers", "reason"),
    [
        ({"approving_officer": ""}, (OFFICERS[OFFICER],), R.SECOND_OFFICER_NEEDED),
        ({"approving_officer": OFFICER}, (OFFICERS[OFFICER],), R.SECOND_OFFICER_NEEDED),
        ({}, (OFFICERS[OFFICER],), R.SECOND_OFFICER_NEEDED),
        ({"delay_id": b"x"}, (), R.MALFORMED),
        ({"ground": ""}, (), R.MALFORMED),
        ({"ground": "x" * 201}, (), R.MALFORMED),
        ({"case_reference": ""}, (), R.CASE_MISSING),
        ({"case_reference": "another"}, (), R.CASE_MISSING),
        ({"until_date": "soon"}, (), R.MALFORMED),
        ({"until_date": "2026-03-01"}, (), R.EXPIRED),
        ({"until_date": "2027-03-01"}, (), R.EXPIRED),
        ({"order_time": NOW - MONTH}, (), R.EXPIRED),
        ({"agency": BANK}, (), R.AGENCY_NOT_ALLOWED),
    ],
)
async def test_a_delay_wants_two_officers_a_case_a_ground_and_an_end(
    world: World, changes: dict[str, Any], signers: tuple[suite.Signer, ...], reason: RefusalReason
) -> None:
    """What lacks one of them holds nowhere."""
    await world.open_case()
    assert await refused(world.tracker.order_delay(ordered(*signers, **changes), AGENCY)) is reason
    assert rows(world.folder / SHANGHAI / "node.db", "SELECT count(*) FROM access_delay") == [(0,)]


async def test_a_delay_is_begun_by_an_officer_who_may_ask(world: World) -> None:
    """Two who may only approve hide nothing."""

    def only_approve(document: dict[str, Any]) -> None:
        widen(document)
        for officer in document["members"][0]["officers"]:
            officer["roles"] = [each for each in officer["roles"] if each["role"] == "approve"]

    await world.open_case()
    world.counters[SHANGHAI].charter = charter_of(SHANGHAI, signed_directory(only_approve))
    swapped = ordered(officer=SECOND, approving_officer=OFFICER)
    assert await refused(world.tracker.order_delay(swapped, AGENCY)) is R.AGENCY_NOT_ALLOWED


@pytest.mark.parametrize("agency", [BANK, "nobody"])
async def test_a_member_passes_on_delays_of_its_own_agencies_alone(world: World, agency: str) -> None:
    """No member hides what another's agency asked."""
    work = world.trackings[ANHUI].take_delay(ordered(agency=agency), SHANGHAI)
    assert await refused(work) is R.AGENCY_NOT_ALLOWED


async def test_a_store_that_fails_takes_no_delay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused, so that the officers are told."""

    async def broken(*_: Any) -> None:
        raise NotDurable("no")

    monkeypatch.setattr(type(world.counters[ANHUI].store.accesses), "delay", broken)
    assert await refused(world.trackings[ANHUI].take_delay(ordered(), SHANGHAI)) is R.NOT_DURABLE


@pytest.mark.parametrize(
    "delayed",
    [
        (DelayedCount(month="2026-03", count=1),),
        (DelayedCount(month="2025-12", count=1),),
        (DelayedCount(month="soon", count=1),),
        (DelayedCount(month="2026-01", count=0),),
        (DelayedCount(month="2026-01", count=1), DelayedCount(month="2026-01", count=1)),
    ],
)
async def test_a_member_cannot_tell_what_is_under_way(world: World, delayed: tuple[DelayedCount, ...]) -> None:
    """Counts of a month that has not closed, that was not asked for, or twice of one make the reply none."""

    async def count(reply: Envelope) -> Envelope:
        held = replace(wire.decode(AccessReply, reply.payload), delayed=delayed)
        return write_reply(held, SIGNERS[ANHUI])

    world.bent[ANHUI] = count
    found = await world.read()
    assert (outcomes(found)[ANHUI], found.delayed) == ("UNAVAILABLE DATA_LOSS", ())


def test_bands_add_up_over_members_and_name_none() -> None:
    """Two members' counts of one month are one band."""

    def reply(*delayed: DelayedCount) -> AccessReply:
        return AccessReply(reading_digest=b"", member=ANHUI, sealed=b"", delayed=delayed)

    one, two = DelayedCount(month="2026-02", count=3), DelayedCount(month="2026-01", count=1)
    assert bands([reply(one, two), reply(one)]) == (
        DelayedMonth(month="2026-01", band=CountBand.ONE),
        DelayedMonth(month="2026-02", band=CountBand.FIVE_TO_NINE),
    )
