"""Statuses of authorisations by their home member: who may have one, for what, how often, and for how long it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import AGENCY, NOW, SIGNERS, charter_of, intent_of, plot, register, signed_directory
from consents import (
    BANK,
    IDENTITY,
    STRANGER,
    Counter,
    by_key,
    charter,
    requested,
    signed,
    status_request,
    torn,
    widen,
    withdrawal,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_authorisation import GOOD, found, vouched
from test_authorising import refused
from worlds_tables import AGREEMENT, JIANGSU, SHANGHAI, USCC, ZHEJIANG

from gateway import wire
from gateway.authorisation import covered
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.vouching import REQUEST_BYTES, TYPE
from gateway.model.codes import AuthorisationStatus, RefusalReason
from gateway.model.consent import AskedQuestion
from gateway.model.question import Authorisation
from keys.envelope import Envelope, sign

R = RefusalReason
TICK = timedelta(microseconds=1)
AGE = 60
QUESTIONS = status_request().questions


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """Give Shanghai's counter."""
    found = Counter(folder=tmp_path)
    yield found
    found.store.close()


async def given_to_bank(counter: Counter, **changes: Any) -> None:
    """Enrol the key and give Jiangsu's bank an authorisation."""
    if not counter.store.consents.keys(USCC):
        await counter.enrolled()
    await counter.given(**{"agency": BANK, **changes})


async def told(counter: Counter, envelope: Envelope | None = None, *, peer: str = JIANGSU) -> list[Authorisation]:
    """Ask for statuses and read them; each is signed by the home member."""
    found = await counter.authorising.statuses(envelope or requested(), peer)
    assert all(each.signatures[0].key_id == SIGNERS[SHANGHAI].id for each in found)
    return [wire.decode(Authorisation, each.payload) for each in found]


async def test_a_status_says_what_was_given_for_these_questions(counter: Counter) -> None:
    """Everything that the subject gave stands in it, with the time of the look and the questions at hand."""
    await given_to_bank(counter)
    (status,) = await told(counter)
    consent = counter.store.consents.consents(USCC)[0].consent
    assert all(getattr(status, name) == getattr(consent, name) for name in (
        "authorisation_id", "uscc", "agency", "purposes", "kinds", "members", "use_limit", "text_version",
        "home_member", "valid_from_time", "valid_until_time", "signature_class",
    ))  # fmt: skip
    assert (status.status, status.status_time) == (AuthorisationStatus.IN_FORCE, NOW)
    assert status.question_ids == (b"1" * 16, b"2" * 16)
    assert [(each.peer, each.outcome) for each in counter.events] == [(JIANGSU, "ANSWERED")]


NOT_COVERED: dict[str, dict[str, Any]] = {
    "another agency": {"agency": AGENCY},
    "another kind": {"kinds": ("rating",)},
    "another answerer": {"members": (SHANGHAI, ZHEJIANG)},
    "not yet": {"valid_from_time": NOW + TICK},
}


@pytest.mark.parametrize("name", NOT_COVERED)
async def test_nothing_is_said_of_what_does_not_cover(counter: Counter, name: str) -> None:
    """Another agency, kind or answerer, and what has not begun: there is no status, as where nothing was given."""
    await given_to_bank(counter, **NOT_COVERED[name])
    assert await told(counter) == []


async def test_a_boundary_has_one_side(counter: Counter) -> None:
    """The first instant of an authorisation is in it, its last is not."""
    await given_to_bank(counter, valid_from_time=NOW, valid_until_time=NOW + timedelta(seconds=20))
    found = []
    for moment in (NOW, NOW + timedelta(seconds=20) - TICK, NOW + timedelta(seconds=20)):
        counter.now = moment
        found.append(len(await told(counter)))
    assert found == [1, 1, 0]


@pytest.mark.parametrize("row", [{"lifecycle": "DEREGISTERED"}, {"division": "320102"}], ids=str)
async def test_an_authorisation_ends_with_the_registration(counter: Counter, row: dict[str, Any]) -> None:
    """A subject that is no longer in business, or no longer of this area, is vouched for by nobody here."""
    await given_to_bank(counter)
    counter.source.rows = {USCC: {"register": [register(**row)]}}
    assert await told(counter) == []
    assert [counter.authorising.is_home_of(each) for each in (USCC, STRANGER)] == [False, False]


