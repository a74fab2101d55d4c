"""Unified social credit codes (GB 32100-2015 with the inner GB 11714 check), and the shapes of persons' numbers.

It decides from characters alone: nothing is repaired, folded or stripped, because a signature covers what was
written. Whether a code is registered anywhere, and where its subject sits today, the register knows.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from enum import Enum
from operator import mul

LENGTH = 18
SAMPLE_MARK = "XX"

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = bytes(pow(3, place, 31) for place in range(17)) + b"\x01"
_INNER_WEIGHTS = bytes((3, 7, 9, 10, 5, 8, 4, 2, 1))
_PERSON_WEIGHTS = bytes((7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1))
_SAMPLES = len(_ALPHABET) ** 6


def _table(alphabet: str) -> bytes:
    found = bytearray(256)
    for value, character in enumerate(alphabet):
        found[ord(character)] = value
    return bytes(found)


_VALUES = _table(_ALPHABET)
_INNER_VALUES = _table("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
# The ninth character of an organisation code and the last of a resident ID are a value from 0 to 10.
_TENS = _table("0123456789X")

_ANY = "[0-9A-HJ-NPQRTUWXY]"
_CODE = re.compile(rf"{_ANY}{{18}}")
_AUTHORITIES = frozenset("123456789ANY")
_SEPARATORS = re.compile(r"[\s\-_.·‐-―]")
_GROUPING = re.compile(r"[\s\-_./·‐-―]")  # what stands between the groups of a typed number
_LEGACY = re.compile(r"[0-9]{15}")
_ORGANISATION = re.compile(r"[0-9A-Z]{8}-?[0-9X]")

# Overlapping matches: a digit put before the number must not hide it.
_PERSON = re.compile(r"(?=([1-9][0-9]{5}((?:18|19|20)[0-9]{2})([01][0-9])([0-3][0-9])[0-9]{3}[0-9Xx]))")
_OLD_PERSON = re.compile(r"(?<!\d)[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?!\d)")
# Passports and travel permits, one or two letters and digits; identity cards of Hong Kong and of Macao.
_TRAVEL = re.compile(
    r"(?<![0-9A-Z])(?:[A-Z]{1,2}(?:\d{7,10}(?![0-9A-Z])|\d{6}\([0-9A]\))|[157]\d{6}\(\d\))", re.IGNORECASE
)
_NAMED = re.compile(r"(?:证件|身份证|护照|通行证|台胞证|回乡证|居住证|居留证)[^0-9A-Z]{0,8}[0-9A-Z]{7}", re.IGNORECASE)


class CodeDefect(Enum):
    """Why a text is no unified social credit code."""

    EMPTY = "EMPTY"
    LENGTH = "LENGTH"
    LEGACY_15 = "LEGACY_15"
    ORGANISATION_ONLY = "ORGANISATION_ONLY"
    FULL_WIDTH = "FULL_WIDTH"
    SEPARATORS = "SEPARATORS"
    LOWER_CASE = "LOWER_CASE"
    ALPHABET = "ALPHABET"
    AUTHORITY = "AUTHORITY"
    DIVISION = "DIVISION"
    INNER_CHECK = "INNER_CHECK"
    CHECK = "CHECK"


def defect(code: str) -> CodeDefect | None:
    """Say what is wrong with a code, or None for a well-formed one; nothing is repaired on the way."""
    if _CODE.fullmatch(code) is None:
        return _misshapen(code)
    octets = code.encode("ascii")
    if code[0] not in _AUTHORITIES:
        return CodeDefect.AUTHORITY
    if not octets[2:8].isdigit():
        return CodeDefect.DIVISION
    if sum(map(mul, _WEIGHTS, octets.translate(_VALUES))) % 31:
        return CodeDefect.CHECK
    inner = octets[8:16].translate(_INNER_VALUES) + octets[16:17].translate(_TENS)
    if sum(map(mul, _INNER_WEIGHTS, inner)) % 11 or code[16] not in "0123456789X":
        return CodeDefect.INNER_CHECK
    return None


def check_character(first17: str) -> str:
    """Give the last character of a code from the 17 before it (GB 32100-2015).

    Raises:
        ValueError: when they are not 17 characters of the alphabet.
    """
    if len(first17) != LENGTH - 1 or not _within(first17, _ALPHABET):
        msg = "a check character needs 17 characters of the GB 32100 alphabet"
        raise ValueError(msg)
    return _ALPHABET[-sum(map(mul, _WEIGHTS, first17.encode("ascii").translate(_VALUES))) % 31]


def organisation_check(first8: str) -> str:
    """Give the ninth character of an organisation code from the 8 before it (GB 11714).

    Raises:
        ValueError: when they are not 8 digits and capital letters.
    """
    if len(first8) != 8 or not first8.isascii() or not first8.isalnum() or first8 != first8.upper():  # noqa: PLR2004
        msg = "an organisation check needs 8 digits and capital letters"
        raise ValueError(msg)
    total = sum(map(mul, _INNER_WEIGHTS, first8.encode("ascii").translate(_INNER_VALUES)))
    return "0123456789X"[-total % 11]


def is_sole_trader(code: str) -> bool:
    """Say whether the code is a sole trader's 个体工商户, whose name is often a person's."""
    return code.startswith("92")


def sample_code(prefix2: str, division: str, serial: int) -> str:
    """Give the made-up code of a number: both checks hold, and its organisation part starts with `XX`.

    Raises:
        ValueError: when the prefix, division or number make no code.
    """
    if not 0 <= serial < _SAMPLES:
        msg = f"a sample number goes from 0 to {_SAMPLES - 1}"
        raise ValueError(msg)
    organisation = SAMPLE_MARK + _counted(serial)
    first17 = prefix2 + division + organisation + organisation_check(organisation)
    code = first17 + check_character(first17)
    if defect(code) is not None:
        msg = f"no code begins with {prefix2!r} and {division!r}"
        raise ValueError(msg)
    return code


def follows(one: str, other: str) -> bool:
    """Say whether the organisation number of a code is the next after another's, of the same kind and division.

    Both are well-formed. Numbers are read with the code's own letters as digits.
    """
    return one[:8] == other[:8] and _number(one) + 1 == _number(other)


def _number(code: str) -> int:
    found = 0
    for octet in code[8:16].encode("ascii"):
        found = found * len(_ALPHABET) + _VALUES[octet]
    return found


def is_sample(code: str) -> bool:
    """Say whether a code was made by `sample_code`: no organisation part in use starts with `XX`."""
    return code[8:10] == SAMPLE_MARK


def looks_like_person(text: str) -> bool:
    """Say whether a text holds a resident ID (GB 11643: shape, day of birth and check), full-width or spaced.

    Meant for free text. A code has its own type: some agencies' codes pass as a resident ID by chance.
    """
    return _holds_resident(_plain(text))


def holds_person_number(text: str) -> bool:
    """Say whether a text holds the number of a person's document of any kind (duty U11).

    Besides resident IDs: those of 15 digits, passports, permits of and to Hong Kong, Macao and Taiwan, and whatever
    follows the name of such a document. For texts that are kept: it rather refuses a text too many.
    """
    plain = _plain(text)
    return _holds_resident(plain) or any(each.search(plain) for each in (_OLD_PERSON, _TRAVEL, _NAMED))


def _plain(text: str) -> str:
    """Fold full-width forms, and the digits of any script."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", text)
    return "".join([str(unicodedata.decimal(each)) if each.isdecimal() else each for each in folded])


