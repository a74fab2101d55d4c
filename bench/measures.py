"""Times many calls in flight and gives rates and percentiles; ratios are taken round by round in one run."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: how many a second, and each call's milliseconds."""

    rate: float
    milliseconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; None where a figure makes no sense for the row."""

    name: str
    calls_per_second: float | None = None
    codes_per_second: float | None = None
    rows_per_second: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    ratio_to_bare_echo: float | None = None
    ratio_to_plain_insert: float | None = None
    ratio_to_direct: float | None = None
    ratio_to_unlogged: float | None = None
    memory_mb: float | None = None

    def to_dict(self) -> dict[str, str | float]:
        """Give the figures that the row has."""
        return {name: value for name, value in asdict(self).items() if value is not None}


async def one_round(call: Call, calls: int, in_flight: int) -> Round:
    """Run a number of calls with so many in flight at a time."""
    numbers, spent = iter(range(calls)), []

    async def worker() -> None:
        for number in numbers:
            began = time.perf_counter()
            await call(number)
            spent.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return Round(rate=calls / (time.perf_counter() - began), milliseconds=tuple(spent))


def row(name: str, rounds: Sequence[Round], *, codes: int = 0, echoes: Sequence[Round] = ()) -> Row:
    """Summarise rounds by their medians; the ratio is the median of each round's own ratio to its echo."""
    rate = statistics.median(each.rate for each in rounds)
    spent = sorted(one for each in rounds for one in each.milliseconds)
    ratios = [mine.rate / bare.rate for mine, bare in zip(rounds, echoes, strict=False)]
    return Row(
        name=name,
        calls_per_second=round(rate, 1),
        codes_per_second=round(rate * codes, 1) if codes else None,
        p50_ms=round(percentile(spent, 0.50), 3),
        p99_ms=round(percentile(spent, 0.99), 3),
        ratio_to_bare_echo=round(statistics.median(ratios), 3) if ratios else None,
    )


def own_memory(process: str = "self") -> float:
    """Give the memory of a process in MiB that is its own: not the pages of files that it reads."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))) / 1024


def percentile(ordered: Sequence[float], share: float) -> float:
    """Give a percentile of ordered figures."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
