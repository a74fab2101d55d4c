"""Codes: both check characters, no silent repair, made-up samples, and the shape of a resident ID."""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import uscc
from gateway.uscc import CodeDefect, defect

EXAMPLES = Path(__file__).resolve().parents[2] / "shared" / "vectors" / "uscc" / "examples.json"
VALID = (  # public codes of listed companies and a bank
    "91310000132260250X",
    "9131000010000595XD",
    "91320100748204660Q",
    "91330000733796106P",
    "91340000711771143J",
)
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
codes = st.text(alphabet=ALPHABET, min_size=18, max_size=18)


def examples() -> dict[str, Any]:
    """The collected examples, where the checkout has them beside it."""
    if not EXAMPLES.exists():
        pytest.skip("the collected examples are not beside this checkout")
    found: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found


# Written from the standards alone: the alphabets as numbered tables, the weights as powers of 3 and as printed.
GB_32100 = {
    "0": 0, "1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9, "A": 10, "B": 11, "C": 12,
    "D": 13, "E": 14, "F": 15, "G": 16, "H": 17, "J": 18, "K": 19, "L": 20, "M": 21, "N": 22, "P": 23, "Q": 24,
    "R": 25, "T": 26, "U": 27, "W": 28, "X": 29, "Y": 30,
}  # fmt: skip
GB_11714 = {f"{digit}": digit for digit in range(10)} | {chr(65 + each): 10 + each for each in range(26)}
AUTHORITIES = frozenset("123456789ANY")


