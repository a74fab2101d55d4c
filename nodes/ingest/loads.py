"""One file of a feed becomes facts, in one transaction: read, checked, reduced to what may be kept, and put.

Raw cells live as long as their row is read. They enter the row's digest, by which the member can be held to what
it was given, and nothing else.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import final

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.limits import ID_BYTES, SALT_BYTES
from gateway.ports import Feed
from gateway.uscc import defect, looks_like_person
from keys.bodies import keyed_digest
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
from nodes.ingest.cells import Cells, NotOursError, OutOfScopeError, RowRejectedError, RowUnplacedError
from nodes.ingest.family import DELETED, PERSONAL, Family, Kept, Scene, scene_of
from nodes.ingest.files import Fault, FileRefused, open_sheet
from nodes.ingest.report import OF_CODE, Reason, Report, Tally
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

WITHDRAWAL_PERCENT = 2
"""Share of a feed that a snapshot may withdraw without a second person's leave (duty U15)."""

_ESCAPED = str.maketrans({"\x1d": "\x1d0", "\x1e": "\x1d1", "\x1f": "\x1d2"})
"""The separators of a row's digest, and what marks them, as they are written where a cell holds them."""

_BATCH = 400
_REPORT_EVERY = 10_000


def ingest(
    path: Path,
    feed: Feed,
    loading: Loading,
    charter: Charter,
    *,
    secret: bytes,
    now: datetime,
    mode: Mode = Mode.DELTA,
    data_through: date | None = None,
    allow_withdrawals: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Load a file of a declared feed; `feed` carries the gaps of its last load, as `Source.feeds` gives it.

    `data_through` is the day up to which the file is complete, today when it is not told and never later: a feed
    that reaches beyond today could not be overdue. `progress` is told the rows read so far.

    Raises:
        FileRefused: when the file as a whole cannot be trusted; nothing was loaded.
        NotDurable: when the store could not keep it; nothing was loaded.
    """
    family = FAMILIES.get(feed.record_class)
    if family is None:
        raise FileRefused(Fault.NO_FAMILY, feed=feed.id)
    today = civil_day(now)
    day = data_through or today
    if day > today:
        raise FileRefused(Fault.FUTURE_DATA_THROUGH, feed=feed.id)
    with open_sheet(path, family.columns) as sheet, _begun(loading, feed, sheet.digest, mode, now):
        scene = scene_of(charter, feed, secret=secret, now=now)
        load = _Load(family=family, scene=scene, sheet=sheet, loading=loading, mode=mode, progress=progress)
        load.read()
        if mode is Mode.SNAPSHOT:
            _withdraw_absent(loading, family.table, allowed=allow_withdrawals)
        return _finish(load, feed, day)


@contextmanager
def _begun(loading: Loading, feed: Feed, digest: bytes, mode: Mode, now: datetime) -> Iterator[None]:
    loading.begin(feed.id, digest, mode, now)
    try:
        yield
    except BaseException:
        loading.abandon()
        raise


def _withdraw_absent(loading: Loading, table: str, *, allowed: bool) -> None:
    """Withdraw what the snapshot does not name, unless that is more than a feed loses in a normal week.

    A truncated or empty file must not wipe out a feed: everybody would look clean.
    """
    absent = loading.count_absent(table)
    held = absent + loading.counts.corrected + loading.counts.unchanged
    if absent * 100 > held * WITHDRAWAL_PERCENT and not allowed:
        raise FileRefused(Fault.WITHDRAWS_TOO_MUCH, absent=absent, held=held)
    loading.withdraw_absent(table)


def _finish(load: "_Load", feed: Feed, data_through: date) -> Report:
    tally, counts = load.tally, load.loading.counts
    # A delta does not say which of the earlier gaps it fills: only a snapshot clears them.
    gaps = tally.gaps + (feed.gaps if load.mode is Mode.DELTA else 0)
    rejected = sum(tally.rejected.values())
    version = load.loading.finish(data_through=data_through, not_ours=tally.not_ours, rejected=rejected, gaps=gaps)
    return Report(
        feed=feed.id,
        version=version,
        data_through=data_through,
        rows=tally.rows,
        accepted=counts.accepted,
        corrected=counts.corrected,
        unchanged=counts.unchanged,
        withdrawn=counts.withdrawn,
        out_of_scope=tally.out_of_scope,
        not_ours=tally.not_ours,
        rejected=dict(tally.rejected),
        gaps=gaps,
        problems=tuple(tally.problems),
    )


@final
class _Load:
    """Reads the rows of one sheet into one open load, in batches, so that memory does not grow with the file."""

    def __init__(
        self,
        *,
        family: Family,
        scene: Scene,
        sheet: Table,
        loading: Loading,
        mode: Mode,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.family, self.scene, self.sheet, self.loading, self.mode = family, scene, sheet, loading, mode
        self.progress = progress
        self.tally = Tally()
        self._feed = scene.feed.id.encode()
        self._at = {name: place for place, name in enumerate(sheet.header)}
        self._sorted = [(f"{name}\x1f", place) for name, place in sorted(self._at.items()) if name not in PERSONAL]
        self._batch: list[Kept] = []

    def read(self) -> None:
        """Read all rows."""
        for number, row in self.sheet.rows():
            self.tally.rows += 1
            self._take(number, row)
            if len(self._batch) >= _BATCH:
                self._flush()
            if self.progress is not None and self.tally.rows % _REPORT_EVERY == 0:
                self.progress(self.tally.rows)
        self._flush()
        if self.progress is not None:
            self.progress(self.tally.rows)

    def _take(self, number: int, row: list[str]) -> None:
        cells = Cells(self._at, row)
        try:
            self._place(number, row, cells)
        except RowRejectedError as error:
            self.tally.reject(number, error.column, error.reason)
            self.tally.gaps += self._may_hide(row, error.reason)
        except RowUnplacedError as error:
            self.tally.gap(number, error.column, error.reason)
            self.tally.gaps += 1
        except NotOursError:
            self.tally.not_ours += 1
        except OutOfScopeError:
            self.tally.out_of_scope += 1

    def _may_hide(self, row: list[str], reason: Reason) -> bool:
        """Say whether a rejected row may hide a record, so that its feed is not without gaps.

        A row without a well-formed code is nobody's: no subject's answer could rest on it. A measure without legal
        basis may not be used, whoever it is about.
        """
        return reason is not Reason.NO_LEGAL_BASIS and defect(row[self._at[self.family.code]]) is None

    def _place(self, number: int, row: list[str], cells: Cells) -> None:
        # 1 a subject, and no person  2 a key  3 withdrawn, or 4 what is kept; nothing hidden in what is read
        code = self._subject(cells)
        record_id = self._record_id(cells)
        if self._is_deleted(cells):
            self._withdraw(code, record_id)
            return
        kept = self.family.read(cells, self.scene)
        if cells.gaps:
            self._leave_gaps(number, cells, kept)
        salt = os.urandom(SALT_BYTES)
        kept |= {"uscc": code, "record_id": record_id, "salt": salt, "digest": self._digest(salt, row, cells)}
        if cells.gaps:
            self._put_gap(kept)
        else:
            self._batch.append(kept)

    def _subject(self, cells: Cells) -> str:
        code = self.family.subject(cells)
        found = defect(code)
        if found is not None:
            if looks_like_person(code):
                raise OutOfScopeError
            raise RowRejectedError(self.family.code, OF_CODE[found])
        return code

    def _record_id(self, cells: Cells) -> bytes:
        key = self.family.key(cells)
        if not key:
            raise RowRejectedError("", Reason.NO_KEY)
        return keyed_digest(self.scene.secret, self._feed, *(each.encode() for each in key))[:ID_BYTES]

    def _is_deleted(self, cells: Cells) -> bool:
        deleted = cells.flag(DELETED)
        if cells.gaps:
            raise RowUnplacedError(DELETED, Reason.BAD_VALUE)
        return bool(deleted)

    def _withdraw(self, code: str, record_id: bytes) -> None:
        if self.mode is Mode.DELTA:  # a snapshot withdraws what it does not name, under its guard
            self._flush()
            self.loading.withdraw(self.family.table, code, record_id)

    def _leave_gaps(self, number: int, cells: Cells, kept: Kept) -> None:
        column, reason = cells.gaps[0]
        if self.family.silence is None:
            raise RowUnplacedError(column, reason)
        self.tally.gap(number, column, reason)
        kept.update(self.family.silence)

    def _put_gap(self, kept: Kept) -> None:
        """Put a row that says nothing; one that an earlier load counted already is not counted again."""
        self._flush()
        before = self._changed()
        self.loading.put(self.family.table, [kept])
        self.tally.gaps += self.mode is Mode.SNAPSHOT or self._changed() > before

    def _changed(self) -> int:
        return self.loading.counts.accepted + self.loading.counts.corrected

    def _digest(self, salt: bytes, row: list[str], cells: Cells) -> bytes:
        # Separators are controls, escaped where a dropped cell holds them: two rows never share a text. Empty cells
        # are left out, so that a column added later changes no digest.
        if cells.hidden:
            row = [cell.translate(_ESCAPED) for cell in row]
        text = "\x1e".join([name + row[place] for name, place in self._sorted if row[place]])
        return hashlib.sha256(salt + text.encode()).digest()

    def _flush(self) -> None:
        if self._batch:
            self.loading.put(self.family.table, self._batch)
            self._batch = []
