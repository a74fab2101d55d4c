"""What a spreadsheet's cell says, as the text that a CSV file would hold."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from xml.etree.ElementTree import Element

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

_ROUNDED = 1e15
"""Spreadsheets keep fifteen digits: from here on a number may not be what was typed."""

UNSURE = "\x1a"
"""Begins the text of a cell that does not say what was typed: a number that was rounded, a formula, an error.

Whoever reads such a cell must refuse it: two rounded numbers may be one text, and would pass for one key.
"""

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class Look:
    """Which styles of a workbook show a number as a day, and from when its days are counted."""

    days: frozenset[int]
    epoch: datetime

    @classmethod
    def of(cls, styles: Element | None, *, since_1904: bool) -> "Look":
        """Read the styles part."""
        formats = dict(BUILTIN_FORMATS)
        days: set[int] = set()
        for each in styles.iter() if styles is not None else ():
            if local(each.tag) == "numFmt":
                formats[int(each.get("numFmtId", "0"))] = each.get("formatCode", "")
        for table in styles if styles is not None else ():
            if local(table.tag) == "cellXfs":
                for style, each in enumerate(table):
                    shown = formats.get(int(each.get("numFmtId", "0")))
                    if is_date_format(shown) and not is_timedelta_format(shown):
                        days.add(style)
        return cls(frozenset(days), MAC_EPOCH if since_1904 else WINDOWS_EPOCH)


def local(name: str) -> str:
    """Give a name without its namespace: transitional and strict workbooks differ in nothing else here."""
    return name.rpartition("}")[2]


def unescaped(text: str) -> str:
    """Give the characters that XML cannot hold and workbooks write as `_x000D_` (ECMA-376 part 1, ST_Xstring).

    Half a surrogate pair is no character: what holds one is unsure, and the half is shown as U+FFFD.
    """
    return _whole(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)) if "_x" in text else text


def _whole(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    try:
        return units.decode("utf-16-le")
    except UnicodeDecodeError:
        return UNSURE + units.decode("utf-16-le", "replace")


def said(kind: str, style: int, value: str, strings: Sequence[str], look: Look) -> str:
    """Give the text of a cell of a type (ECMA-376 part 1, ST_CellType) with a style and a value.

    Raises:
        LookupError, ValueError: for a string that is not there, or a number that is none.
    """
    if kind == "s":
        return strings[_index(value)]
    if kind == "n":
        return _number(value, style, look)
    if kind == "d":
        return _day(value)
    if kind == "e":
        return UNSURE + value
    return value if kind == "b" else unescaped(value)


def _index(value: str) -> int:
    if not value.isdecimal():
        raise ValueError
    return int(value)


def _number(value: str, style: int, look: Look) -> str:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    if style in look.days:
        return _civil(number, look)
    if abs(number) >= _ROUNDED:
        return f"{UNSURE}{number:G}"
    return str(int(number)) if number.is_integer() else f"{number:.15g}"


def _civil(number: float, look: Look) -> str:
    """Give a day; with its time where it has one, which is no civil day (duty U18), and outside all days the number."""
    try:
        moment = from_excel(number, look.epoch)
    except (OverflowError, ValueError):
        return f"{UNSURE}{number:G}"
    if isinstance(moment, datetime) and moment.time() == datetime.min.time():
        return moment.date().isoformat()
    return str(moment.isoformat())


def _day(value: str) -> str:
    """Give an ISO day; the midnight that spreadsheets write after it says nothing."""
    day, separator, time = value.partition("T")
    if separator and re.fullmatch(r"00:00(?::00(?:\.0+)?)?", time):
        try:
            return date.fromisoformat(day).isoformat()
        except ValueError:
            return value
    return value