def _holds_resident(plain: str) -> bool:
    return any(_is_person(found.groups()) for found in _PERSON.finditer(_GROUPING.sub("", plain)))


def _is_person(groups: Sequence[str]) -> bool:
    number, year, month, day = groups
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    values = number.upper().encode("ascii").translate(_TENS)
    return bool(sum(map(mul, _PERSON_WEIGHTS, values)) % 11 == 1)


def _misshapen(code: str) -> CodeDefect:
    """Name what a sender can act on first: how it was typed, then what it is instead, then the rest."""
    tests = (
        (CodeDefect.EMPTY, not code.strip()),
        (CodeDefect.LEGACY_15, _LEGACY.fullmatch(code)),
        (CodeDefect.ORGANISATION_ONLY, _ORGANISATION.fullmatch(code)),
        (CodeDefect.FULL_WIDTH, any("\uff01" <= each <= "\uff5e" or each == "\u3000" for each in code)),
        (CodeDefect.SEPARATORS, _SEPARATORS.search(code)),
        (CodeDefect.LENGTH, len(code) != LENGTH),
        (CodeDefect.LOWER_CASE, code.isascii() and code.isalnum() and code != code.upper()),
    )
    return next((found for found, holds in tests if holds), CodeDefect.ALPHABET)


def _within(text: str, alphabet: str) -> bool:
    return all(each in alphabet for each in text)


def _counted(serial: int) -> str:
    digits = []
    for _ in range(6):
        serial, digit = divmod(serial, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
