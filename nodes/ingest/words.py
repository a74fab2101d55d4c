"""Words of coded columns: those that the standards fix, also in Chinese, and the shape of codes of open lists.

A coded column holds no free text: what is no code is not kept.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from gateway.uscc import holds_person_number
from nodes.ingest.cells import Cells, folded
from nodes.ingest.report import Reason

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
_ITEM = re.compile(r"[0-9A-Z][0-9A-Z_.-]{0,39}")

EXITS = frozenset({"REPAIRED", "EXPIRED", "ANNULLED", "MISTAKE"})
"""Why an entry left a list."""

PERFORMANCE: Mapping[str, str] = {
    "履行中": "OPEN",
    "已履行": "FULFILLED",
    "部分履行": "PARTLY",
    "未履行": "BREACHED",
}
"""How far a contract or commitment is kept."""

COMMITMENTS: Mapping[str, str] = {
    "审批替代": "APPROVAL_REPLACING",
    "主动": "VOLUNTARY",
    "容缺": "DEFERRED_DOCS",
    "修复": "REPAIR",
    "行业自律": "SELF_DISCIPLINE",
}
SEVERITIES: Mapping[str, str] = {"轻微": "MINOR", "一般": "GENERAL", "严重": "SERIOUS"}
CONCLUSIONS: Mapping[str, str] = {"准予": "APPROVED", "不予": "REJECTED"}
OBJECTIONS: Mapping[str, str] = {"已标注": "MARKED", "维持": "UPHELD", "更正": "CORRECTED", "删除": "DELETED"}


def needed_word(cells: Cells, column: str, words: Mapping[str, str]) -> str | None:
    """Give the word of a list that must be there, from itself or from the Chinese that stands for it."""
    found = word(cells, column, words)
    if found is None and not cells.text(column):
        cells.leave(column, Reason.BAD_VALUE)
    return found


def word(cells: Cells, column: str, words: Mapping[str, str]) -> str | None:
    """Give the word of a list, or None for an empty cell."""
    text = folded(cells.text(column))
    found = words.get(text, text)
    if found and found not in words.values():
        cells.leave(column, Reason.BAD_VALUE)
        return None
    return found or None


def needed_code(cells: Cells, column: str) -> str | None:
    """Give the code of an open list that must be there."""
    if not cells.text(column):
        cells.leave(column, Reason.BAD_VALUE)
    return code(cells, column)


def code(cells: Cells, column: str) -> str | None:
    """Give the code of an open list, or None for an empty cell."""
    return _shaped(cells, column, _CODE)


def item(cells: Cells, column: str) -> str | None:
    """Give the number of a published item 事项 that must be there."""
    if not cells.text(column):
        cells.leave(column, Reason.BAD_VALUE)
    return _shaped(cells, column, _ITEM)


def _shaped(cells: Cells, column: str, shape: re.Pattern[str]) -> str | None:
    found = cells.shaped(column, shape)
    if found is not None and _names_person(found):
        cells.leave(column, Reason.PERSON_NUMBER)
        return None
    return found


@lru_cache(maxsize=1 << 12)
def _names_person(text: str) -> bool:
    return holds_person_number(text)
