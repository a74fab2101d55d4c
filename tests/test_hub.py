"""A hub as a process: it relays to a city below a province, and nothing that it passes on stays with it (threat 1)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import stopped
from callers import Caller, health, outcome, read_charter, reason, summary, until
from officers import Officer, Told, deliver, named, publish, rating, start
from populations import populate
from test_markers import free_port

from gateway import carriers, wire
from gateway.clocks import civil_day
from gateway.exchange.compose import Inquiry
from gateway.exchange.intend import choose_agreement, choose_members
from gateway.federation import request_bytes
from gateway.model.codes import OutcomeState, ResultState
from gateway.model.codes import RefusalReason as R
from gateway.model.question import Question
from gateway.server import RELAY_SERVICE
from gateway.uscc import sample_code
from nodes.federation.folder import WIDER
from nodes.lab import Edit, Lab, build
from nodes.sample.records import Desk
from nodes.sample.scenarios import LISTED
from nodes.sample.subjects import Subject

pytestmark = pytest.mark.net
ASKER, PROVINCE, CITY, HUB = "310000", "340000", "340500", "900000"
RUNNING = (ASKER, PROVINCE, CITY, HUB)
SINCE = date(2019, 1, 1)
FIRM = Subject(uscc=sample_code("91", "340503", 2), name="样例马鞍山有限公司")
MARKER, CASE = "标记QZXM", "QZXM-77"
PLANTED = (FIRM.uscc, LISTED.uscc, MARKER, "QZXM")
OFFICER = "310115-market/o1"
Region = tuple[int, int]


@pytest.fixture(scope="module")
def metrics_port() -> int:
    """Find a port for the hub's metrics."""
    return free_port()


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, metrics_port: int) -> Iterator[Lab]:
    """Run Shanghai, Anhui, Ma'anshan below it, and the hub by way of which Ma'anshan is reached."""
    lab = build(tmp_path_factory.mktemp("wide") / "lab", federation=WIDER)
    config = lab.home(HUB) / "node.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f'metrics_listen = "127.0.0.1:{metrics_port}"\n{text}', encoding="utf-8")
    decided = civil_day(lab.clock()) - timedelta(days=50)

    def city(desk: Desk) -> None:
        desk.register(FIRM, division="340503", since=SINCE)
        desk.penalty(FIRM, "MARKET_REG-G-001", decided=decided)

    try:
        for member in (ASKER, PROVINCE, CITY):
            populate(lab, member, subjects=0)
        deliver(lab, CITY, city)
        yield start(lab, *RUNNING)
    finally:
        lab.stop()


async def ask(lab: Lab, uscc: str, **changes: Any) -> Told:
    """Ask Anhui, and with it Ma'anshan, about a subject."""
    body = summary(named(uscc, MARKER))
    return await Officer(lab=lab, name=OFFICER).ask(body, **{"members": (PROVINCE,), **changes})


async def test_a_city_is_asked_with_its_province_and_reached_by_way_of_the_hub(wide: Lab) -> None:
    """Whoever asks the province asks its city too; the city answers for itself, sealed, and all verifies (A24)."""
    told = await ask(wide, FIRM.uscc)
    assert told.states == {PROVINCE: "NOT_FOUND", CITY: "FOUND"}
    assert (told.subject.state, told.subject.home_member) == (ResultState.FOUND, CITY)
    assert {member: (head.answerer_member, head.answered_by) for member, head in told.heads.items()} == {
        PROVINCE: (PROVINCE, ""), CITY: (CITY, CITY),
    }  # fmt: skip
    questions = [wire.decode(Question, each.question.payload) for each in told.response.exchanges]
    assert {each.header.answerer_member: each.header.relays for each in questions} == {PROVINCE: (), CITY: (HUB,)}


async def test_what_a_city_decides_is_not_its_provinces(wide: Lab) -> None:
    """The province that is given the city's decision keeps none of it: one decision, one answer (U4)."""

    def register(desk: Desk) -> None:
        desk.register(FIRM, division="340503", since=SINCE)

    (loaded,) = deliver(wide, PROVINCE, register)
    assert loaded.report is not None
    assert loaded.report.accepted == 0
    told = await ask(wide, FIRM.uscc)
    assert {member: item.registered_here for member, item in told.items.items()} == {PROVINCE: False, CITY: True}


