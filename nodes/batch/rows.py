"""The rows of a list: which are asked, which are not and why, and where a code stands again. Pure but for the rows.

A cell is judged as it stands; nothing of a cell that is no code is kept, for it may be a person's number.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from gateway import uscc
from gateway.errors import GatewayError
from gateway.model.question import NamedSubject
from gateway.verdicts import INVALID_REASONS, invalid_reason
from nodes.files import UNSURE

CODE_COLUMNS = ("uscc", "统一社会信用代码", "CF_XDR_SHXYM", "XK_XDR_SHXYM")
NAME_COLUMNS = ("name", "名称", "企业名称")
ROW_LIMIT = 1_000_000
NAME_LIMIT = 200
MESSAGE_BYTES = 48 << 10
"""What the subjects of one message may take; a question of 64 KiB holds them with its header."""
_SUBJECT_BYTES = 26

Rows = Iterable[tuple[int, Sequence[str]]]
"""Row number in the file and its cells."""


class RowsRefused(GatewayError):
    """The list as a whole is refused; `key` names the text, `arguments` say where, never what stood there."""

    def __init__(self, key: str, **arguments: object) -> None:
        """Keep the text's key and the place."""
        super().__init__(key)
        self.key, self.arguments = key, arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where the code and, if any, the name stand."""

    code: int
    name: int | None
    triggered: int | None = None

    def triggers(self, cells: Sequence[str]) -> bool:
        """Say whether a row names a cause for an inspection (requirement A27): any text in its column."""
        return self.triggered is not None and bool(cells[self.triggered].strip())

    def subject(self, number: int, cells: Sequence[str]) -> NamedSubject:
        """Give what a row names; a sole trader's name is a person's, and stays here.

        Raises:
            RowsRefused: for a name that cannot be asked about.
        """
        code = cells[self.code]
        name = None if self.name is None or uscc.is_sole_trader(code) else _typed(cells[self.name]) or None
        if name is not None and invalid_reason(code) is None:
            _check_name(number, name)
        return NamedSubject(uscc=code, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a list holds, a number a row: the subject's, in the order of first appearance, or below 0 a defect."""

    places: array[int]
    subjects: int
    sole_traders: int
    defects: Counter[str]

    @property
    def rows(self) -> int:
        """How many rows the list has."""
        return len(self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Subjects that are asked together; no code stands twice."""

    numbers: tuple[int, ...]
    subjects: tuple[NamedSubject, ...]


def columns(header: Sequence[str], code_column: str = "", name_column: str = "", triggered_column: str = "") -> Columns:
    """Find the columns by name.

    Raises:
        RowsRefused: when there is no code column, two of them, or none of the name that was given.
    """
    code = _column(header, code_column, CODE_COLUMNS)
    name = _column(header, name_column, NAME_COLUMNS)
    triggered = _column(header, triggered_column)
    for wanted, place in ((code_column, code), (name_column, name), (triggered_column, triggered)):
        if wanted and place is None:
            raise RowsRefused("batch.no_column", name=plain_name(wanted))
    if code is None:
        raise RowsRefused("batch.no_code_column", names=", ".join(CODE_COLUMNS))
    return Columns(code=code, name=name, triggered=triggered)


def scan(rows: Rows, where: Columns) -> Scan:
    """Read a list once: number its subjects, count its defects; memory is a few bytes a row and a digest a subject.

    Raises:
        RowsRefused: beyond a million rows, or for a name that cannot be asked about.
    """
    places, seen = array("i"), dict[bytes, int]()
    defects: Counter[str] = Counter()
    sole = 0
    for number, cells in rows:
        if len(places) == ROW_LIMIT:
            raise RowsRefused("batch.too_many_rows", limit=ROW_LIMIT)
        found = invalid_reason(cells[where.code])
        if found is not None:
            defects[found] += 1
            places.append(-1 - INVALID_REASONS.index(found))
            continue
        subject, fresh = where.subject(number, cells), len(seen)
        place = seen.setdefault(_digest(subject), fresh)
        sole += place == fresh and uscc.is_sole_trader(subject.uscc)
        places.append(place)
    return Scan(places=places, subjects=len(seen), sole_traders=sole, defects=defects)


def defect_at(place: int) -> str | None:
    """Give the defect that a row's number stands for; None for a subject's."""
    return INVALID_REASONS[-1 - place] if place < 0 else None


def messages(
    rows: Rows, where: Columns, found: Scan, wanted: Callable[[int, str], bool], *, size: int
) -> Iterator[Message]:
    """Pack the wanted subjects (by number and code) in their order, at most `size` a message.

    A code with two names goes into two messages, for a question holds each code once.
    """
    numbers: list[int] = []
    packed: dict[str, NamedSubject] = {}
    following, weight = 0, 0
    for place, (number, cells) in zip(found.places, rows, strict=True):
        if place != following:
            continue
        following += 1
        if not wanted(place, cells[where.code]):
            continue
        subject = where.subject(number, cells)
        more = _weight(subject)
        if len(numbers) == size or subject.uscc in packed or weight + more > MESSAGE_BYTES:
            yield Message(numbers=tuple(numbers), subjects=tuple(packed.values()))
            numbers, packed, weight = [], {}, 0
        numbers.append(place)
        packed[subject.uscc] = subject
        weight += more
    if numbers:
        yield Message(numbers=tuple(numbers), subjects=tuple(packed.values()))


def plain_name(name: str) -> str:
    """Give a column's name on one line: in a workbook it may be broken over several."""
    return " ".join(name.split())


def _column(header: Sequence[str], given: str, usual: tuple[str, ...] = ()) -> int | None:
    if given:
        found = [place for place, each in enumerate(header) if plain_name(each) == plain_name(given)]
    else:  # a usual name in capitals is the same name
        wanted = {each.lower() for each in usual}
        found = [place for place, each in enumerate(header) if plain_name(each).lower() in wanted]
    if len(found) > 1:
        raise RowsRefused("batch.two_columns", columns=", ".join(str(place + 1) for place in found))
    return found[0] if found else None


def _typed(cell: str) -> str:
    return cell.removeprefix(UNSURE).strip()


def _check_name(number: int, name: str) -> None:
    if len(name) > NAME_LIMIT:
        raise RowsRefused("batch.long_name", row=number, limit=NAME_LIMIT)
    if uscc.looks_like_person(name):
        raise RowsRefused("batch.person_in_name", row=number)


def _digest(subject: NamedSubject) -> bytes:
    # Long enough that no two subjects of a list share it: a verdict would go to the wrong row.
    return blake2b(f"{subject.uscc}\n{subject.name or ''}".encode(), digest_size=16).digest()


def _weight(subject: NamedSubject) -> int:
    return _SUBJECT_BYTES + len((subject.name or "").encode())
