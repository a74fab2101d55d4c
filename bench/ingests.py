"""A member's files through `yrdx ingest`, beside a plain bulk insert of the same rows, and answers while it runs."""

from __future__ import annotations

import asyncio
import csv
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from bench.exchanges import ORIGIN, Client, Scale, open_budget, storage_key
from bench.measures import Call, Round, Row, one_round, row
from bench.populations import fill
from nodes.config import DATABASE
from nodes.federation import REFERENCE, feeds
from nodes.lab import Lab, build
from nodes.sample import write_sample
from nodes.store import Store

INGESTS = ("ingest", "ingest_plain_insert", "ask_quiet", "ask_loading")
SUBJECTS = 100_000
KNOWN = 100_000
ROUNDS = 3
CALLS = 2_000
ACCEPTED = frozenset({0, 3})
_BATCH = 1_000
_LOOK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """One run of the command: rows a second, and the most memory of its own that was seen."""

    rate: float
    megabytes: float


def ingests(folder: Path, names: list[str], scale: Scale, say: Callable[[str], None]) -> list[Row]:
    """Run the benches over one member's sample, with dirt and in all forms."""
    subjects = scale.of(SUBJECTS, 1_000)
    say(f"ingest: writing {subjects} subjects")
    files = folder / "files"
    written = write_sample(files, ORIGIN, subjects=subjects, seed=1, today=datetime.now(UTC).date(), mixed=True)
    count = sum(written.rows.values())
    rows: list[Row] = []
    if {"ingest", "ingest_plain_insert"} & set(names):
        rows += _side_by_side(folder, files, count, say)
    if {"ask_quiet", "ask_loading"} & set(names):
        rows += asyncio.run(_asked(folder / "asked", files, scale, say))
    return [each for each in rows if each.name in names]


def _side_by_side(folder: Path, files: Path, count: int, say: Callable[[str], None]) -> list[Row]:
    say(f"ingest: {ROUNDS} rounds of {count} rows, each after a plain insert of them")
    plain, loads = [], []
    for number in range(ROUNDS):
        plain.append(_plain_insert(folder / f"plain-{number}.db", files))
        loads.append(_ingest(build(folder / f"lab-{number}"), files, count))
    ratio = statistics.median(mine.rate / rate for mine, rate in zip(loads, plain, strict=True))
    found = Row(
        name="ingest",
        rows_per_second=round(statistics.median(each.rate for each in loads), 1),
        ratio_to_plain_insert=round(ratio, 3),
        memory_mb=round(max(each.megabytes for each in loads), 1),
    )
    return [found, Row(name="ingest_plain_insert", rows_per_second=round(statistics.median(plain), 1))]


def _plain_insert(path: Path, files: Path) -> float:
    """Insert every CSV row as it stands, unchecked, a table a file; workbooks hold too few rows to matter."""
    database = Database(path, execute_plugins=False)
    database.enable_wal()
    encodings = {each: _encoding(each) for each in sorted(files.glob("*.csv"))}
    began, count = time.perf_counter(), 0
    for file, encoding in encodings.items():
        table = database.table(file.name.partition(".")[0])
        for batch in _batches(file, encoding):
            table.insert_all(batch, batch_size=_BATCH)
            count += len(batch)
    rate = count / (time.perf_counter() - began)
    database.close()
    return rate


def _encoding(file: Path) -> str:
    """Say how a file is written; one that is no UTF-8 is GB18030. Not timed."""
    try:
        with file.open(encoding="utf-8-sig") as looked:
            for _ in looked:
                pass
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def _batches(file: Path, encoding: str) -> Iterator[list[dict[str, str]]]:
    """Read a file in pieces."""
    with file.open(encoding=encoding, newline="") as opened:
        batch: list[dict[str, str]] = []
        for each in csv.DictReader(opened):
            batch.append(each)
            if len(batch) == 50 * _BATCH:
                yield batch
                batch = []
        yield batch


def _ingest(lab: Lab, files: Path, count: int) -> _Load:
    began = time.perf_counter()
    process = _started(lab, files)
    most = 0
    while process.poll() is None:
        most = max(most, _own_memory(process.pid))
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK)
    if process.returncode not in ACCEPTED:
        raise RuntimeError(f"ingest ended with {process.returncode}")
    return _Load(rate=count / (time.perf_counter() - began), megabytes=most / 1024)


def _started(lab: Lab, files: Path) -> subprocess.Popen[bytes]:
    config = lab.home(ORIGIN) / "node.toml"
    command = [sys.executable, "-P", "-m", "nodes.cli", "ingest", str(files), "--config", str(config), "--json"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def _own_memory(process_id: int) -> int:
    """Read the kilobytes that are the process's own; 0 when it has ended."""
    with suppress(OSError, StopIteration):
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")))
    return 0


async def _asked(folder: Path, files: Path, scale: Scale, say: Callable[[str], None]) -> list[Row]:
    """Ask a node one question at a time, in peace and while a load fills its facts."""
    lab = build(folder)
    lab.edits.append(open_budget)
    known = scale.of(KNOWN, 1_000)
    store = Store.open(lab.config(ORIGIN).data / DATABASE, storage_key(lab, ORIGIN))
    with store.loading() as loading:
        fill(loading, feeds(REFERENCE, ORIGIN), known, datetime.now(UTC))
    store.close()
    lab.start(ORIGIN)
    client = Client(lab, known)
    try:
        say("ask_quiet, ask_loading: one question at a time, in peace and while a load runs")
        await one_round(client.ask, scale.of(200, 20), 1)
        quiet = await one_round(client.ask, scale.of(CALLS, 50), 1)
        process = await asyncio.to_thread(_started, lab, files)
        busy = await _until(client.ask, process)
    finally:
        await client.close()
        lab.stop()
    return [row("ask_quiet", [quiet]), row("ask_loading", [busy])]


async def _until(call: Call, process: subprocess.Popen[bytes]) -> Round:
    """Ask until a process has ended."""
    rounds = []
    while process.poll() is None:
        rounds.append(await one_round(call, 20, 1))
    if process.returncode not in ACCEPTED:
        raise RuntimeError(f"ingest ended with {process.returncode}")
    spent = tuple(one for each in rounds for one in each.milliseconds)
    return Round(rate=1000 * len(spent) / sum(spent), milliseconds=spent)
