"""Writes a sample in a process of its own: rows a second, and the most memory that the process ever held."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from bench.measures import Row
from nodes.sample import write_sample

SAMPLES = ("sample",)
SUBJECTS = 100_000
MEMBER = "320000"


def sample(folder: Path, subjects: int) -> Row:
    """Write a member's sample, with dirt and in all forms."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        rate, megabytes = pool.submit(_write, folder, subjects).result()
    return Row(name="sample", rows_per_second=round(rate, 1), memory_mb=round(megabytes, 1))


def _write(folder: Path, subjects: int) -> tuple[float, float]:
    began = time.perf_counter()
    written = write_sample(folder, MEMBER, subjects=subjects, seed=1, today=datetime.now(UTC).date(), mixed=True)
    rate = sum(written.rows.values()) / (time.perf_counter() - began)
    return rate, _most_memory() / 1024


def _most_memory() -> int:
    """Read the most kilobytes that this process held; `ru_maxrss` would begin with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
