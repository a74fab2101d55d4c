"""The newest time that publishers signed: a clock far behind it is wrong, after a restart too.

It holds as long as the root names enough of the keys that said it: whoever turns stolen publisher keys over in the
root takes back what a thief said of the time, as TUF takes back versions (TUF 1.0, section 5.3.11).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from keys import moments
from keys.bundle.layout import TIMESTAMP
from keys.directory import Directory
from nodes.bundle.stops import replace_file


def time_floor(path: Path, directory: Directory) -> datetime:
    """Give the newest signed time, that of a bundle or the one kept in a file, and keep it there.

    Raises:
        OSError: when the disk refuses.
    """
    (seat,) = (each for each in directory.roles if each.name == TIMESTAMP)
    kept, hands = _read(path)
    if (
        kept
        and kept >= directory.issued_time
        and len({key.id for key in seat.keys}.intersection(hands)) >= seat.threshold
    ):
        return kept
    replace_file(path, " ".join((moments.write(directory.issued_time), *seat.signed_by)).encode())
    return directory.issued_time


def _read(path: Path) -> tuple[datetime | None, Iterable[str]]:
    try:
        time, *hands = path.read_text(encoding="ascii").split()
        return moments.read(time), hands
    except (OSError, ValueError):
        return None, ()
