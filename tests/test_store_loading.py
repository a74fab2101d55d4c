"""Loads: versions are appended, the last content wins, and what a load did is counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import DAY, FEED, NOW, code, declared, load, penalty

from gateway.errors import NotDurable
from nodes.store import Loading, Mode
from nodes.store.facts import FactSource
from nodes.store.loading import Counts
from nodes.store.schema import facts_path

VERSIONS = "SELECT uscc, version, status, severity FROM penalty WHERE record_id = ? ORDER BY version"
Version = tuple[str, int, str, str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the database."""
    return tmp_path / "node.db"


@pytest.fixture
def loading(path: Path) -> Iterator[Loading]:
    """Give a writer of facts with the feed declared."""
    with declared(path) as loading:
        yield loading


def versions(path: Path, record: bytes) -> list[Version]:
    """Read every version of a record."""
    connection = sqlite3.connect(facts_path(path))
    try:
        return connection.execute(VERSIONS, (record,)).fetchall()
    finally:
        connection.close()


def counted(loading: Loading, *rows: dict[str, Any], mode: Mode = Mode.DELTA) -> Counts:
    """Load rows and give what became of them."""
    loading.begin(FEED.id, b"file", mode, NOW)
    loading.put("penalty", rows)
    if mode is Mode.SNAPSHOT:
        loading.withdraw_absent("penalty")
    counts = loading.counts
    loading.finish(data_through=DAY)
    return counts


def test_loading_a_file_again_changes_nothing(path: Path, loading: Loading) -> None:
    """The same content under other salts and digests adds no version."""
    rows = [penalty(number) for number in range(1_000)]
    first = counted(loading, *rows)
    again = counted(loading, *({**row, "salt": b"\x02" * 16, "digest": b"\x03" * 32} for row in rows))
    expected = [(code(7), 1, "CURRENT", "MINOR")]
    assert (first, again) == (Counts(accepted=1_000), Counts(unchanged=1_000))
    assert versions(path, penalty(7)["record_id"]) == expected


def test_a_correction_is_a_further_version(path: Path, loading: Loading) -> None:
    """Other content under the same key is appended; the earlier version stays as it was."""
    load(loading, penalty(1), penalty(2))
    counts = counted(loading, penalty(1, severity="SERIOUS"), penalty(2), penalty(3))
    expected = [(code(1), 1, "CURRENT", "MINOR"), (code(1), 2, "CURRENT", "SERIOUS")]
    assert counts == Counts(accepted=1, corrected=1, unchanged=1)
    assert versions(path, penalty(1)["record_id"]) == expected


def test_a_record_named_twice_in_a_file_keeps_both_versions(path: Path, loading: Loading) -> None:
    """Of rows with one key the last wins, within a batch as well."""
    counts = counted(loading, penalty(1), penalty(1, severity="SERIOUS"), penalty(1))
    assert counts == Counts(accepted=1, corrected=2)
    assert [row[3] for row in versions(path, penalty(1)["record_id"])] == ["MINOR", "SERIOUS", "MINOR"]


def test_a_record_that_moves_leaves_the_earlier_code(path: Path, loading: Loading) -> None:
    """A corrected code does not leave the fact standing with the wrong subject."""
    load(loading, penalty(1, 10))
    load(loading, penalty(1, 20), penalty(1, 10), penalty(1, 20))
    source = FactSource(facts_path(path))
    found = source.read([code(10), code(20)], {"penalty": ("severity", "version")})
    source.close()
    row = {"severity": "MINOR", "version": 7, "digest": penalty(1)["digest"]}
    assert found.rows == {code(20): {"penalty": [row]}}


def test_a_withdrawal_is_a_version_too(path: Path, loading: Loading) -> None:
    """A withdrawn record says so once; a second time there is nothing to withdraw."""
    load(loading, penalty(1))
    record = penalty(1)["record_id"]
    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    done = [loading.withdraw("penalty", record) for _ in range(2)]
    assert (done, loading.counts) == ([True, False], Counts(withdrawn=1))
    loading.finish(data_through=DAY)
    back = counted(loading, penalty(1))
    statuses = [(version, status) for _, version, status, _ in versions(path, record)]
    assert back == Counts(accepted=1)
    assert statuses == [(1, "CURRENT"), (2, "WITHDRAWN"), (3, "CURRENT")]


def test_absence_from_a_snapshot_withdraws(loading: Loading) -> None:
    """A snapshot withdraws what its feed loaded earlier and it does not name, once, and counts it before."""
    load(loading, *(penalty(number) for number in range(500)))
    loading.begin(FEED.id, b"file", Mode.SNAPSHOT, NOW)
    loading.put("penalty", (penalty(number) for number in range(490)))
    loading.put("penalty", [penalty(600)])
    assert (loading.count_absent("penalty"), loading.withdraw_absent("penalty")) == (10, 10)
    assert (loading.count_absent("penalty"), loading.withdraw_absent("penalty")) == (0, 0)
    counts = loading.counts
    loading.finish(data_through=DAY)
    assert counts == Counts(accepted=1, unchanged=490, withdrawn=10)


