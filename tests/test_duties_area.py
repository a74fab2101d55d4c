"""The agreement's area binds both ends (U10), and a recognition shows how it came about (U20)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any

import pytest
from callers import Caller, reason
from officers import Officer, deliver, denied, named, populated, rating, settle, vouch

from gateway import wire
from gateway.clocks import CHINA, civil_day
from gateway.model.answer import GradeCeiling
from gateway.model.codes import (
    Grade,
    ItemState,
    RecognitionState,
    RecognitionStatus,
    RefusalReason,
    ResultState,
)
from gateway.model.combined import AdvisoryRating, Recognition
from gateway.uscc import sample_code
from keys.envelope import Envelope
from nodes.lab import Lab
from nodes.sample.records import Desk
from nodes.sample.scenarios import LISTED, MOVED_IN, MOVED_OUT, ZONE_RATED, Scenario
from nodes.sample.subjects import Subject

pytestmark = pytest.mark.net
ZONE = ("310000", "320000", "330000")
SINCE = date(2019, 1, 1)
_serials = count(700_000)


@pytest.fixture(scope="module", autouse=True)
def _settled(lab: Lab) -> None:
    settle(lab)


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run the zone's three members with further subjects."""
    with populated(tmp_path_factory.mktemp("zone") / "lab", *ZONE) as built:
        yield built


def fresh(division: str = "330421") -> Subject:
    """Give a subject that no other test has."""
    serial = next(_serials)
    return Subject(uscc=sample_code("91", division, serial), name=f"样例示范区{serial}号有限公司")


@pytest.mark.parametrize(
    ("officer", "scenario", "grade"),
    [
        ("310118-credit/o1", ZONE_RATED, Grade.B),
        ("320509-credit/o1", ZONE_RATED, Grade.B),
        ("330421-credit/o1", ZONE_RATED, Grade.B),
        ("310118-market/o1", MOVED_IN, Grade.B),
        ("320509-market/o1", MOVED_IN, Grade.B),
    ],
)
async def test_a_firm_of_the_zone_is_recognised_for_an_agency_of_the_zone(
    lab: Lab, officer: str, scenario: Scenario, grade: Grade
) -> None:
    """A firm that sits in Jiashan today, whatever its code says, is recognised from Qingpu, Wujiang and Jiashan."""
    asker = Officer(lab=lab, name=officer)
    told = await asker.recognise(scenario.uscc)
    found = told.subject.recognition
    assert found is not None
    assert (found.state, found.home_member, found.recognised_grade) == (RecognitionState.RECOGNISED, "330000", grade)
    assert (told.result.agreement_id, [each.member for each in told.result.members]) == ("ZONE-2026", list(ZONE))
    assert told.items["330000"].in_scope is True
    (issued,) = told.recognitions
    assert (issued.issuer_member, issued.agency) == (asker.member, asker.agency)


@pytest.mark.parametrize("officer", ["310000-credit/o1", "310115-credit/o1", "330402-credit/o1", "330106-market/o1"])
async def test_an_agency_outside_the_zone_is_not_in_scope(lab: Lab, officer: str) -> None:
    """Shanghai's municipal agency and Nanhu's, both of parties, are refused by their own desk."""
    asker = Officer(lab=lab, name=officer)
    assert await denied(asker.recognise(ZONE_RATED.uscc)) is RefusalReason.NOT_IN_SCOPE
    assert await denied(asker.recognise(ZONE_RATED.uscc, agreement_id="ZONE-2026")) is RefusalReason.NOT_IN_SCOPE


async def test_a_member_that_is_no_party_has_no_agreement(lab: Lab) -> None:
    """Anhui is no party of the zone: its agencies find no agreement for a recognition."""
    asker = Officer(lab=lab, name="340111-credit/o1")
    assert await denied(asker.recognise(ZONE_RATED.uscc)) is RefusalReason.NO_AGREEMENT
    assert await denied(asker.recognise(ZONE_RATED.uscc, agreement_id="ZONE-2026")) is RefusalReason.NO_AGREEMENT
    qingpu = Officer(lab=lab, name="310118-credit/o1").recognise
    asked = qingpu(ZONE_RATED.uscc, agreement_id="ZONE-2026", members=("340000",))
    assert await denied(asked) is RefusalReason.NO_AGREEMENT


