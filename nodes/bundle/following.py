"""Follows the bundle: what a quorum signed takes effect without a restart, and whatever fails, the last good one stays.

Workers share one folder: one of them asks the mirrors, the others take what it found from the disk.
"""

from __future__ import annotations

import fcntl
import random
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from io import BufferedRandom
from pathlib import Path
from typing import IO

from tuf.api.exceptions import DownloadError, RepositoryError

from gateway.charter import Charter, charter, is_behind, stage_of
from gateway.errors import CatalogueMalformed
from gateway.limits import Limits
from gateway.model.codes import BundleStage
from keys.bundle import archive
from keys.directory import Directory, open_bundle
from keys.errors import KeysError
from nodes.bundle.archives import Archives
from nodes.bundle.client import Fault, Trusted, fault, is_trusted, is_unchanged, refresh
from nodes.bundle.fetching import Visit
from nodes.bundle.floor import time_floor
from nodes.bundle.source import Source
from nodes.bundle.stops import STOPS, OwnStop, read_stops, replace_file
from nodes.config import Config

FOLDER = "bundle"
QUICK_SECONDS = 4.0
"""Between two polls while the bundle is not current: a node that lost its way finds back by itself."""

JITTER = 0.25
"""Share by which a pause is longer or shorter, so that members do not ask all at once."""

FIRST_SECONDS = 30.0
"""How long a worker waits for the first bundle that another one fetches."""


