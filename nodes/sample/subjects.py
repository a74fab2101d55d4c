"""Made-up subjects: a code, name, kind and seat follow from the member and the number alone.

So one member can have records of another's subjects without having made them.
"""

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import NamedTuple

from gateway.uscc import SAMPLE_MARK, sample_code

RESERVED = 1_000
"""Numbers below this belong to scenarios."""

STRIDE = 32
"""Members that may share a division's codes without meeting; 27 million subjects each still have a code."""

MOVED_EVERY, BRANCH_EVERY = 250, 20
"""One enterprise in so many moved here from another region (0.4 per cent), or is a branch."""

QUIET_EVERY, LISTED_EVERY = 4, 286
"""One enterprise in so many has nothing against it for certain, or stands in a severe list (0.35 per cent)."""

ENTERPRISE, TRADER = "ENTERPRISE", "SOLE_TRADER"
_ENTERPRISES = {"310000": 82, "320000": 30, "330000": 33, "340000": 30}
"""Enterprises in a hundred subjects: Shanghai's sole traders are few."""

_RARE = (
    ("93", "FARM_COOP"), ("52", "SOCIAL_ORG"), ("12", "INSTITUTION"), ("31", "LAW_FIRM"),
)  # fmt: skip
_INDUSTRIES = (
    ("贸易", 32), ("制造", 15), ("商务服务", 14), ("科技", 11), ("建设工程", 8), ("信息技术", 6), ("维修服务", 3),
    ("餐饮", 3), ("置业", 3), ("物流", 3), ("医疗器械", 1), ("环保", 1),
)  # fmt: skip
"""Trades in a hundred enterprises, by GB/T 4754 sections F C L M E I O H K G and others."""

_BY_HUNDRED = tuple(trade for trade, share in _INDUSTRIES for _ in range(share))
_MIX = 2654435761  # Knuth's multiplicative hash: spreads consecutive numbers over divisions and kinds
_WORD = 0xFFFFFFFF

_ALPHABET = "".join(sample_code("91", "310101", digit)[15] for digit in range(31))
_CAPITALS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TENS = "0123456789X"
_INNER = (9, 10, 5, 8, 4, 2)  # GB 11714, places 3 to 8: what follows the mark
_OUTER = tuple(pow(3, place, 31) for place in range(17))  # GB 32100
_HALF = len(_ALPHABET) ** 3


class Subject(NamedTuple):
    """A made-up subject."""

    uscc: str
    name: str
    kind: str = ENTERPRISE

    @property
    def sort(self) -> str:
        """The class of CF_XDR_LB and XK_XDR_LB."""
        return "个体工商户" if self.kind == TRADER else "法人及非法人组织"


class Population:
    """The subjects of one member by their numbers."""

    def __init__(self, counties: Mapping[str, tuple[str, ...]], member: str) -> None:
        """Prepare a member's population among the others."""
        self._own = counties[member]
        self._others = [each for each in counties if each != member]
        self._elsewhere = [counties[each][0] for each in self._others]
        self._index = list(counties).index(member)
        self._kinds = _kinds(_ENTERPRISES.get(member, 33))

    def subject(self, number: int) -> tuple[Subject, str]:
        """Give the subject of a number, and the division it sits in today."""
        mixed = number * _MIX & _WORD
        prefix, kind = self._kinds[mixed % 100]
        division = registered = self._own[(mixed >> 8) % len(self._own)]
        if kind == ENTERPRISE and not (number + 1) % MOVED_EVERY and self._others:
            registered = self._elsewhere[number // MOVED_EVERY % len(self._others)]  # the code tells where from
        code = fast_code(prefix + registered, RESERVED + number * STRIDE + self._index)
        trade, ending = _BY_HUNDRED[(mixed >> 16) % 100], "商行" if kind == TRADER else "有限公司"
        return Subject(code, f"样例{division}{trade}{number}号{ending}", kind), division

    def code(self, number: int) -> str:
        """Give the code of a number."""
        return self.subject(number)[0].uscc

    def left_for(self, member: str, subjects: int) -> list[int]:
        """Number those of so many subjects that came from another member: its register remembers them."""
        if member not in self._others:
            return []
        place, many = self._others.index(member), len(self._others)
        first = MOVED_EVERY - 1 + place * MOVED_EVERY
        return [
            number
            for number in range(first, subjects, MOVED_EVERY * many)
            if self._kinds[(number * _MIX & _WORD) % 100][1] == ENTERPRISE
        ]


def is_quiet(subject: Subject, number: int) -> bool:
    """Say whether nothing stands against a subject anywhere, whatever the seed."""
    return number % QUIET_EVERY == 1 and subject.kind == ENTERPRISE


def is_listed(subject: Subject, number: int) -> bool:
    """Say whether a subject stands in a severe list, whatever the seed."""
    return number % LISTED_EVERY == 2 and subject.kind == ENTERPRISE and not is_quiet(subject, number)  # noqa: PLR2004


@cache
def _kinds(enterprises: int) -> tuple[tuple[str, str], ...]:
    traders = 100 - enterprises - len(_RARE)
    return (("91", ENTERPRISE),) * enterprises + (("92", TRADER),) * traders + _RARE


class _Halves(NamedTuple):
    """Three characters of a code's running number by their value, and their shares of both check sums."""

    text: list[str]
    inner: list[int]
    outer: list[int]


def fast_code(head: str, serial: int) -> str:
    """Give what `gateway.uscc.sample_code` gives for a prefix and its division, from tables of half codes."""
    high, low = divmod(serial, _HALF)
    left, right = _halves(0), _halves(3)
    inner = -(_MARK_SHARE + left.inner[high] + right.inner[low]) % 11
    total = _head_share(head) + left.outer[high] + right.outer[low] + _OUTER[16] * _TEN_VALUES[inner]
    return f"{head}{SAMPLE_MARK}{left.text[high]}{right.text[low]}{_TENS[inner]}{_ALPHABET[-total % 31]}"


@cache
def _halves(first: int) -> _Halves:
    """Count through three characters that stand `first` places behind the mark."""
    places = range(first, first + 3)
    inner = [[_INNER[place] * _CAPITALS.index(each) for each in _ALPHABET] for place in places]
    outer = [[_OUTER[10 + place] * value for value in range(len(_ALPHABET))] for place in places]
    return _Halves(
        text=["".join(each) for each in product(_ALPHABET, repeat=3)],
        inner=[sum(each) for each in product(*inner)],
        outer=[sum(each) for each in product(*outer)],
    )


@cache
def _head_share(head: str) -> int:
    return _share(head + SAMPLE_MARK, 0)


def _share(text: str, first: int) -> int:
    return sum(_OUTER[first + at] * _ALPHABET.index(each) for at, each in enumerate(text))


_MARK_SHARE = sum(weight * _CAPITALS.index(each) for weight, each in zip((3, 7), SAMPLE_MARK, strict=True))
_TEN_VALUES = tuple(_ALPHABET.index(each) for each in _TENS)
