"""Held rows are read again under newer signed tables, without their file (duty U16).

Each feed's is a load of its own that moves no day. A row that turns out to be another member's is counted and let
go; one that still makes no sense stays.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.ports import Feed
from keys.errors import BodyUnreadable
from nodes.ingest.cells import NotOursError, RowAsideError
from nodes.ingest.family import Family, Kept, Scene, read_row, scene_of
from nodes.ingest.held import Remnant, Sealing
from nodes.ingest.lateness import Lateness
from nodes.ingest.loads import FAMILIES, begun, finished, last_day
from nodes.ingest.report import NOT_OURS, WAITING, Reason, Report, Tally
from nodes.ingest.rows import incurable
from nodes.store.loading import Held, Loading, Mode, Waiting

_BATCH = 400
_NO_FILE = b""


def release(
    loading: Loading, charter: Charter, feeds: dict[str, Feed], *, secret: bytes, now: datetime, again: bool = False
) -> Iterator[Report]:
    """Read what waits again, feed by feed: what was last read under other tables, or with `again` all of it.

    Raises:
        NotDurable: when the store could not keep a feed's; the feeds before stay released.
    """
    version = charter.directory.version
    for name in loading.feeds_waiting(but_version=None if again else version):
        feed, family = feeds[name], FAMILIES.get(feeds[name].record_class)
        if family is None:
            continue
        with begun(loading, name, _NO_FILE, Mode.DELTA, now, version):
            scene = scene_of(charter, feed, secret=secret, now=now, decided=family.decided)
            tally = _Release(family, scene, loading, Lateness(last_day(charter, civil_day(now)), scene.today)).run()
            yield finished(loading, tally, name, feed.data_through or civil_day(now))


class _Release:
    """The held rows of one feed, in batches."""

    def __init__(self, family: Family, scene: Scene, loading: Loading, lateness: Lateness) -> None:
        self.family, self.scene, self.loading, self.lateness = family, scene, loading, lateness
        self.sealing, self.tally = Sealing(scene.secret), Tally()

    def run(self) -> Tally:
        """Read all that waits."""
        last = b""
        while batch := self.loading.waiting(after=last, limit=_BATCH):
            last = batch[-1].record_id
            self._take(batch)
        self.tally.close()
        return self.tally

    def _take(self, batch: tuple[Waiting, ...]) -> None:
        rows: list[Kept] = []
        remnants: list[Remnant] = []
        held: list[Held] = []
        for each in batch:
            self.tally.rows += 1
            try:
                remnant = self.sealing.open(each.body)
            except BodyUnreadable:
                held.append(self._keep_waiting(each, "", "", Reason.UNREADABLE_BODY))
                continue
            found = self._read(each, remnant)
            if isinstance(found, Held):
                held.append(found)
            elif found is not None:
                salted = {"uscc": remnant.uscc, "record_id": each.record_id}
                rows.append(found | salted | {"salt": remnant.salt, "digest": remnant.digest})
                remnants.append(remnant)
        self._put(rows, remnants)
        self.loading.hold(held)

    def _read(self, waiting: Waiting, remnant: Remnant) -> Kept | Held | None:
        """Give what may be said now, or why it still waits, or None for another member's."""
        cells = remnant.read()
        agency = self.scene.agency_of(cells, self.family.agency)
        try:
            kept = read_row(self.family, cells, self.scene)
        except NotOursError:
            self.tally.pass_over(agency, NOT_OURS)
            self.loading.withdraw(self.family.table, waiting.record_id)
            return None
        except RowAsideError as error:
            return self._keep_waiting(waiting, agency, error.column, error.reason)
        return self._keep_waiting(waiting, agency, *incurable(cells.gaps)) if cells.gaps else kept

    def _keep_waiting(self, waiting: Waiting, agency: str, column: str, reason: Reason) -> Held:
        """Keep the body as long as newer tables may help."""
        self.tally.hold(self.tally.rows, agency, column, reason)
        body = waiting.body if reason in WAITING else None
        return Held(record_id=waiting.record_id, reason=reason.value, body=body)

    def _put(self, rows: list[Kept], remnants: list[Remnant]) -> None:
        fresh = self.loading.put(self.family.table, rows)
        self.tally.store(each.get("agency") or "" for each in rows)
        for place in fresh:
            remnant = remnants[place]
            decided = remnant.cells.get(self.family.decided, "")
            if decided and remnant.reported:
                name = self.lateness.of(decided, remnant.reported)
                self.tally.by_agency[rows[place].get("agency") or "", name] += 1