async def test_the_authorisations_that_are_named_are_meant(counter: Counter) -> None:
    """A named one is used though another covers too; an unknown name is none."""
    await given_to_bank(counter)
    await given_to_bank(counter, authorisation_id=b"2" * 16)
    for ids, used in (((b"2" * 16,), [b"2" * 16]), ((bytes(16),), []), ((), [IDENTITY])):
        envelope = requested(authorisation_ids=ids, use_id=(ids or (IDENTITY,))[0])
        assert [each.authorisation_id for each in await told(counter, envelope)] == used


Make = Callable[[], Envelope]


def asking(**changes: Any) -> Make:
    """Give a request of which one thing is another."""
    return lambda: requested(**changes)


QUESTION = QUESTIONS[0]
REQUESTS: dict[str, tuple[Make, RefusalReason]] = {
    "of another member's agency": (asking(agency=AGENCY), R.AGENCY_NOT_ALLOWED),
    "of an unknown agency": (asking(agency="nobody"), R.AGENCY_NOT_ALLOWED),
    "in another member's name": (lambda: requested(by=ZHEJIANG), R.BAD_SIGNATURE),
    "by two members": (lambda: signed(status_request(), SIGNERS[JIANGSU], SIGNERS[ZHEJIANG]), R.BAD_SIGNATURE),
    "for another home": (asking(home_member=ZHEJIANG), R.WRONG_AUDIENCE),
    "for a purpose that is unknown": (asking(purpose="NONE"), R.PURPOSE_NOT_ALLOWED),
    "for a purpose of others": (asking(purpose="FREE"), R.AGENCY_NOT_ALLOWED),
    "for an unknown kind": (asking(kind="none"), R.PURPOSE_NOT_ALLOWED),
    "too old": (asking(ask_time=NOW - timedelta(seconds=90) - TICK), R.EXPIRED),
    "from the future": (asking(ask_time=NOW + timedelta(seconds=30) + TICK), R.EXPIRED),
    "of no subject": (asking(subjects=()), R.MALFORMED),
    "of a subject twice": (asking(subjects=(USCC, USCC)), R.MALFORMED),
    "of too many subjects": (asking(subjects=tuple(map(str, range(101)))), R.TOO_LARGE),
    "of too many authorisations": (asking(authorisation_ids=(IDENTITY,) * 101), R.TOO_LARGE),
    "for no question": (asking(questions=()), R.MALFORMED),
    "for two questions to one member": (
        asking(questions=(QUESTION, replace(QUESTION, question_id=b"3" * 16))), R.MALFORMED,
    ),
    "for too many questions": (
        asking(questions=tuple(AskedQuestion(answerer_member=str(each), question_id=b"q") for each in range(1_001))),
        R.TOO_LARGE,
    ),
    "a question without an id": (asking(questions=(replace(QUESTION, question_id=b""),)), R.MALFORMED),
    "a use without an id": (asking(use_id=b"u"), R.MALFORMED),
    "an authorisation without an id": (asking(authorisation_ids=(b"i",)), R.MALFORMED),
    "changed after signing": (lambda: torn(requested()), R.BAD_SIGNATURE),
    "another payload type": (lambda: sign("t", wire.encode(status_request()), SIGNERS[JIANGSU]), R.WRONG_TYPE),
    "an unknown field": (
        lambda: sign(TYPE, wire.encode(status_request()) + b"\xf2\x7d\x01x", SIGNERS[JIANGSU]), R.MALFORMED,
    ),
    "hostile size": (lambda: sign(TYPE, b"x" * (REQUEST_BYTES + 1), SIGNERS[JIANGSU]), R.TOO_LARGE),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_that_is_not_good_is_refused_and_takes_nothing(counter: Counter, name: str) -> None:
    """Only the member of the agency learns of an authorisation, for itself, now; no use is taken by another."""
    await given_to_bank(counter, use_limit=1)
    make, reason = REQUESTS[name]
    assert await refused(counter.authorising.statuses(make(), JIANGSU)) is reason
    assert counter.store.consents.consents(USCC)[0].use_count == 0
    assert counter.events[-1].reason == reason.value


async def test_a_request_comes_from_its_signer(counter: Counter) -> None:
    """What another member carries, or a member that is suspended asks, is refused."""
    assert await refused(counter.authorising.statuses(requested(), ZHEJIANG)) is R.BAD_SIGNATURE
    standings: list[tuple[Callable[[dict[str, Any]], Any], RefusalReason]] = [
        (lambda jiangsu: jiangsu.update(suspended=True), R.SUSPENDED),
        (lambda jiangsu: jiangsu["agencies"][0].update(suspended=True), R.SUSPENDED),
        (lambda jiangsu: jiangsu["agencies"][0].update(active_until="2026-03-10"), R.AGENCY_NOT_ALLOWED),
    ]
    for change, reason in standings:

        def edit(document: dict[str, Any], change: Callable[[dict[str, Any]], Any] = change) -> None:
            widen(document)
            change(next(each for each in document["members"] if each["id"] == JIANGSU))

        counter.charter = charter_of(SHANGHAI, signed_directory(edit))
        assert await refused(counter.authorising.statuses(requested(), JIANGSU)) is reason


FILING = {
    "number": "SAMPLE-1", "authority": {"zh": "示例", "en": "Sample"}, "from": "2025-01-01", "until": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "row", "may"),
    [
        ({}, {"filing": FILING}, True),
        ({}, {"filing": None}, False),
        ({}, {"filing": {**FILING, "until": "2026-03-10"}}, False),
        ({"purposes": ["FREE"]}, {"filing": FILING}, False),
        ({"valid_until": "2026-03-10"}, {"filing": FILING}, False),
    ],
    ids=["filed", "unfiled", "filing ended", "another purpose", "no rule any more"],
)
async def test_a_bureau_learns_and_spends_only_what_its_sort_and_filing_allow(
    counter: Counter, rule: dict[str, Any], row: dict[str, Any], *, may: bool
) -> None:
    """A credit bureau that may not ask gets no status and takes no use of its subject's authorisation (A77, A78)."""
    await given_to_bank(counter, use_limit=1)

    def edit(document: dict[str, Any]) -> None:
        widen(document)
        jiangsu = next(each for each in document["members"] if each["id"] == JIANGSU)
        jiangsu["agencies"][0].update(sort="credit_bureau", **row)
        usual = {"sort": "credit_bureau", "purposes": ["*"], "filed": True, "valid_from": "2025-01-01"}
        document["participants"] = [{**usual, **rule}]

    counter.charter = charter_of(SHANGHAI, signed_directory(edit))
    if may:
        assert len(await told(counter)) == 1
    else:
        assert await refused(counter.authorising.statuses(requested(), JIANGSU)) is R.AGENCY_NOT_ALLOWED
    assert counter.store.consents.consents(USCC)[0].use_count == may