def standard_defect(code: str) -> CodeDefect | None:
    """Judge 18 characters by the standards: the code is a number that a check makes nought modulo 31 and 11.

    Horner's rule in place of a weighted sum: 3 is a unit modulo 31, so that the sum of c_i * 3^i is nought exactly
    when that of c_i * 3^(i - 16) is.
    """
    if any(each not in GB_32100 for each in code):
        return CodeDefect.ALPHABET
    if code[0] not in AUTHORITIES:
        return CodeDefect.AUTHORITY
    if not set(code[2:8]) <= set("0123456789"):
        return CodeDefect.DIVISION
    inverse, total = pow(3, -1, 31), 0
    for each in code[:17]:
        total = (total * inverse + GB_32100[each]) % 31
    # The last character is added at weight 1: bring the sum of the others from 3^-16 back to 3^0.
    if (total * pow(3, 16, 31) + GB_32100[code[17]]) % 31:
        return CodeDefect.CHECK
    rest = (
        -sum(GB_11714[each] * weight for each, weight in zip(code[8:16], (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    )
    return None if code[16] == "0123456789X"[rest] else CodeDefect.INNER_CHECK


@pytest.mark.parametrize("code", VALID)
def test_public_codes_are_well_formed(code: str) -> None:
    """Real codes of the four regions pass, and both check characters are computed from the rest."""
    assert defect(code) is None
    assert uscc.check_character(code[:17]) == code[17]
    assert uscc.organisation_check(code[8:16]) == code[16]


REASONS = {
    "91310000132260250A": CodeDefect.CHECK,
    "91310000132260520X": CodeDefect.CHECK,
    "9131000013226025X": CodeDefect.LENGTH,
    "310000000012345": CodeDefect.LEGACY_15,
    "13226025-0": CodeDefect.ORGANISATION_ONLY,
    "9131000O132260250X": CodeDefect.ALPHABET,
    "91310000132260250x": CodeDefect.LOWER_CASE,
    "9131 0000 1322 6025 0X": CodeDefect.SEPARATORS,
    "91310000132260250\uff38": CodeDefect.FULL_WIDTH,
    "913100001322602511": CodeDefect.INNER_CHECK,
    "911000001000044477": CodeDefect.CHECK,
    "91440300192203821Y": CodeDefect.CHECK,
    "11010519491231002X": CodeDefect.CHECK,
}


def test_every_collected_code_is_judged_right() -> None:
    """All 42 valid examples pass, and each of the 13 invalid ones is refused for its own reason."""
    found = examples()
    assert {row["uscc"]: defect(row["uscc"]) for row in found["valid"]} == dict.fromkeys(
        (row["uscc"] for row in found["valid"]), None
    )
    assert {row["value"]: defect(row["value"]) for row in found["invalid"]} == REASONS
    assert len(found["valid"]) == 42
    assert [each for each in REASONS if uscc.looks_like_person(each)] == ["11010519491231002X"]
    for row in found["valid"]:
        assert standard_defect(row["uscc"]) is None


def completed(first8: str, organisation: str) -> str:
    """Complete a code by trying: the one check character of each part that the standards let stand."""
    for inner in "0123456789X":
        for outer in GB_32100:
            code = f"{first8}{organisation}{inner}{outer}"
            if standard_defect(code) is None:
                return code
    raise AssertionError("some check characters always fit")


def test_a_hundred_thousand_codes_are_judged_as_by_the_standards() -> None:
    """Half are right, half have one character changed or two swapped; the defect is the same by either way."""
    drawn = Random(32100)
    alphabet, seen, prefixes = (
        list(GB_32100),
        Counter[CodeDefect | None](),
        ("11", "12", "51", "91", "92", "93", "N1", "Y1"),
    )
    wrong = []
    for number in range(50_000):
        organisation = "".join(drawn.choices(alphabet, k=8))
        first17 = (
            f"{drawn.choice(prefixes)}{drawn.randrange(10**6):06d}{organisation}{uscc.organisation_check(organisation)}"
        )
        code = first17 + uscc.check_character(first17)
        if number < 1_000:
            assert code == completed(first17[:8], organisation)
        for each in (code, mutated(code, drawn)):
            expected = standard_defect(each)
            seen[expected] += 1
            if defect(each) is not expected:
                wrong.append((each, expected))
    assert wrong == []
    assert seen[None] >= 50_000
    assert seen.total() == 100_000
    assert all(seen[each] >= 100 for each in (*JUDGED, None))


JUDGED = (
    CodeDefect.ALPHABET,
    CodeDefect.AUTHORITY,
    CodeDefect.DIVISION,
    CodeDefect.CHECK,
    CodeDefect.INNER_CHECK,
)


def mutated(code: str, drawn: Random) -> str:
    """Change one character of a code, swap two neighbours, or change the inner check and mend the outer."""
    place, how = drawn.randrange(17), drawn.randrange(4)
    if how == 0:
        return code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if how == 1:
        first17 = code[:16] + drawn.choice("0123456789X")
        return first17 + uscc.check_character(first17)
    other = drawn.choice(ALPHABET if how == 2 else "IOSVZ")
    return code[:place] + other + code[place + 1 :]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", CodeDefect.EMPTY),
        (" \t", CodeDefect.EMPTY),
        ("91310000132260250A", CodeDefect.CHECK),
        ("91310000132260520X", CodeDefect.CHECK),
        ("9131000013226025X", CodeDefect.LENGTH),
        ("91310000132260250XX", CodeDefect.LENGTH),
        ("91310000132260250X\n", CodeDefect.SEPARATORS),
        ("310000000012345", CodeDefect.LEGACY_15),
        ("13226025-0", CodeDefect.ORGANISATION_ONLY),
        ("132260250", CodeDefect.ORGANISATION_ONLY),
        ("9131000O132260250X", CodeDefect.ALPHABET),
        ("91310000132260250x", CodeDefect.LOWER_CASE),
        ("9131 0000 1322 6025 0X", CodeDefect.SEPARATORS),
        ("91310000-132260250X", CodeDefect.SEPARATORS),
        ("91310000132260250\uff38", CodeDefect.FULL_WIDTH),
        ("\uff191310000132260250X", CodeDefect.FULL_WIDTH),
        ("91310000132260250\u00d7", CodeDefect.ALPHABET),
        ("9131000013226025\u0660X", CodeDefect.ALPHABET),
        ("9131000013226\u0662250X", CodeDefect.ALPHABET),
        ("91310000132260\u066250X", CodeDefect.ALPHABET),
        ("91310000132260\x00250X", CodeDefect.LENGTH),
        ("9131000013226025\x00X", CodeDefect.ALPHABET),
        ("91310000132260\x0050X", CodeDefect.ALPHABET),
        ("91310000132260250\u0425", CodeDefect.ALPHABET),
        ("913100001322602511", CodeDefect.INNER_CHECK),
        ("11010519491231002X", CodeDefect.CHECK),
        ("=1310000132260250X", CodeDefect.ALPHABET),
    ],
)
def test_a_defect_is_named_and_nothing_is_repaired(code: str, expected: CodeDefect) -> None:
    """Each way of mistyping has its own name; no spelling of a good code passes but the published one."""
    assert defect(code) is expected


@given(codes)
def test_any_text_of_the_alphabet_is_judged_as_by_the_standards(code: str) -> None:
    """Not whether it is wrong only, but what is wrong."""
    assert defect(code) is standard_defect(code)


@given(
    prefix=st.sampled_from(["91", "92", "11", "12", "52", "93", "N1", "31"]),
    division=st.from_regex(r"[0-9]{6}", fullmatch=True),
    organisation=st.text(alphabet=ALPHABET, min_size=8, max_size=8),
)
def test_completed_codes_pass_both_implementations(prefix: str, division: str, organisation: str) -> None:
    """A code completed with both computed characters is well formed by either implementation."""
    first17 = prefix + division + organisation + uscc.organisation_check(organisation)
    code = first17 + uscc.check_character(first17)
    assert standard_defect(code) is None
    assert defect(code) is None


@given(
    st.sampled_from(VALID) | st.integers(0, 31**6 - 1).map(lambda n: uscc.sample_code("91", "320509", n)),
    st.integers(0, 17),
    st.sampled_from(ALPHABET),
)
def test_one_changed_character_is_always_seen(code: str, place: int, other: str) -> None:
    """The outer check finds every single substitution."""
    changed = code[:place] + other + code[place + 1 :]
    assert (defect(changed) is None) == (changed == code)


@pytest.mark.parametrize("first17", ["", "9" * 16, "9131000O132260250", "9" * 16 + "\uff19"])
def test_no_check_character_for_a_wrong_text(first17: str) -> None:
    """The check character of what is no code is refused, not guessed."""
    with pytest.raises(ValueError, match="17 characters"):
        uscc.check_character(first17)


@pytest.mark.parametrize("first8", ["", "1234567", "1234567a", "1234567\u0661", "1234-678"])
def test_no_organisation_check_for_a_wrong_text(first8: str) -> None:
    """The same for the inner check."""
    with pytest.raises(ValueError, match="8 digits"):
        uscc.organisation_check(first8)


@given(st.integers(0, 31**6 - 1), st.sampled_from(["310118", "320509", "330421", "340500"]))
def test_samples_are_well_formed_and_marked(serial: int, division: str) -> None:
    """A sample passes every check and says that it is one."""
    code = uscc.sample_code("91", division, serial)
    assert standard_defect(code) is None
    assert (code[:8], code[8:10]) == (f"91{division}", "XX")
    assert uscc.is_sample(code)


def test_samples_are_deterministic_and_distinct() -> None:
    """The same number gives the same code, another number another code."""
    made = [uscc.sample_code("92", "330421", serial) for serial in range(2_000)]
    assert made == [uscc.sample_code("92", "330421", serial) for serial in range(2_000)]
    assert len(set(made)) == 2_000
    assert all(uscc.is_sole_trader(code) for code in made)


@pytest.mark.parametrize(
    ("prefix", "division", "serial"),
    [
        ("91", "330421", -1),
        ("91", "330421", 31**6),
        ("01", "330421", 1),
        ("91", "33042A", 1),
        ("9", "330421", 1),
    ],
)
def test_no_sample_of_nonsense(prefix: str, division: str, serial: int) -> None:
    """A sample that would be no code is not made."""
    with pytest.raises(ValueError, match=r"sample number|no code|17 characters"):
        uscc.sample_code(prefix, division, serial)


def test_public_codes_are_no_samples() -> None:
    """No real code looks like a made-up one, and enterprises are no sole traders."""
    assert not any(uscc.is_sample(code) or uscc.is_sole_trader(code) for code in VALID)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11010519491231002X", True),  # the sample number printed in GB 11643
        ("11010519491231002x", True),
        ("证号11010519491231002X，见卷", True),
        ("711010519491231002X", True),
        ("110105 19491231 002X", True),
        ("110105-19491231-002X", True),
        ("１１０１０５１９４９１２３１００２Ｘ", True),
        ("110105194912310021", False),  # wrong check
        ("11010519491331002X", False),  # no such month
        ("11010519490230002X", False),  # no such day
        ("01010519491231002X", False),  # no such region
        ("91310000132260250X", False),
        ("2026年11月21日 金额 1200", False),
        ("", False),
    ],
)
def test_resident_ids_are_seen_in_free_text(text: str, expected: bool) -> None:  # noqa: FBT001
    """Shape, day and check together make a resident ID, however it is typed."""
    assert uscc.looks_like_person(text) is expected