@pytest.mark.parametrize(
    ("me", "agency", "item"),
    [
        ("310000", "310000-credit", "SH-2026-012"),
        ("310000", "310115-credit", "SH-2026-012"),
        ("330000", "330402-credit", "ZJ-2026-012"),
    ],
)
async def test_the_origin_refuses_an_agency_outside_the_zone_too(lab: Lab, me: str, agency: str, item: str) -> None:
    """A member whose desk does not look is refused by the origin (both ends check)."""
    purpose, code = "RATING_RECOGNITION", ZONE_RATED.uscc
    consent = vouch(lab, code, home="330000", agency=agency, purpose=purpose, kind="rating")
    caller = Caller(lab=lab, me=me)
    try:
        terms: dict[str, Any] = {"purpose": purpose, "item": item, "agency": agency, "agreement": "ZONE-2026"}
        reply = await caller.ask(caller.compose(rating(named(code)), authorisations=(consent,), **terms))
    finally:
        await caller.close()
    assert reason(reply) is RefusalReason.NOT_IN_SCOPE


async def test_a_firm_that_left_the_zone_is_not_in_scope_and_has_no_grade(lab: Lab) -> None:
    """A code of Jiashan that sits in Hangzhou now gets no grade, and its home says no more than that."""
    told = await Officer(lab=lab, name="310118-credit/o1").recognise(MOVED_OUT.uscc)
    item, found = told.items["330000"], told.subject.recognition
    assert (item.in_scope, item.state, item.body) == (False, ItemState.NOT_COVERED, None)
    assert told.subject.state is ResultState.NOT_IN_SCOPE
    assert found is not None
    assert (found.state, found.home_member) == (RecognitionState.NOT_IN_SCOPE, "330000")
    assert (found.origin_grade, found.mapped_grade, found.recognised_grade) == ("", None, None)
    assert told.recognitions == ()


async def test_a_firm_of_a_member_outside_the_zone_has_no_grade(lab: Lab) -> None:
    """An Anhui firm is confirmed by no party: there is no grade, whatever the parties hold on it."""
    told = await Officer(lab=lab, name="310118-credit/o1").recognise(LISTED.uscc)
    found = told.subject.recognition
    assert found is not None
    assert (found.state, found.recognised_grade) == (RecognitionState.SUBJECT_UNCONFIRMED, None)
    assert told.recognitions == ()


async def test_a_recognition_is_signed_and_names_what_it_rests_on(lab: Lab) -> None:
    """The recognition carries origin grade, mapping and its version, every ceiling, scope, term and the answers."""
    officer = Officer(lab=lab, name="310118-credit/o1")
    told = await officer.recognise(ZONE_RATED.uscc)
    (issued,) = told.recognitions
    result = issued.result
    assert (result.scheme_id, result.scheme_version, result.origin_grade) == ("330000-COMPREHENSIVE", "2025", "A")
    assert (result.mapping_id, result.mapping_version, result.mapped_grade) == ("YRD-330000", "2026.1", Grade.A)
    assert {each.member: each.ceiling for each in result.ceilings} == {
        "310000": GradeCeiling(rule_version="2026.1"),
        "320000": GradeCeiling(grade=Grade.B, reason_class="GENERAL_UNREPAIRED", rule_version="2026.1"),
        "330000": GradeCeiling(rule_version="2026.1"),
    }
    assert (result, result.recognised_grade) == (told.subject.recognition, Grade.B)
    assert (issued.uscc, issued.issuer_member, issued.agency) == (ZONE_RATED.uscc, "310000", "310118-credit")
    assert (issued.agreement_id, issued.purposes) == ("ZONE-2026", ("RATING_RECOGNITION",))
    assert (issued.area, issued.status) == (("310118", "320509", "330421"), RecognitionStatus.VALID)
    assert set(issued.answer_digests) == {each.answer_digest for each in told.result.members}
    until = civil_day(lab.clock()) + timedelta(days=265)  # the rating ends before the twelve months do
    assert issued.valid_until_time == datetime.combine(until, time(), CHINA).astimezone(UTC)
    assert len(issued.recognition_id) == 16
    (held,) = told.response.recognitions
    envelope = wire.from_message(Envelope, held)
    assert wire.decode(Recognition, envelope.payload) == issued
    assert {each.key_id.partition("/")[0] for each in envelope.signatures} == {"310000"}


