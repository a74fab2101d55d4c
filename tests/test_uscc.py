"""Codes: both check characters, no silent repair, made-up samples, and the shape of a resident ID."""

import json
from pathlib import Path
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


def slow_check(first17: str) -> str:
    """GB 32100-2015 written out: the remainder of the weighted sum, subtracted from 31."""
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    total = 0
    for weight, character in zip(weights, first17, strict=True):
        total += weight * ALPHABET.index(character)
    rest = 31 - total % 31
    return ALPHABET[0 if rest == 31 else rest]


def slow_inner(first8: str) -> str:
    """GB 11714 written out."""
    total = 0
    for weight, character in zip((3, 7, 9, 10, 5, 8, 4, 2), first8, strict=True):
        total += weight * (int(character) if character.isdigit() else ord(character) - ord("A") + 10)
    rest = 11 - total % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def slow_valid(code: str) -> bool:
    """Whether a code of 18 letters of the alphabet is well formed, by the two functions above."""
    return (
        code[0] in "123456789ANY"
        and all("0" <= each <= "9" for each in code[2:8])
        and slow_inner(code[8:16]) == code[16]
        and slow_check(code[:17]) == code[17]
    )


@pytest.mark.parametrize("code", VALID)
def test_public_codes_are_well_formed(code: str) -> None:
    """Real codes of the four regions pass, and both check characters are computed from the rest."""
    assert defect(code) is None
    assert uscc.check_character(code[:17]) == code[17]
    assert uscc.organisation_check(code[8:16]) == code[16]


def test_every_collected_code_is_judged_right() -> None:
    """All valid examples pass and all invalid ones are refused."""
    found = examples()
    assert [row["uscc"] for row in found["valid"] if defect(row["uscc"])] == []
    assert [row["value"] for row in found["invalid"] if not defect(row["value"])] == []


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
def test_the_fast_check_agrees_with_the_slow_one(code: str) -> None:
    """On any text of the alphabet the tables say what the standard's formulas say."""
    assert (defect(code) is None) == slow_valid(code)


@given(
    prefix=st.sampled_from(["91", "92", "11", "12", "52", "93", "N1", "31"]),
    division=st.from_regex(r"[0-9]{6}", fullmatch=True),
    organisation=st.text(alphabet=ALPHABET, min_size=8, max_size=8),
)
def test_completed_codes_pass_both_implementations(prefix: str, division: str, organisation: str) -> None:
    """A code completed with both computed characters is well formed by either implementation."""
    first17 = prefix + division + organisation + uscc.organisation_check(organisation)
    code = first17 + uscc.check_character(first17)
    assert slow_valid(code)
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
    assert slow_valid(code)
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
