"""What penalties and permits of the double-publicity standard 双公示 share: whose row it is, and by which key."""

from collections.abc import Callable

from gateway.uscc import defect, looks_like_person
from nodes.ingest.cells import Cells, OutOfScopeError, RowRejectedError
from nodes.ingest.family import DELETED, OWN_KEY, REPORTED
from nodes.ingest.files import Columns
from nodes.ingest.references import folded_number
from nodes.ingest.report import OF_CODE, Reason

ATTRIBUTED = "attributed_uscc"
"""Our column for the company that answers for the conduct of the person whom the row is about."""

_PERSON = "自然人"
_BODIES = frozenset({"法人及非法人组织", "个体工商户"})


def subject(prefix: str) -> Callable[[Cells], str]:
    """Say how a row tells whose it is.

    A natural person is told by the class, or by an ID where a code should be. A person's row whose conduct is
    attributed to a company becomes that company's, and what stood in it about the person is written over (A67).
    """
    sort, code, number = f"{prefix}_XDR_LB", f"{prefix}_XDR_SHXYM", f"{prefix}_XDR_ZJHM"
    persons = tuple(f"{prefix}_{name}" for name in _IDENTIFIERS.split())

    def found(cells: Cells) -> str:
        if is_person(cells, sort):
            company = _answering(cells)
            for each in persons:
                cells.put(each, "")
            cells.put(code, company)
            return company
        if not cells.text(code) and cells.text(number):
            raise OutOfScopeError
        if cells.text(sort) not in _BODIES and not looks_like_person(cells.raw(code)):
            raise RowRejectedError(sort, Reason.BAD_VALUE)  # it may be a person's: nobody guesses (duty U11)
        return cells.raw(code)

    return found


def is_person(cells: Cells, sort: str) -> bool:
    """Say whether the class of a row is that of natural persons."""
    return cells.text(sort) == _PERSON


def _answering(cells: Cells) -> str:
    company = cells.raw(ATTRIBUTED)
    found = defect(company)
    if found is None:
        return company
    if not company.strip() or looks_like_person(company):
        raise OutOfScopeError
    raise RowRejectedError(ATTRIBUTED, OF_CODE[found])


def key(agency: str, numbers: tuple[str, ...], code: str) -> Callable[[Cells], tuple[str, ...]]:
    """Say how a row is keyed: by agency, document number (folded) and code, and whether it is attributed.

    One document may name several subjects: a key without the code would let the second replace the first. What it
    attributes to a company is one record beside the company's own, whoever acted.
    """
    sort = code.replace("SHXYM", "LB")

    def found(cells: Cells) -> tuple[str, ...]:
        own = cells.text(OWN_KEY)
        if own:
            return (own,)
        number = cells.first(*numbers)
        if not number:
            return ()
        attributed = (ATTRIBUTED,) if is_person(cells, sort) else ()
        return (cells.text(agency), folded_number(number), cells.raw(code), *attributed)

    return found


def columns(prefix: str, needed: str, others: str, ours: str, *, read: str) -> Columns:
    """Give the columns: those of the standard with their prefix, `BZ`, and our additions in lower case.

    `read` are those of the standard that the family's reader looks at; of ours it looks at all.
    """
    wanted = frozenset(f"{prefix}_{name}" for name in needed.split())
    more = frozenset(f"{prefix}_{name}" for name in (others + _IDENTIFIERS).split())
    own = frozenset(ours.split())
    kept = (own - {ATTRIBUTED}).union(f"{prefix}_{name}" for name in read.split())
    return Columns(needed=wanted, known=wanted | more | own | {"BZ", OWN_KEY, REPORTED, DELETED}, kept=kept)


_IDENTIFIERS = (
    " XDR_MC XDR_GSZC XDR_ZZJG XDR_SWDJ XDR_SYDW XDR_SHZZ XDR_ZJLX XDR_ZJHM FRDB FR_ZJLX FR_ZJHM FR_SFZH SJLY SJLYDM"
)