async def test_asking_again_supersedes_and_edits_nothing(zone: Lab) -> None:
    """A new recognition names the one before; another agency's is a line of its own."""
    officer = Officer(lab=zone, name="310118-credit/o1")
    first, second, third = [(await officer.recognise(MOVED_IN.uscc)).recognitions[0] for _ in range(3)]
    assert (first.supersedes, second.supersedes, third.supersedes) == (
        b"", first.recognition_id, second.recognition_id,
    )  # fmt: skip
    assert len({each.recognition_id for each in (first, second, third)}) == 3
    other = await Officer(lab=zone, name="310118-market/o1").recognise(MOVED_IN.uscc)
    assert other.recognitions[0].supersedes == b""


async def test_a_new_ceiling_lowers_the_next_recognition_only(zone: Lab) -> None:
    """A severe listing in Jiangsu gives D from the next asking on; a better grade than the home's is never given."""
    subject, today = fresh(), civil_day(zone.clock())

    def write(desk: Desk) -> None:
        desk.register(subject, division="330421", since=SINCE)
        desk.rating(
            subject, "330000-COMPREHENSIVE", "C", rated=today - timedelta(days=9), until=today + timedelta(days=9)
        )

    deliver(zone, "330000", write)
    officer = Officer(lab=zone, name="310118-credit/o1")
    before = (await officer.recognise(subject.uscc)).recognitions[0]
    deliver(zone, "320000", lambda desk: desk.listing(subject, "LABOUR_ARREARS", listed=today - timedelta(days=1)))
    after = (await officer.recognise(subject.uscc)).recognitions[0]
    assert [each.result.recognised_grade for each in (before, after)] == [Grade.C, Grade.D]
    assert [each.result.origin_grade for each in (before, after)] == ["C", "C"]
    assert after.supersedes == before.recognition_id


async def test_ratings_two_grades_apart_wait_for_an_officer(zone: Lab) -> None:
    """A grade D of another party against an A at home is REVIEW: no grade, and both are shown (U20)."""
    subject, today = fresh(), civil_day(zone.clock())

    def home(desk: Desk) -> None:
        desk.register(subject, division="330421", since=SINCE)
        rate(desk, "330000-COMPREHENSIVE", "A")

    def rate(desk: Desk, scheme: str, grade: str) -> None:
        desk.rating(subject, scheme, grade, rated=today - timedelta(days=9), until=today + timedelta(days=9))

    deliver(zone, "330000", home)
    deliver(zone, "320000", lambda desk: rate(desk, "320000-COMPREHENSIVE", "差"))
    told = await Officer(lab=zone, name="310118-credit/o1").recognise(subject.uscc)
    found = told.subject.recognition
    assert found is not None
    assert (found.state, found.mapped_grade, found.recognised_grade) == (RecognitionState.REVIEW, Grade.A, None)
    assert found.advisory_ratings == (AdvisoryRating(member="320000", grade="差", mapped_grade=Grade.D),)
    assert (told.subject.marks, told.recognitions) == ((ResultState.REVIEW,), ())


async def test_a_firm_without_a_current_rating_is_not_rated(zone: Lab) -> None:
    """A rating that ended yesterday recognises nothing, and nothing takes its place."""
    subject, today = fresh(), civil_day(zone.clock())

    def write(desk: Desk) -> None:
        desk.register(subject, division="330421", since=SINCE)
        desk.rating(subject, "330000-COMPREHENSIVE", "A", rated=today - timedelta(days=300), until=today)

    deliver(zone, "330000", write)
    told = await Officer(lab=zone, name="310118-credit/o1").recognise(subject.uscc)
    found = told.subject.recognition
    assert found is not None
    assert (found.state, found.recognised_grade, told.recognitions) == (RecognitionState.NOT_RATED, None, ())
