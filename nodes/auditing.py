"""Reads a member's ledger for an auditor: entries of some days, each with the openings that open it (duty U32)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from gateway import wire
from gateway.clocks import civil_day
from gateway.ledger import entries
from gateway.ledger.auditing import Audited, Wanted, audited
from gateway.ledger.errors import OpeningInvalid
from gateway.model.ledger import LedgerPrivate
from nodes.store.ledger_reading import Held, LedgerFile, Log

_SLACK = timedelta(days=1)
"""How far a clock may have gone back: entries lie in the order of their places, and nearly in that of their times."""


def read(path: Path, wanted: Wanted) -> Iterator[Audited]:
    """Give the entries that are wanted, oldest first; one whose openings do not open it is passed over.

    That an entry is edited, gone or not opened `nodes.ledger.verify` says.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    with LedgerFile.open(path) as file:
        for log in file.logs():
            size = log.size or 0
            begins = 0 if wanted.first is None else _place(file, log, wanted.first - _SLACK)
            ends = size if wanted.last is None else _place(file, log, wanted.last + 2 * _SLACK)
            opened = (each for each in file.entries(log, begins, ends - 1) if _opens(each))
            found = (audited(log.number, each.seq - log.first, each.shared.text, each.private.text) for each in opened)
            yield from filter(wanted.takes, found)


def since(file: LedgerFile, day: date, after: tuple[int, int]) -> Iterator[Audited]:
    """Give the entries of the last log that follow a place, named with its log, or the first of a day."""
    for log in file.logs()[-1:]:
        begins = after[1] + 1 if after[0] == log.number else _place(file, log, day)
        for each in file.entries(log, begins, (log.size or 0) - 1):
            yield audited(log.number, each.seq - log.first, each.shared.text, each.private.text)


def _place(file: LedgerFile, log: Log, day: date) -> int:
    """Find the first place of a log that is not before a day, by halves."""
    low, high = 0, log.size or 0
    while low < high:
        middle = (low + high) // 2
        held = next(file.entries(log, middle, middle), None)
        if held is not None and civil_day(wire.decode(LedgerPrivate, held.private.text).log_time) < day:
            low = middle + 1
        else:
            high = middle
    return low


def _opens(held: Held) -> bool:
    try:
        return entries.entry(held.shared, held.private).data == held.data
    except OpeningInvalid:
        return False
