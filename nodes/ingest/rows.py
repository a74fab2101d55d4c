"""Takes rows into an open load: each is kept, held, rejected or passed over, and counted.

Raw cells live as long as their row is read. They enter the row's digest, by which the member can be held to what
it was given, and nothing else; of a row that waits for the signed tables the cells that are read stay, sealed.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import final

from gateway.divisions import is_defunct
from gateway.limits import ID_BYTES, SALT_BYTES
from gateway.uscc import defect, looks_like_person
from keys.bodies import keyed_digest
from nodes.ingest.cells import Cells, NotOursError, OutOfScopeError, RowRejectedError, RowUnplacedError
from nodes.ingest.family import DELETED, OWN_KEY, PERSONAL, REPORTED, Family, Kept, Scene, read_row
from nodes.ingest.held import Remnant, Sealing
from nodes.ingest.lateness import Lateness
from nodes.ingest.report import DELETED as DELETIONS
from nodes.ingest.report import NOT_OURS, OF_CODE, OUT_OF_SCOPE, WAITING, Reason, Tally
from nodes.store.loading import Held, Loading, Mode

_ESCAPED = str.maketrans({"\x1d": "\x1d0", "\x1e": "\x1d1", "\x1f": "\x1d2"})
"""The separators of a row's digest, and what marks them, as they are written where a cell holds them."""

