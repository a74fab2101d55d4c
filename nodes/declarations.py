"""The member's declaration of feeds as a file beside its config: which agency delivers what, how often, since when."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from gateway.errors import CatalogueMalformed
from gateway.ports import Feed
from gateway.tables import read_all

FILE = "feeds.json"
_DECLARED = ("id", "agency", "domain", "division", "record_class", "frequency_days", "history_from")


def write_feeds(path: Path, feeds: Iterable[Feed]) -> None:
    """Write a declaration."""
    rows = [{name: _plain(getattr(each, name)) for name in _DECLARED} for each in feeds]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


def read_feeds(path: Path) -> tuple[Feed, ...]:
    """Read a declaration.

    Raises:
        CatalogueMalformed: naming the place of a fault; correct the file and run the command again.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogueMalformed(
            f"{path.name} cannot be read ({type(error).__name__}); restore or correct it"
        ) from error
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise CatalogueMalformed(f"{path.name}: expected a list of feeds; correct it")
    return read_all(Feed, [{"data_through": None, "gaps": 0, **row} for row in rows], path.name)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
