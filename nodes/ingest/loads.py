"""One file of a feed becomes facts, in one transaction: read, checked, reduced to what may be kept, and put."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import CalendarMissing
from gateway.ports import Feed
from nodes.files import Table
from nodes.ingest import (
    abnormal,
    administrative,
    commitments,
    contracts,
    honours,
    intellectual_property,
    judicial,
    lists,
    measures,
    objections,
    penalties,
    permits,
    ratings,
    register,
    repairs,
    self_declared,
)
from nodes.ingest.family import Family, scene_of
from nodes.ingest.files import Fault, FileRefused, open_sheet
from nodes.ingest.lateness import Lateness
from nodes.ingest.report import LATE, ON_TIME, UNMEASURED, Report, Sink, Tally
from nodes.ingest.rows import Rows
from nodes.store.loading import Loading, Mode

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        each.record_class: each
        for each in (
            *(register.FAMILY, judicial.FAMILY, permits.FAMILY, penalties.FAMILY, *administrative.FAMILIES),
            *(abnormal.FAMILY, lists.FAMILY, contracts.FAMILY, commitments.FAMILY, ratings.FAMILY, honours.FAMILY),
            *(intellectual_property.FAMILY, self_declared.FAMILY, measures.FAMILY, repairs.FAMILY, objections.FAMILY),
        )
    }
)
"""The family of files of each record class; that of persons' titles (RC17) is closed and has none."""

_REPORT_EVERY = 10_000

Leave = Callable[[str, bytes, int], None]
"""Told feed, digest of the file and withdrawals, it returns when a second person allowed them.

Raises FileRefused when nobody did.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a manifest says of a file."""

    digest: bytes
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a file is to be taken.

    `data_through` is the day up to which it is complete, today when it is not told and never later: a feed that
    reaches beyond today could not be overdue.
    """

    mode: Mode = Mode.DELTA
    data_through: date | None = None
    leave: Leave | None = None
    expected: Expected | None = None
    progress: Callable[[int, float], None] | None = None
    """Told the rows read so far and the part of the file that they are, from 0 to 1."""

    sink: Sink | None = None
    """Told every problem of the file, also when the file is refused in the end."""


def ingest(
    path: Path,
    feed: Feed,
    loading: Loading,
    charter: Charter,
    *,
    secret: bytes,
    now: datetime,
    terms: Terms = Terms(),
) -> Report:
    """Load a file of a declared feed.

    Raises:
        FileRefused: when the file as a whole cannot be trusted; nothing was loaded.
        NotDurable: when the store could not keep it; nothing was loaded.
    """
    family = FAMILIES.get(feed.record_class)
    if family is None:
        raise FileRefused(Fault.NO_FAMILY, feed=feed.id)
    day = through(terms.data_through, now, feed.id)
    with open_sheet(path, family.columns) as sheet:
        if terms.expected is not None and sheet.digest != terms.expected.digest:
            raise FileRefused(Fault.OTHER_DIGEST, feed=feed.id)
        scene = scene_of(charter, feed, secret=secret, now=now, decided=family.decided)
        version = charter.directory.version
        with begun(loading, feed.id, sheet.digest, terms.mode, now, version):
            lateness = Lateness(last_day(charter, civil_day(now)), scene.today)
            rows = Rows(sheet.header, family=family, scene=scene, loading=loading, mode=terms.mode, lateness=lateness)
            rows.tally.sink = terms.sink
            _read(sheet, rows, terms.progress)
            tally = rows.finish()
            if terms.expected is not None and tally.rows != terms.expected.rows:
                raise FileRefused(Fault.OTHER_ROWS, rows=tally.rows, told=terms.expected.rows)
            if terms.mode is Mode.SNAPSHOT:
                absent = _withdraw_absent(loading, family.table, sheet.digest, charter, civil_day(now), terms, feed.id)
                tally.gaps += min(tally.nameless, absent)  # each may be one that the snapshot names, mistyped
            return finished(loading, tally, feed.id, day)


def through(told: date | None, now: datetime, feed: str) -> date:
    """Give the day up to which a file is complete.

    Raises:
        FileRefused: for one in the future.
    """
    today = civil_day(now)
    day = told or today
    if day > today:
        raise FileRefused(Fault.FUTURE_DATA_THROUGH, feed=feed)
    return day


@contextmanager
def begun(loading: Loading, feed: str, digest: bytes, mode: Mode, now: datetime, version: int) -> Iterator[None]:
    """Begin a load under a directory of this version, and undo it when anything ends it."""
    loading.begin(feed, digest, mode, now, directory_version=version)
    try:
        yield
    except BaseException:
        loading.abandon()
        raise


def last_day(charter: Charter, today: date) -> Callable[[date], date | None]:
    """Give the rule by which a decision is reported in time: the last day for one of a day, None when nobody knows."""
    rule, calendar = charter.catalogue.loading(today), charter.catalogue.calendar

    def found(decided: date) -> date | None:
        try:
            return None if rule is None else calendar.after(decided, rule.reporting_days)
        except CalendarMissing:
            return None

    return found


def finished(loading: Loading, tally: Tally, feed: str, day: date) -> Report:
    """Keep the load, and report it."""
    counts, gaps = loading.counts, loading.gaps(tally.gaps)
    version = loading.finish(data_through=day, figures=tally.figures())
    return Report(
        feed=feed,
        version=version,
        data_through=day,
        rows=tally.rows,
        accepted=counts.accepted,
        corrected=counts.corrected,
        unchanged=counts.unchanged,
        withdrawn=counts.withdrawn,
        out_of_scope=tally.out_of_scope,
        not_ours=tally.not_ours,
        held=dict(tally.held),
        rejected=dict(tally.rejected),
        notices=dict(tally.notices),
        late=tally.total(LATE),
        on_time=tally.total(ON_TIME),
        unmeasured=tally.total(UNMEASURED),
        gaps=gaps,
        by_agency=dict(tally.by_agency),
        problems=(*tally.problems, *tally.remarks),
    )


def _read(sheet: Table, rows: Rows, progress: Callable[[int, float], None] | None) -> None:
    for number, row in sheet.rows():
        rows.take(number, row)
        if progress is not None and rows.tally.rows % _REPORT_EVERY == 0:
            progress(rows.tally.rows, sheet.part())
    if progress is not None:
        progress(rows.tally.rows, 1.0)


def _withdraw_absent(
    loading: Loading, table: str, digest: bytes, charter: Charter, today: date, terms: Terms, feed: str
) -> int:
    """Withdraw what the snapshot does not name, unless that is more than a feed loses in a normal week; give how many.

    A truncated or empty file must not wipe out a feed: everybody would look clean.
    """
    absent = loading.count_absent(table)
    known = absent + loading.counts.corrected + loading.counts.unchanged
    rule = charter.catalogue.loading(today)
    percent = rule.withdrawal_percent if rule is not None else 0
    if absent * 100 > known * percent:
        if terms.leave is None:
            raise FileRefused(Fault.WITHDRAWS_TOO_MUCH, absent=absent, known=known, percent=percent)
        terms.leave(feed, digest, absent)
    return loading.withdraw_absent(table)