_BATCH = 400
_DIVISION = slice(2, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A record of the batch that may not be said, and the row that says nothing in its place."""

    held: Held
    silent: Kept | None = None
    rejected: bool = False
    only_known: bool = False
    """Whether the row has no subject, so that nothing is missing unless the record is known."""


@final
class Rows:
    """The rows of one load, in batches, so that memory does not grow with the file."""

    def __init__(
        self, header: Sequence[str], *, family: Family, scene: Scene, loading: Loading, mode: Mode, lateness: Lateness
    ) -> None:
        """Begin with the columns of a file."""
        self.family, self.scene, self.loading, self.mode = family, scene, loading, mode
        self.tally = Tally()
        self._lateness, self._sealing = lateness, Sealing(scene.secret)
        self._feed = scene.feed.id.encode()
        self._at: Mapping[str, int] = {name: place for place, name in enumerate(header)}
        self._sorted = [(f"{name}\x1f", place) for name, place in sorted(self._at.items()) if name not in PERSONAL]
        self._reported = self._at.get(REPORTED)
        self._decided = self._at.get(family.decided)
        self._untold = "" if loading.is_first else scene.today  # what a first load brings may be of any age
        self._record = b""
        self._defunct: dict[str, bool] = {}
        self._batch: list[Kept] = []
        self._days: list[tuple[str, str]] = []
        self._pending: dict[bytes, Pending] = {}
        self._gone: dict[bytes, None] = {}

    def take(self, number: int, row: list[str]) -> None:
        """Take a row of the file."""
        self.tally.rows += 1
        self._record = b""
        cells = Cells(self._at, row)
        try:
            self._place(number, row, cells)
        except RowRejectedError as error:
            self._reject(number, row, cells, error)
        except RowUnplacedError as error:
            self._hold(number, row, cells, error.column, error.reason, None)
        except NotOursError:
            self._pass_over(cells, NOT_OURS)
        except OutOfScopeError:
            self._pass_over(cells, OUT_OF_SCOPE)

    def finish(self) -> Tally:
        """Write what is left of the last batch, and give the counts."""
        self._flush()
        self.tally.close()
        return self.tally

    def _place(self, number: int, row: list[str], cells: Cells) -> None:
        # 1 a subject, and no person  2 a key  3 withdrawn, or 4 what is kept; nothing hidden in what is read
        try:
            code = self._subject(cells)
        except (RowRejectedError, OutOfScopeError) as error:
            self._record = self._own_record(cells)
            if self._record and isinstance(error, RowRejectedError) and cells.says_yes(DELETED):
                self._withdraw(number, cells)  # a deletion names its record by the key, whatever code stands there
                return
            raise
        record = self._record = self._record_id(cells)
        if cells.flag(DELETED):
            self._withdraw(number, cells)
            return
        if cells.gaps:
            raise RowUnplacedError(*cells.gaps[0])
        kept = read_row(self.family, cells, self.scene)
        if cells.gaps:
            self._hold(number, row, cells, *incurable(cells.gaps), kept)
            return
        if record in self._pending or record in self._gone:
            self._flush()
        self._keep(number, row, cells, kept, code)

    def _keep(self, number: int, row: list[str], cells: Cells, kept: Kept, code: str) -> None:
        salt = os.urandom(SALT_BYTES)
        kept |= {"uscc": code, "record_id": self._record, "salt": salt, "digest": self._digest(salt, row, cells)}
        self._batch.append(kept)
        if self._decided is not None:
            self._days.append((row[self._decided], self._day_of(row)))
        if self._is_defunct(code[_DIVISION]):
            self.tally.notice(number, self.family.code, Reason.CODE_DEFUNCT_REGION)
        if len(self._batch) >= _BATCH:
            self._flush()

    def _is_defunct(self, division: str) -> bool:
        """Say whether a subject was registered in a division that is no more: its code stays what it was."""
        found = self._defunct.get(division)
        if found is None:
            today = date.fromisoformat(self.scene.today)
            found = self._defunct[division] = is_defunct(self.scene.catalogue.divisions, division, today)
        return found

    def _day_of(self, row: list[str]) -> str:
        told = row[self._reported] if self._reported is not None else ""
        return told or self._untold

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
        return self._named(*key)

    def _own_record(self, cells: Cells) -> bytes:
        """Give the record of a row without a subject, where the source's own key says it all; else nothing."""
        try:
            own = cells.text(OWN_KEY)
        except RowRejectedError:
            return b""
        return self._named(own) if own else b""

    def _named(self, *key: str) -> bytes:
        return keyed_digest(self.scene.secret, self._feed, *(each.encode() for each in key))[:ID_BYTES]

    def _withdraw(self, number: int, cells: Cells) -> None:
        agency = self._agency(cells)
        if not self.scene.may_write(agency):  # nor may it take away; a better file cures it
            self.tally.hold(number, agency, self.family.agency, Reason.MAY_NOT_WRITE)
            self._wait(Pending(held=Held(record_id=self._record, reason=Reason.MAY_NOT_WRITE.value)))
            return
        self.tally.by_agency[agency, DELETIONS] += 1
        self._flush()
        if not self.loading.withdraw(self.family.table, self._record):
            self.tally.notice(number, "", Reason.NOTHING_TO_WITHDRAW)

    def _reject(self, number: int, row: list[str], cells: Cells, error: RowRejectedError) -> None:
        self.tally.reject(number, self._agency(cells), error.column, error.reason)
        if error.reason is Reason.NO_LEGAL_BASIS:  # it may not be used, whoever it is about
            return
        coded = defect(row[self._at[self.family.code]]) is None
        if self._record:
            held = Held(record_id=self._record, reason=error.reason.value)
            if coded or self._record not in self._pending:
                self._wait(Pending(held=held, rejected=True, only_known=not coded))
        elif coded:
            self.tally.gaps += 1
        else:  # nobody's, unless a snapshot lacks a record that it may be
            self.tally.nameless += 1

    def _hold(self, number: int, row: list[str], cells: Cells, column: str, reason: Reason, kept: Kept | None) -> None:
        """Hold a record; what it said is silenced where its family can say nothing."""
        code, salt = cells.raw(self.family.code), os.urandom(SALT_BYTES)
        digest = self._digest(salt, row, cells)
        silent = None
        try:
            body = self._body(row, cells, salt, digest) if reason in WAITING else None
        except RowRejectedError as error:
            self._reject(number, row, cells, error)
            return
        if kept is not None and self.family.silence is not None:
            silent = {**kept, **self.family.silence}
            silent |= {"uscc": code, "record_id": self._record, "salt": salt, "digest": digest}
        self.tally.hold(number, self._agency(cells), column, reason)
        self._wait(Pending(held=Held(record_id=self._record, reason=reason.value, body=body), silent=silent))

    def _body(self, row: list[str], cells: Cells, salt: bytes, digest: bytes) -> bytes:
        code = cells.raw(self.family.code)
        remnant = Remnant.of(cells, self.family, uscc=code, salt=salt, digest=digest, reported=self._day_of(row))
        return self._sealing.seal(remnant)

    def _wait(self, pending: Pending) -> None:
        if self._record in self._gone:
            self._flush()
        self._pending[self._record] = pending
        if len(self._pending) >= _BATCH:
            self._flush()

    def _pass_over(self, cells: Cells, name: str) -> None:
        self.tally.pass_over(self._agency(cells), name)
        if self._record:  # it is known now whose it is: what this member said of it is said no more (duty U4)
            self._pending.pop(self._record, None)
            self._gone[self._record] = None
            if len(self._gone) >= _BATCH:
                self._flush()

    def _agency(self, cells: Cells) -> str:
        """Name the agency of a row that is not kept, where the row names one."""
        return self.scene.agency_of(cells, self.family.agency)

    def _digest(self, salt: bytes, row: list[str], cells: Cells) -> bytes:
        # Separators are controls, escaped where a dropped cell holds them: two rows never share a text. Empty cells
        # are left out, so that a column added later changes no digest.
        if cells.hidden:
            row = [cell.translate(_ESCAPED) for cell in row]
        text = "\x1e".join([name + row[place] for name, place in self._sorted if row[place]])
        return hashlib.sha256(salt + text.encode()).digest()

    def _flush(self) -> None:
        batch, days, pending = self._batch, self._days, self._pending
        if batch:
            fresh = self.loading.put(self.family.table, batch)
            self.tally.store(row.get("agency") or "" for row in batch)
            if days:
                self._measure(fresh, batch, days)
            self._batch, self._days = [], []
        if pending:
            self._hold_pending(tuple(pending.values()))
            self._pending = {}
        for record in self._gone:
            self.loading.withdraw(self.family.table, record)
        self._gone = {}

    def _hold_pending(self, pending: Sequence[Pending]) -> None:
        """Hold what waits; a rejected row names its record, so that a snapshot does not withdraw it by absence."""
        table = self.family.table
        self.loading.put_silent(table, [each.silent for each in pending if each.silent])
        doubtful = [each.held.record_id for each in pending if each.only_known]
        known = self.loading.current(table, doubtful) if doubtful else frozenset()
        self.loading.hold([each.held for each in pending if not each.only_known or each.held.record_id in known])
        self.loading.name(table, [each.held.record_id for each in pending if each.rejected])

    def _measure(self, fresh: Sequence[int], batch: Sequence[Kept], days: Sequence[tuple[str, str]]) -> None:
        """Measure records that are new; of what came before them nobody can say when it was reported."""
        for place in fresh:
            decided, reported = days[place]
            if reported:
                self.tally.by_agency[batch[place].get("agency") or "", self._lateness.of(decided, reported)] += 1


def incurable(gaps: Sequence[tuple[str, Reason]]) -> tuple[str, Reason]:
    """Give the first gap that newer tables do not cure, else the first of all."""
    return next((each for each in gaps if each[1] not in WAITING), gaps[0])
