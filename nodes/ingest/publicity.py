"""What penalties and permits of the double-publicity standard 双公示 share: whose row it is, and by which key."""

from collections.abc import Callable

from nodes.ingest.cells import Cells
from nodes.ingest.family import DELETED
from nodes.ingest.files import Columns

OWN_KEY = "record_key"
"""Our column for sources whose rows have a number of their own."""

_PERSON = "自然人"


def is_person(prefix: str) -> Callable[[Cells], bool]:
    """Say how a row tells that it is about a natural person: by its class, or by an ID where a code should be."""
    sort, code, number = f"{prefix}_XDR_LB", f"{prefix}_XDR_SHXYM", f"{prefix}_XDR_ZJHM"

    def found(cells: Cells) -> bool:
        return cells.text(sort) == _PERSON or (not cells.text(code) and bool(cells.text(number)))

    return found


def key(agency: str, numbers: tuple[str, ...], code: str) -> Callable[[Cells], tuple[str, ...]]:
    """Say how a row is keyed: by agency, document number and code.

    One document may name several subjects: a key without the code would let the second replace the first.
    """

    def found(cells: Cells) -> tuple[str, ...]:
        own = cells.text(OWN_KEY)
        if own:
            return (own,)
        number = cells.first(*numbers)
        return (cells.text(agency), number, cells.raw(code)) if number else ()

    return found


def columns(prefix: str, needed: str, others: str, ours: str) -> Columns:
    """Give the columns: those of the standard with their prefix, `BZ`, and our additions in lower case."""
    wanted = frozenset(f"{prefix}_{name}" for name in needed.split())
    more = frozenset(f"{prefix}_{name}" for name in (others + _IDENTIFIERS).split())
    return Columns(needed=wanted, known=wanted | more | {"BZ", OWN_KEY, DELETED, *ours.split()})


_IDENTIFIERS = (
    " XDR_MC XDR_GSZC XDR_ZZJG XDR_SWDJ XDR_SYDW XDR_SHZZ XDR_ZJLX XDR_ZJHM FRDB FR_ZJLX FR_ZJHM FR_SFZH SJLY SJLYDM"
)
