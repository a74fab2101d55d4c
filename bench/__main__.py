"""scripts/bench [NAME ...] [--json] [--quick]: every figure beside a bare gRPC echo of the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.bundles import BUNDLES, bundles
from bench.checks import CHECKS, checks
from bench.exchanges import EXCHANGES, Scale, exchanges
from bench.grants import GRANTS, grants
from bench.ingests import INGESTS, ingests
from bench.ledgers import LEDGERS, ledgers
from bench.measures import Row, own_memory, percentile
from bench.populations import code, fill
from bench.relays import RELAYS, relays
from bench.samples import SAMPLES, SUBJECTS, sample
from nodes.config import DATABASE
from nodes.federation import REFERENCE, feeds
from nodes.lab import build
from nodes.store import Store

READS = ("read_100k", "read_5m", "memory_mb")
ALL = [*EXCHANGES, *RELAYS, *CHECKS, *GRANTS, *READS, *SAMPLES, *INGESTS, *BUNDLES, *LEDGERS]
COLUMNS = {
    "register": ("lifecycle", "division", "valid_from", "valid_until", "predecessor", "successor", "branch_of"),
    "penalty": ("domain", "severity", "decided_on", "repaired_on", "annulled_on", "exempt", "publish_not_before"),
}


def main() -> int:
    """Run the benches that were named, or all."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*ALL, []])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the size; shows only that it runs")
    given = parser.parse_args()
    names = given.names or ALL
    scale = Scale(divisor=100 if given.quick else 1)
    with tempfile.TemporaryDirectory(prefix="yrdx-bench-") as folder:
        rows = list(_rows(Path(folder), names, scale))
    if given.json:
        json.dump({"rows": [each.to_dict() for each in rows]}, sys.stdout)
        sys.stdout.write("\n")
    else:
        _print(rows)
    return 0


def _rows(folder: Path, names: list[str], scale: Scale) -> list[Row]:
    rows: list[Row] = []
    if set(names) & set(EXCHANGES):
        found = asyncio.run(exchanges(folder / "exchanges", names, scale, _say))
        rows += [each for each in found if each.name in names or each.name == "bare_echo"]
    if set(names) & set(RELAYS):
        rows += asyncio.run(relays(folder / "relays", names, scale, _say))
    if set(names) & set(CHECKS):
        rows += asyncio.run(checks(folder / "checks", scale, _say))
    if set(names) & set(GRANTS):
        rows += grants(scale.divisor, _say)
    if "read_100k" in names:
        rows.append(_read("read_100k", folder / "100k", 100_000 // scale.divisor))
    if {"read_5m", "memory_mb"} & set(names):
        subjects = 5_000_000 // scale.divisor
        row = _read("read_5m", folder / "5m", subjects)
        rows += [row] if "read_5m" in names else []
        if "memory_mb" in names:
            rows.append(_memory(folder / "5m", subjects))
    if "sample" in names:
        _say(f"sample: writing {SUBJECTS // scale.divisor} subjects")
        rows.append(sample(folder / "sample", SUBJECTS // scale.divisor))
    if set(names) & set(INGESTS):
        rows += ingests(folder / "ingest", names, scale, _say)
    if set(names) & set(BUNDLES):
        rows += bundles(folder / "bundles", names, scale, _say)
    if set(names) & set(LEDGERS):
        rows += ledgers(folder / "ledgers", names, scale, _say)
    return rows


def _read(name: str, folder: Path, subjects: int) -> Row:
    """Read random codes, one at a time, from a store of that many subjects."""
    _say(f"{name}: loading {subjects} subjects")
    store = Store.open(folder / "data" / DATABASE, bytes(32))
    with store.loading() as loading:
        fill(loading, feeds(REFERENCE, "320000"), subjects, datetime.now(UTC))
    chance = random.Random(7)
    codes = [code(chance.randrange(subjects)) for _ in range(40_000)]
    for each in codes[:20_000]:
        store.source.read((each,), COLUMNS)
    spent = []
    began = time.perf_counter()
    for each in codes[20_000:]:
        start = time.perf_counter()
        store.source.read((each,), COLUMNS)
        spent.append((time.perf_counter() - start) * 1000)
    rate = len(spent) / (time.perf_counter() - began)
    store.close()
    spent.sort()
    p50, p99 = round(percentile(spent, 0.5), 4), round(percentile(spent, 0.99), 4)
    return Row(name=name, calls_per_second=round(rate, 1), codes_per_second=round(rate, 1), p50_ms=p50, p99_ms=p99)


def _memory(folder: Path, subjects: int) -> Row:
    """Serve random questions from a node over that store, and read the memory that is its own."""
    from bench.exchanges import ask_some

    lab = build(folder / "lab")
    data = lab.config("320000").data
    data.parent.mkdir(parents=True, exist_ok=True)
    if data.exists():
        data.rmdir()
    data.symlink_to(folder / "data")
    (folder / "data" / DATABASE).unlink(missing_ok=True)
    lab.start("320000")
    try:
        asyncio.run(ask_some(lab, subjects, 400))
        memory = own_memory(str(lab.status("320000")["process_id"]))
    finally:
        lab.stop()
    return Row(name="memory_mb", memory_mb=round(memory, 1))


def _print(rows: list[Row]) -> None:
    table = Table()
    names = (
        "name",
        "calls_per_second",
        "codes_per_second",
        "rows_per_second",
        "p50_ms",
        "p99_ms",
        "ratio_to_bare_echo",
        "ratio_to_plain_insert",
        "ratio_to_direct",
        "ratio_to_unlogged",
        "memory_mb",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "name" else "right")
    for each in rows:
        held = each.to_dict()
        table.add_row(*(str(held.get(name, "")) for name in names))
    Console().print(table)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


Say = Callable[[str], None]

if __name__ == "__main__":
    sys.exit(main())