class BundleMissing(KeysError):
    """There is no bundle to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """How the last visit to a mirror went; no fault when it had what is current."""

    address: str
    visit_time: datetime
    fault: Fault | None = None
    seconds: float = 0.0


class Following:
    """The charter in force."""

    def __init__(self, source: Source, draw: Callable[[], float] = random.random) -> None:
        """Take the bundle that is kept, or fetch the first one.

        Raises:
            BundleMissing: naming what is wrong with each mirror, when there is none.
            KeysError: when the member's own stops do not verify.
            OSError: when the data folder cannot be written.
        """
        self._source, self._draw = source, draw
        self._folder = source.data / FOLDER
        self._trusted = self._folder / "trusted"
        self._trusted.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._archives = Archives(self._folder / "archives")
        self.mirrors: tuple[Mirror, ...] = ()
        self.stops: tuple[OwnStop, ...] = ()
        self.stops_refused = False
        self._stretch = 1.0
        self._mutex, self._turn = threading.Lock(), threading.Lock()
        self._lock: BufferedRandom | None = None
        self._held: Mapping[str, bytes] = {}
        self._seen: dict[Path, tuple[int, int]] = {}
        self._current: Charter | None = None
        self._whole: Directory | None = None  # without the member's own stops
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def current(self) -> Charter:
        """The charter in force."""
        if self._current is None:
            raise BundleMissing("no bundle was taken yet; wait for the first one")
        return self._current

    def kept(self, version: int, time: datetime) -> bytes:
        """Give the archive of a version's bundle as it was in force at a time, or nothing when none was here."""
        return self._archives.at(version, time)

    def in_force(self, time: datetime) -> bytes:
        """Give the archive that was in force at a time, or nothing when none was here."""
        return self._archives.in_force(time)

    def pause(self) -> float:
        """Say how many seconds lie between the last poll and the next: few once the bundle is not current."""
        now, normal = self._source.clock(), self._source.poll_seconds
        lost = is_behind(self.current, now) or stage_of(self.current, now) is not BundleStage.NORMAL
        return min(QUICK_SECONDS if lost else normal, normal) * self._stretch

    def leads(self) -> bool:
        """Say whether this worker asks the mirrors: the first to hold the folder does, until it ends."""
        if self._lock is None:
            lock = (self._folder / "poll.lock").open("a+b")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                return False
            self._lock = lock
        return True

    def look(self) -> bool:
        """Take from the disk what another worker fetched and what the member stopped; say whether anything changed."""
        found = self._fetched()
        whole = found or self._whole or self.current.directory
        if not self._stopped(whole) and found is None:
            return False
        self._put(whole)
        return True

    def poll(self) -> bool:
        """Ask every mirror at once, so that a slow one holds up none; say whether a newer bundle took effect."""
        self._stretch = 1 + JITTER * (2 * self._draw() - 1)
        if not self.leads():
            return False
        now, before, mirrors = self._source.clock(), self._current, self._source.mirrors
        with ThreadPoolExecutor(max_workers=len(mirrors)) as pool:
            self.mirrors = tuple(pool.map(partial(self._visit, now), range(len(mirrors)), mirrors))
        return self._current is not before

    def close(self) -> None:
        """Let another worker lead."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _visit(self, now: datetime, place: int, mirror: str) -> Mirror:
        """Visit a mirror. One that fails has given nothing: what was trusted before stays."""
        began, found, scratch = time.monotonic(), None, self._folder / "visits" / str(place)
        with Visit() as visit:
            try:
                if self._has_news(mirror, now, visit):
                    self._bring(scratch, mirror, now, visit)
            except (RepositoryError, DownloadError, KeysError, CatalogueMalformed, OSError, ValueError) as error:
                found = fault(error, visit)
        return Mirror(address=mirror, visit_time=now, fault=found, seconds=time.monotonic() - began)

    def _has_news(self, mirror: str, now: datetime, visit: Visit) -> bool:
        """Say whether to walk through all that is signed: a role that has ended is to be named, too."""
        with self._turn:
            whole, held = self._whole, self._held
            known = is_trusted(self._trusted, held)
        if whole is None or now >= min(whole.expire_time, whole.close_time) or not known:
            return True
        return not is_unchanged(mirror, held, visit)

    def _bring(self, scratch: Path, mirror: str, now: datetime, visit: Visit) -> None:
        """Walk through what a mirror has beside what is trusted, then take it, one mirror after the other."""
        try:
            with self._turn:
                shutil.rmtree(scratch, ignore_errors=True)
                shutil.copytree(self._trusted, scratch, symlinks=True)
            found = self._refresh(scratch, mirror, now, visit)
            with self._fetch(mirror, found, visit) as file, self._turn:
                visit.end()
                self._take(self._refresh(self._trusted, mirror, now, visit), file)
        except (RepositoryError, DownloadError):
            # What it showed of roots and versions is trusted from now on, whatever else it lacks.
            with self._turn, suppress(RepositoryError, DownloadError):
                visit.end()
                self._refresh(self._trusted, mirror, now, visit)
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _refresh(self, folder: Path, mirror: str, now: datetime, visit: Visit) -> Trusted:
        limits = self._current.catalogue.limits if self._current else Limits()
        skew = timedelta(seconds=limits.clock_skew)
        return refresh(folder, mirror, root=self._source.root, now=now, skew=skew, visit=visit)

    def _fetch(self, mirror: str, found: Trusted, visit: Visit) -> AbstractContextManager[IO[bytes] | None]:
        """Fetch the archive of a snapshot that is not held, to the disk: of many large ones one is read at a time."""
        if found.snapshot_in(self._held):
            return nullcontext()
        return visit.download_file(f"{mirror}archives/{found.snapshot}.tar", archive.SIZE_LIMIT)

    def _take(self, trusted: Trusted, file: IO[bytes] | None) -> None:
        """Make the archive of what is trusted: our own metadata, and the mirror's files that the metadata name."""
        if all(self._held.get(name) == content for name, content in trusted.files.items()):
            return
        packed = file.read() if file and not trusted.snapshot_in(self._held) else self.current.directory.archive
        directory = self._open(archive.pack({**archive.unpack(packed), **trusted.files}))
        self._put(directory, keep=trusted.files[trusted.snapshot_name])
        self._held = trusted.files

    def _begin(self) -> None:
        """Find a first bundle: the kept one, a mirror's, or one that another worker fetches."""
        ends = time.monotonic() + FIRST_SECONDS
        while self._current is None:
            found = self._fetched()
            if found is not None:
                self._stopped(found, first=True)
                self._put(found)
                self._held = {
                    name: each for name, each in archive.unpack(found.archive).items() if name.startswith("metadata/")
                }
            elif self.leads():
                self.poll()
                if self._current is None:
                    raise BundleMissing(f"no mirror has a bundle: {self._problems()}; correct [bundle] mirrors or root")
            elif time.monotonic() > ends:
                raise BundleMissing("another worker fetches the first bundle and does not end; see its log")
            else:
                time.sleep(0.1)

    def _problems(self) -> str:
        found = [f"{each.fault.problem} {each.fault.role}".strip() for each in self.mirrors if each.fault]
        return ", ".join(found) or "none is named"

    def _fetched(self) -> Directory | None:
        """Open the kept bundle, when it is another than this worker has."""
        path = self._folder / "current"
        with self._mutex:
            changed = self._stamp(path)
        with suppress(OSError, ValueError, KeysError):
            if changed:
                return self._open(self._archives.read(path.read_text(encoding="ascii")))
        return None

    def _stopped(self, directory: Directory, *, first: bool = False) -> bool:
        """Read the member's own stops when they changed; such as do not verify leave those before in force."""
        path = self._source.data / STOPS
        if not self._stamp(path):
            return False
        try:
            past = self._archives.earlier(self._source.root)
            self.stops, self.stops_refused = read_stops(path, self._source.me, directory, past), False
        except (OSError, KeysError):
            if first:
                raise
            self.stops_refused = True
            return False
        return True

    def _stamp(self, path: Path) -> bool:
        """Say whether a file is another than it was when this was asked last."""
        try:
            status = path.stat()
            found = status.st_mtime_ns, status.st_ino
        except FileNotFoundError:
            found = 0, 0
        before, self._seen[path] = self._seen.get(path, (0, 0)), found
        return found != before

    def _open(self, packed: bytes) -> Directory:
        return open_bundle(packed, root=self._source.root)

    def _put(self, directory: Directory, *, keep: bytes = b"") -> None:
        """Put a bundle in force under the member's own stops; with its snapshot to `keep` it is written to disk before.

        Raises:
            MemberUnknown, CatalogueMalformed: when its tables contradict themselves; nothing has changed then.
        """
        with self._mutex:  # the watch may read new stops while a poll takes a new bundle
            found = charter(self._source.me, directory, self._source.kinds, stops=[each.stop for each in self.stops])
            now, name = self._source.clock(), ""
            if keep:
                name = self._archives.keep(directory.archive, version=directory.version, snapshot=keep, now=now)
            self._whole = directory
            self._current = replace(found, time_floor=time_floor(self._folder / "time.floor", directory))
            if name:  # last: whoever reads it may count on the bundle being in force
                replace_file(self._folder / "current", name.encode())
                self._stamp(self._folder / "current")


def current_charter(config: Config) -> Charter:
    """Give the charter in force for a command beside the node: the node's bundle while it runs, else a fresh one.

    Raises:
        OSError, KeysError, CatalogueMalformed: when there is none.
    """
    following = Following(Source.of(config))
    try:
        following.poll()
        return following.current
    finally:
        following.close()