@pytest.mark.parametrize(
    ("purpose", "members", "agreement", "asked"),
    [
        ("RATING_RECOGNITION", (CITY,), "PUTUO-MAANSHAN-2026", (CITY,)),
        ("RATING_RECOGNITION", (), "PUTUO-MAANSHAN-2026", ("310107", CITY)),
        ("RATING_RECOGNITION", (PROVINCE,), "PUTUO-FUYANG-2026", (PROVINCE, CITY)),
        ("DAILY_SUPERVISION", ("320000", CITY), "YRD-4-2026", ("320000", CITY)),
    ],
)
def test_a_district_asks_under_its_own_agreement_first(
    wide: Lab, purpose: str, members: tuple[str, ...], agreement: str, asked: tuple[str, ...]
) -> None:
    """Putuo's agreement with the city goes before the regions', which covers what the narrow one does not (A13)."""
    held, officer = read_charter(wide, "310107"), Officer(lab=wide, name="310107-market/o1")
    wish = officer.intent(rating(named(FIRM.uscc)), members=members, purpose=purpose)
    chosen = choose_agreement(wish, "rating", held, wide.clock()).id
    inquiry = Inquiry(intent=wish, intent_digest=bytes(32), agreement_id=chosen, case_subject_count=0)
    assert (chosen, choose_members(wish, inquiry, held)) == (agreement, asked)


async def test_a_hub_that_is_down_is_silence_and_comes_back(wide: Lab) -> None:
    """Without the hub the city is UNAVAILABLE and nothing looks clean; with it all is as before."""
    wide.stop(HUB)
    told = await ask(wide, LISTED.uscc)
    assert told.outcomes[CITY].state is OutcomeState.UNAVAILABLE
    assert told.subject.incomplete_members == (CITY,)
    wide.start(HUB)
    publish(wide)
    assert (await ask(wide, LISTED.uscc)).outcomes[CITY].state is OutcomeState.ANSWERED


def suspending(member: str) -> Edit:
    """Suspend a member by its row."""

    def edit(document: dict[str, Any]) -> None:
        next(each for each in document["members"] if each["id"] == member)["suspended"] = True

    return edit


@contextmanager
def changed(lab: Lab, edit: Edit) -> Iterator[None]:
    """Publish a change for a while."""
    lab.edits.append(edit)
    try:
        publish(lab)
        yield
    finally:
        lab.edits.remove(edit)
        publish(lab)


@pytest.mark.parametrize("edit", [suspending(CITY), stopped("member", CITY)], ids=["suspended", "quarantined"])
async def test_a_city_that_is_stopped_alone_leaves_its_province_incomplete(wide: Lab, edit: Edit) -> None:
    """The province goes on answering; what is not found there is not clean, and the city is named (threat 25)."""
    with changed(wide, edit):
        told = await ask(wide, sample_code("91", "340111", 99))
        assert told.outcomes[PROVINCE].state is OutcomeState.ANSWERED
        assert told.outcomes[CITY].state is not OutcomeState.ANSWERED
        assert told.subject.state is ResultState.INCOMPLETE
        assert told.subject.incomplete_members == (CITY,)


async def test_a_city_in_quarantine_asks_nothing(wide: Lab) -> None:
    """Its own question, direct, is refused from the next bundle on, as its province's is not, and let in again."""
    caller = Caller(lab=wide, me=CITY, to=PROVINCE)

    async def heard() -> str:
        signed = caller.compose(agency=f"{CITY}-none", alter=lambda header: header.update(relays=()))
        return await outcome(caller.ask(signed))

    try:
        assert await heard() == "AGENCY_NOT_ALLOWED"
        with changed(wide, stopped("member", CITY)):
            assert await heard() == "SUSPENDED"
        assert await heard() == "AGENCY_NOT_ALLOWED"
    finally:
        await caller.close()


async def test_a_hub_that_is_suspended_is_passed_over(wide: Lab) -> None:
    """From the next directory on nothing names it: without another hub the question goes straight."""
    with changed(wide, suspending(HUB)):
        before = len(events(wide))
        told = await ask(wide, FIRM.uscc)
        (question,) = [each.question for each in told.response.exchanges if each.member == CITY]
        assert wire.decode(Question, question.payload).header.relays == ()
        assert len(events(wide)) == before


def events(lab: Lab, hub: str = HUB) -> list[dict[str, Any]]:
    """Read a hub's lines about what it relayed."""
    lines = (lab.home(hub) / "node.log").read_text(encoding="utf-8").splitlines()
    return [each for each in map(json.loads, lines) if each.get("event") == "relay"]


