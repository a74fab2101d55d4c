"""A running node's watch: from ledger, journal, feeds and disk to health, metrics and log, without subjects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from keepers import make_desk
from offices import Office
from stores import DAY, declared, exchange, load, penalty, question, rows
from structlog.testing import capture_logs

from gateway.uscc import sample_code
from gateway.watching import Alarm, Told
from nodes import watch as watches
from nodes.health import document
from nodes.metrics import Metrics
from nodes.store.schema import facts_path
from nodes.watch import SELDOM, Watch, free_percent

CODES = [sample_code("91", "310118", 40 + each) for each in range(4)]
ASKER = "320000-procurement"


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Give a member whose rule is strict, and whose disk has room."""
    desk = make_desk(tmp_path)

    def strict(found: dict[str, Any]) -> None:
        (rule,) = found["watch_rules"]
        rule |= {"questions_a_day": 2, "unknown_subjects": 3, "sequential_subjects": 2, "off_hours_questions": 2}

    desk.lab.edits.append(strict)
    desk.lab.publish()
    monkeypatch.setattr(watches, "free_percent", lambda _: 50.0)
    found = Office(desk)
    found.following.poll()
    yield found
    found.close()


def watch_of(office: Office, metrics: Metrics | None = None) -> Watch:
    """Begin to watch."""
    clock = office.books._clock
    return Watch(office.config, office.following, office.store.source, clock, metrics or Metrics())


async def answer(office: Office, *numbers: int, codes: list[str]) -> None:
    """Answer questions about these codes."""
    for number in numbers:
        asked = question(number, officer=f"{ASKER}/zhou")
        await office.store.journal.commit(exchange(number, question=asked, subjects=tuple(codes)))


async def test_use_is_told_as_it_grows(office: Office) -> None:
    """What came since the last look is added; who asks too much is named, and codes in a row are."""
    watch = watch_of(office)
    assert watch.look() == ()
    await answer(office, 1, 2, codes=CODES[:2])
    assert watch.look() == ()
    await answer(office, 3, codes=CODES)
    expected = (Told(alarm="ENUMERATION", who=ASKER, count=4), Told(alarm="VOLUME", who=ASKER, count=3))
    assert watch.look() == expected
    assert watch_of(office).look() == expected  # a new leader counts the day anew


async def test_codes_that_stand_in_the_register_are_not_unknown(office: Office) -> None:
    """Only codes of this area are looked for here, and those that are registered are known."""
    far = [sample_code("91", "320102", 2 * each) for each in range(4)]
    near = [sample_code("91", "310118", 2 * each) for each in range(4)]
    await answer(office, 1, codes=far)
    assert watch_of(office).look() == ()
    await answer(office, 2, codes=near)
    assert watch_of(office).look() == (Told(alarm="ENUMERATION", who=ASKER, count=4),)
    declared(office.path).close()
    with office.store.loading(replace(office.doer("310000-credit/m1"))) as loading:
        load(loading, *({**penalty(each), "uscc": code} for each, code in enumerate(near)))
        register = [{**_registered(each), "uscc": code} for each, code in enumerate(near[:1])]
        load(loading, *register, table="register")
    assert watch_of(office).look() == ()


def _registered(number: int) -> dict[str, Any]:
    row = penalty(100 + number)
    return {name: row[name] for name in ("record_id", "salt", "digest")} | {"kind": "ENTERPRISE"}


async def test_days_before_count_nothing(office: Office) -> None:
    """Rows of the journal before today are passed over, however many there are."""
    for number in range(1, 8):
        await answer(office, number, codes=CODES)
    rows(office.path, "UPDATE journal SET day = '2026-03-01' WHERE seq < 8")
    rows(office.path, "UPDATE provision SET day = '2026-03-01'")
    rows(office.path, "UPDATE budget SET day = '2026-03-01'")
    assert [each.alarm for each in watch_of(office).look()] == ["VOLUME"]  # the ledger still says today


async def test_loads_without_acts_are_told_now_and_then(office: Office) -> None:
    """It reads every load, so that it is not done at each look."""
    await office.rounds()
    declared(office.path).close()
    with office.store.loading() as loading:
        load(loading, penalty(1))
    watch = watch_of(office)
    assert watch.look() == ()
    rows(facts_path(office.path), "DELETE FROM load_act")
    looks = [watch.look() for _ in range(SELDOM)]
    told = (Told(alarm="ACTS", who="", count=1),)
    assert (looks[0], looks[-1]) == ((), told)


async def test_feeds_and_disk_are_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A declared feed that nothing was loaded of, and a disk that is nearly full."""
    declared(office.path).close()
    with office.store.loading(office.doer("310000-credit/m1")) as loading:
        load(loading, penalty(1), data_through=DAY.replace(month=1))
    await office.rounds()
    monkeypatch.setattr(watches, "free_percent", lambda _: 3.2)
    expected = (Told(alarm="DISK", who="", count=3), Told(alarm="FEED", who="310000-tax-penalty", count=1))
    assert watch_of(office).look() == expected


def test_free_space_is_a_share(tmp_path: Path) -> None:
    """In per cent of the disk on which a folder lies."""
    assert 0 <= free_percent(tmp_path) <= 100


async def test_an_alarm_is_in_health_metrics_and_once_in_the_log(office: Office) -> None:
    """With whom and how many, and no code anywhere."""
    await answer(office, 1, 2, 3, codes=CODES)
    metrics = Metrics()
    watch = watch_of(office, metrics)
    with capture_logs() as logged:
        for _ in range(2):
            await watch._try()
    assert [(each["alarm"], each["who"]) for each in logged] == [("ENUMERATION", ASKER), ("VOLUME", ASKER)]
    text = metrics.text().decode()
    assert 'alarms{alarm="VOLUME"} 1.0' in text
    assert 'alarms{alarm="DISK"} 0.0' in text
    found = json.dumps(document(office.following, (), office.desk.now, {"alarms": watch.rows()}))
    assert '"alarm": "VOLUME"' in found
    assert not any(code in told for code in CODES for told in (text, found, str(logged)))


async def test_a_look_that_fails_is_tried_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kind of the error alone; the alarms stay as they were."""
    watch = watch_of(office)
    watch.alarms = (Told(alarm="DISK", who="", count=1),)

    def fails(self: Watch) -> tuple[Told, ...]:
        raise OSError("secret")

    monkeypatch.setattr(Watch, "look", fails)
    with capture_logs() as logged:
        await watch._try()
    assert logged == [{"event": "alarms_failed", "error": "OSError", "log_level": "error"}]
    assert len(watch.alarms) == 1


async def test_without_a_rule_nothing_is_told(office: Office) -> None:
    """A federation that sets no limits has no alarms of use."""
    office.desk.lab.edits.append(lambda found: found.update(watch_rules=[]))
    office.desk.lab.publish()
    office.following.poll()
    await answer(office, 1, 2, 3, codes=CODES)
    assert watch_of(office).look() == ()


def test_every_alarm_has_its_row() -> None:
    """The page of operating names each alarm, in the order of the code."""
    page = (Path(__file__).parent.parent / "docs/operating.md").read_text(encoding="utf-8")
    rest = page.partition("<!-- table: alarms -->\n")[2].split("\n\n")[0].splitlines()[2:]
    assert [each.split("`")[1] for each in rest] == [each.value for each in Alarm]