async def test_a_stale_directory_and_a_full_house_vouch_for_nobody(counter: Counter) -> None:
    """Past the directory's time, and beyond the questions in work, there is no status."""
    counter.charter = charter(limits={"in_flight": 1})
    waiting = asyncio.ensure_future(counter.authorising.statuses(requested(), JIANGSU))
    counter.authorising._asked = 1
    assert await refused(counter.authorising.statuses(requested(), JIANGSU)) is R.OVERLOADED
    counter.authorising._asked = 0
    assert await waiting == ()
    counter.now = counter.charter.directory.close_time
    assert await refused(counter.authorising.statuses(requested(ask_time=counter.now), JIANGSU)) is R.STALE_BUNDLE


# Uses


async def test_a_use_is_one_asking_however_often_it_is_sent(counter: Counter) -> None:
    """The same request again takes nothing; another one takes the next use, until there is none."""
    await given_to_bank(counter, use_limit=2)
    used = [len(await told(counter, requested(use_id=use * 16))) for use in (b"a", b"a", b"b", b"b", b"c", b"a")]
    assert used == [1, 1, 1, 1, 0, 1]
    assert counter.store.consents.consents(USCC)[0].use_count == 2


async def test_a_use_is_bound_to_its_questions(counter: Counter) -> None:
    """Other questions under the same use are refused the status: one use serves no second asking (threat 5)."""
    await given_to_bank(counter, use_limit=5)
    assert len(await told(counter)) == 1
    other = (replace(QUESTION, question_id=b"9" * 16),)
    assert await told(counter, requested(questions=other)) == []
    assert counter.store.consents.consents(USCC)[0].use_count == 1