def test_a_snapshot_leaves_other_feeds_alone(loading: Loading) -> None:
    """What another feed delivered is not withdrawn by this one's silence."""
    other = type(FEED)(**{name: getattr(FEED, name) for name in FEED.__slots__} | {"id": "other"})
    loading.declare_feeds([FEED, other])
    loading.begin("other", b"file", Mode.SNAPSHOT, NOW)
    loading.put("penalty", [penalty(1)])
    loading.finish(data_through=DAY)
    assert counted(loading, penalty(2), mode=Mode.SNAPSHOT) == Counts(accepted=1)


def test_a_failing_file_leaves_nothing(path: Path, loading: Loading) -> None:
    """An error in the middle of a file undoes its whole load, and the next load begins afresh."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from (penalty(number) for number in range(900))
        raise KeyError("torn")

    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    with pytest.raises(KeyError):
        loading.put("penalty", rows())
    assert versions(path, penalty(1)["record_id"]) == []
    assert load(loading, penalty(1)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": "raw"},
        {"uscc": "short"},
        {"decided_on": "31.01.2026"},
        {"exempt": 2},
        {"record_id": b"short"},
        {"salt": None},
        {"domain": "x" * 401},
    ],
)
def test_a_row_of_another_form_is_refused(loading: Loading, change: dict[str, Any]) -> None:
    """Extra columns and values of another form end the load; the text quotes no value."""
    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    with pytest.raises(ValueError, match="penalty") as caught:
        loading.put("penalty", [penalty(1) | change])
    assert [str(value) for value in change.values() if value and str(value) in str(caught.value)] == []


def test_a_measure_names_its_legal_basis(loading: Loading) -> None:
    """A measure without a legal basis cannot be stored."""
    row = {name: penalty(1)[name] for name in ("uscc", "record_id", "salt", "digest")}
    for basis in ({}, {"legal_basis": ""}):
        loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
        with pytest.raises(ValueError, match="legal_basis"):
            loading.put("measure", [{**row, **basis}])


def test_a_load_needs_a_declared_feed_and_one_file_at_a_time(loading: Loading) -> None:
    """An undeclared feed, a second open load, and rows outside a load are refused."""
    with pytest.raises(ValueError, match="declare"):
        loading.begin("unknown", b"file", Mode.DELTA, NOW)
    with pytest.raises(ValueError, match="begin one"):
        loading.put("penalty", [penalty(1)])
    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    with pytest.raises(ValueError, match="finish or abandon"):
        loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    with pytest.raises(ValueError, match="snapshot"):
        loading.withdraw_absent("penalty")
    loading.abandon()


def test_a_second_load_waits_and_then_gives_up(path: Path, loading: Loading) -> None:
    """Two loads never mix: while one is open the other cannot begin."""
    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    with Loading(facts_path(path)) as other:
        other._connection.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(NotDurable):
            other.begin(FEED.id, b"file", Mode.DELTA, NOW)
        loading.abandon()
        assert load(other, penalty(1)) == 1


def test_a_checkpoint_empties_the_log(path: Path, loading: Loading) -> None:
    """After a checkpoint everything is in the file itself."""
    load(loading, penalty(1))
    loading.checkpoint()
    assert facts_path(path).with_name("node-facts.db-wal").stat().st_size == 0


SEVERITIES = st.sampled_from(["MINOR", "GENERAL", "SERIOUS", None])
STEPS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), SEVERITIES), max_size=6), min_size=1, max_size=5
)
NUMBERS = count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=STEPS)
def test_the_last_content_wins_and_all_versions_stay(
    tmp_path: Path, files: list[list[tuple[int, int, str | None]]]
) -> None:
    """Any sequence of puts over files leaves the versions and the current facts of a plain list of changes."""
    path = tmp_path / f"{next(NUMBERS)}.db"
    model: dict[int, list[tuple[str, str, str | None]]] = {}
    with declared(path) as loading:
        for file in files:
            load(loading, *(penalty(record, subject, severity=severity) for record, subject, severity in file))
            for record, subject, severity in file:
                extend(model.setdefault(record, []), code(subject), severity)
    stored = {record: versions(path, penalty(record)["record_id"]) for record in model}
    expected = {
        record: [(uscc, number, status, severity) for number, (uscc, status, severity) in enumerate(line, 1)]
        for record, line in model.items()
    }
    assert stored == expected
    source = FactSource(facts_path(path))
    found = source.read([code(subject) for subject in range(3)], {"penalty": ("severity",)}).rows
    source.close()
    current = sorted((line[-1][0], str(line[-1][2])) for line in model.values())
    assert sorted((uscc, str(row["severity"])) for uscc in found for row in found[uscc]["penalty"]) == current


def extend(line: list[tuple[str, str, str | None]], uscc: str, severity: str | None) -> None:
    """Add to a record's line of versions what a put of this content means."""
    if line and line[-1] == (uscc, "CURRENT", severity):
        return
    if line and line[-1][0] != uscc:
        line.append((line[-1][0], "WITHDRAWN", line[-1][2]))
    line.append((uscc, "CURRENT", severity))