async def test_a_relayed_question_is_refused_at_the_direct_door(wide: Lab) -> None:
    """A question that names the hub and comes without it is refused."""
    caller = Caller(lab=wide, me=ASKER, to=CITY)
    try:
        reply = await caller.ask(caller.compose(agency="310115-market"))
        assert reason(reply) is R.BAD_SIGNATURE
        channel = caller.channel(HUB)
        assert await health(channel, RELAY_SERVICE) == "SERVING"
        call: Any = channel.unary_unary("/yrdx.exchange.v1.ExchangeService/Ask")
        with pytest.raises(Exception, match="UNIMPLEMENTED"):
            await call(request_bytes(caller.compose(agency="310115-market")), timeout=20)
    finally:
        await caller.close()


# What stays with the hub


def test_a_hub_has_no_key_that_opens_or_signs(wide: Lab) -> None:
    """Its folder holds certificates and a passphrase, and its row in the directory no key at all."""
    found = {each.name for each in (wide.home(HUB) / "keys").iterdir()}
    assert found == {"ca.crt", "ca.pem", "issuing.pem", "node.pem", "passphrase"}
    assert wide.standings[HUB].keys == ()
    assert not (wide.config(HUB).data / "node.db").exists()


def regions(pid: int) -> list[Region]:
    """Give the readable parts of a process's memory."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="ascii").splitlines():
        span, rights, *rest = line.split()
        if rights.startswith("r") and not (rest and rest[-1] in {"[vvar]", "[vsyscall]", "[vvar_vclock]"}):
            start, _, end = span.partition("-")
            found.append((int(start, 16), int(end, 16)))
    return found


def remembered(pid: int, words: tuple[bytes, ...]) -> set[bytes]:
    """Search a process's memory for words; what cannot be read is passed over."""
    pattern, found = re.compile(b"|".join(map(re.escape, words))), set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in regions(pid):
            try:
                memory.seek(start)
                held = memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
            found |= set(pattern.findall(held))
    return found


def encoded(word: str) -> tuple[bytes, ...]:
    """Give a word as it may stand in memory."""
    return tuple(dict.fromkeys((word.encode(), word.encode("utf-16-le"), word.encode("utf-32-le"))))


async def test_the_memory_of_the_hub_holds_nothing_that_it_relayed(wide: Lab) -> None:
    """While it relays and afterwards no code, name or case of any question or answer is found in its process."""
    pid = int(wide.status(HUB)["process_id"])
    if not os.access(f"/proc/{pid}/mem", os.R_OK):
        pytest.skip("this system does not let a process read the memory of its child")
    words = tuple(each for word in PLANTED for each in encoded(word))
    await Officer(lab=wide, name=OFFICER).open_case(CASE, purpose="DAILY_SUPERVISION")
    codes = (FIRM.uscc, LISTED.uscc) * 4
    asked = [asyncio.create_task(ask(wide, each, case_reference=CASE)) for each in codes]
    during: set[bytes] = set()
    while not all(each.done() for each in asked):
        during |= await asyncio.to_thread(remembered, pid, words)
    told = [await each for each in asked]
    assert {each.outcomes[CITY].state for each in told} == {OutcomeState.ANSWERED}
    assert during | remembered(pid, words) == set()
    # The search is no empty one: what the hub does know is found in the same way.
    assert remembered(pid, encoded("长三角信用信息枢纽")) != set()
    answerer = int(wide.status(CITY)["process_id"])
    assert remembered(answerer, encoded(FIRM.uscc)) != set()


def read_metrics(port: int) -> bytes:
    """Read what a collector reads."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as metrics:
        return bytes(metrics.read())


async def test_disk_logs_and_metrics_of_the_hub_hold_nothing_that_it_relayed(wide: Lab, metrics_port: int) -> None:
    """Every file of the hub, its log and its metrics: routing and outcome, and not one planted word."""
    told = await ask(wide, FIRM.uscc)
    (question,) = [each.question for each in told.response.exchanges if each.member == CITY]
    asked = wire.decode(Question, carriers.envelope_from_message(question).payload).header

    async def logged() -> bool:
        return any(each["question_id"] == asked.question_id.hex() for each in events(wide))

    await until(logged, "logged")
    found = [each.read_bytes() for each in wide.home(HUB).rglob("*") if each.is_file()]
    found.append(await asyncio.to_thread(read_metrics, metrics_port))
    assert b'outcome="RELAYED"' in found[-1]
    for each in found:
        assert not [
            word for name in (*PLANTED, asked.case_reference or MARKER) for word in encoded(name) if word in each
        ]
    line = events(wide)[-1]
    assert {*line} >= {"peer", "outcome", "question_id"}
    assert (line["peer"], line["outcome"]) == (ASKER, "RELAYED")