async def test_a_standing_one_is_used_before_a_limited_one(counter: Counter) -> None:
    """Where several cover, the one that costs nothing is used, then the one that ends soonest."""
    later = {"valid_until_time": NOW + timedelta(days=60)}
    await given_to_bank(counter, authorisation_id=b"1" * 16, use_limit=1, **later)
    await given_to_bank(counter, authorisation_id=b"2" * 16, use_limit=1)
    await given_to_bank(counter, authorisation_id=b"3" * 16, **later)
    found = []
    for use in (b"a", b"b", b"c"):
        found += [each.authorisation_id[:1] for each in await told(counter, requested(use_id=use * 16))]
        if use == b"a":
            await counter.authorising.withdraw(by_key(withdrawal(authorisation_id=b"3" * 16)), AGENCY)
    assert found == [b"3", b"2", b"1"]


async def test_a_withdrawn_one_is_used_no_more(counter: Counter) -> None:
    """After a withdrawal there is no status, not even again for a use that was taken before."""
    await given_to_bank(counter, use_limit=2)
    assert len(await told(counter)) == 1
    await counter.authorising.withdraw(by_key(withdrawal()), AGENCY)
    assert await told(counter) == []
    assert not await counter.store.consents.take(IDENTITY, b"u" * 16, b"d", NOW)
    assert not await counter.store.consents.take(bytes(16), b"u" * 16, b"d", NOW)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 5), st.lists(st.integers(0, 6), max_size=14))
def test_workers_never_take_more_than_was_given(
    tmp_path_factory: pytest.TempPathFactory, limit: int, uses: Any
) -> None:
    """Whatever order requests of several workers come in, at most as many askings as the limit get a status."""

    async def run() -> None:
        counter = Counter(folder=tmp_path_factory.mktemp("uses"))
        other = Counter(folder=counter.folder)
        await given_to_bank(counter, use_limit=limit)
        work = [
            (counter, other)[number % 2].authorising.statuses(requested(use_id=bytes([use]) * 16), JIANGSU)
            for number, use in enumerate(uses)
        ]
        found = await asyncio.gather(*work)
        served = {use for use, statuses in zip(uses, found, strict=True) if statuses}
        assert len(served) == min(limit, len(set(uses)))
        assert all(bool(statuses) == (use in served) for use, statuses in zip(uses, found, strict=True))
        counter.store.close()
        other.store.close()

    asyncio.run(run())


# What the origin makes of a status


def accepted(envelope: Envelope, *, question_id: bytes, at: Any = NOW, to: str = JIANGSU) -> bool:
    """Let an origin look at a status in a question of Shanghai's own agency."""
    inquiry = Inquiry(
        intent=intent_of(plot("summary")), intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0,
        statuses=(envelope,),
    )  # fmt: skip
    found = compose(
        inquiry, to, 1, question_id=question_id, charter=charter(), signer=SIGNERS[SHANGHAI], now=at
    ).question.header
    return covered(found, "summary", charter(to), at, age_minutes=AGE).keys() == {USCC}


async def test_a_status_holds_for_its_question_alone(counter: Counter) -> None:
    """An origin that heard of no withdrawal takes a status for no other question, and for that while it lives."""
    await counter.enrolled()
    await counter.given()
    home = {"asker_member": SHANGHAI, "agency": AGENCY, "by": SHANGHAI}
    (status,) = await counter.authorising.statuses(requested(**home), SHANGHAI)
    assert accepted(status, question_id=b"2" * 16)
    assert not accepted(status, question_id=b"3" * 16)
    await counter.authorising.withdraw(by_key(withdrawal()), AGENCY)
    assert not accepted(status, question_id=b"4" * 16)
    late = NOW + timedelta(seconds=90)
    assert accepted(status, question_id=b"2" * 16, at=late)
    assert not accepted(status, question_id=b"2" * 16, at=late + TICK)


def test_a_counted_one_without_its_questions_is_none() -> None:
    """A status of a limited authorisation that names no question would serve any: no origin takes it."""
    assert found(vouched(use_limit=0)) == {GOOD.uscc}
    assert found(vouched(use_limit=1)) == frozenset()
    assert found(vouched(use_limit=1, question_ids=(bytes(16),), status_time=NOW)) == {GOOD.uscc}
    assert found(vouched(question_ids=(b"x" * 16,), status_time=NOW)) == frozenset()
