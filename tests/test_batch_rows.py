"""The rows of a list: columns by name, defects, subjects once, and messages that lose, double and reorder nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from batches import codes
from hypothesis import given
from hypothesis import strategies as st

from gateway import uscc
from gateway.model.question import NamedSubject
from gateway.verdicts import invalid_reason
from nodes.batch import rows as batch_rows
from nodes.batch.rows import Columns, RowsRefused, columns, defect_at, messages, scan

FEW = codes(4)
SOLE = uscc.sample_code("92", "310115", 1)
CELLS = st.tuples(st.sampled_from([*FEW, SOLE, "", "91310115", FEW[0].lower()]), st.sampled_from(["", "甲", "乙"]))
WHERE = Columns(code=0, name=1)
Cells = Sequence[str]


def numbered(rows: Sequence[Cells]) -> list[tuple[int, Cells]]:
    """Number rows as a file does."""
    return list(enumerate(rows, 2))


@pytest.mark.parametrize(
    ("header", "options", "found"),
    [
        (("uscc",), (), (0, None, None)),
        (("序号", "企业名称", "统一社会信用代码"), (), (2, 1, None)),
        (("CF_XDR_SHXYM", "CF_XDR_MC"), (), (0, None, None)),
        (("XK_XDR_SHXYM", "名称"), (), (0, 1, None)),
        (("代码", "uscc"), ("代码",), (0, None, None)),
        (("uscc", "名称", "单位"), ("", "单位"), (0, 2, None)),
        (("uscc", "举报"), ("", "", "举报"), (0, None, 1)),
    ],
)
def test_columns_are_found_by_name(
    header: Cells, options: tuple[str, ...], found: tuple[int, int | None, int | None]
) -> None:
    """The usual names in Chinese and of the double-publicity files, or those that were given."""
    where = columns(header, *options)
    assert (where.code, where.name, where.triggered) == found


@pytest.mark.parametrize(
    ("header", "options", "key"),
    [
        (("code",), (), "batch.no_code_column"),
        (("uscc",), ("code",), "batch.no_column"),
        (("uscc",), ("", "单位"), "batch.no_column"),
        (("uscc",), ("", "", "举报"), "batch.no_column"),
        (("uscc", "统一社会信用代码"), (), "batch.two_columns"),
        (("uscc", "name", "名称"), (), "batch.two_columns"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(header: Cells, options: tuple[str, ...], key: str) -> None:
    """A column that was named and is not there, or two that fit, is never guessed."""
    with pytest.raises(RowsRefused) as refused:
        columns(header, *options)
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("name", "key"), [("长" * 201, "batch.long_name"), ("张三 11010519491231002X", "batch.person_in_name")]
)
def test_a_name_that_may_not_be_sent_is_refused_by_its_row(name: str, key: str) -> None:
    """A person's number in a name column goes to no member, and the text says the row alone."""
    with pytest.raises(RowsRefused) as refused:
        scan(numbered([(FEW[0], ""), (FEW[1], name)]), WHERE)
    assert (refused.value.key, refused.value.arguments["row"], str(refused.value)) == (key, 3, key)


def test_a_sole_traders_name_stays_here() -> None:
    """A sole trader's name is a person's: the code goes out without it (duty U12)."""
    assert WHERE.subject(2, (SOLE, "张三")) == NamedSubject(uscc=SOLE)


def test_a_list_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows is the most."""
    monkeypatch.setattr(batch_rows, "ROW_LIMIT", 2)
    assert scan(numbered([(FEW[0], "")] * 2), WHERE).rows == 2
    with pytest.raises(RowsRefused) as refused:
        scan(numbered([(FEW[0], "")] * 3), WHERE)
    assert refused.value.arguments == {"limit": 2}


@given(st.lists(CELLS, max_size=40))
def test_every_row_has_its_place(rows: list[tuple[str, str]]) -> None:
    """A row is a defect or the subject of its code and name; alike rows share one, others do not."""
    found = scan(numbered(rows), WHERE)
    assert found.rows == len(rows)
    subjects: dict[int, NamedSubject] = {}
    for place, (number, cells) in zip(found.places, numbered(rows), strict=True):
        assert defect_at(place) == invalid_reason(cells[0])
        if place >= 0:
            assert subjects.setdefault(place, WHERE.subject(number, cells)) == WHERE.subject(number, cells)
    assert list(subjects) == list(range(found.subjects))
    assert len(set(subjects.values())) == found.subjects
    assert found.sole_traders == sum(uscc.is_sole_trader(each.uscc) for each in subjects.values())
    assert found.defects.total() == sum(place < 0 for place in found.places)


@given(st.lists(CELLS, max_size=40), st.integers(1, 5), st.sampled_from([SOLE, FEW[0]]))
def test_messages_hold_every_wanted_subject_once_and_in_order(
    rows: list[tuple[str, str]], size: int, alike: str
) -> None:
    """No message is too large or names a code twice, and packing again gives the same messages."""
    found, sole = scan(numbered(rows), WHERE), uscc.is_sole_trader(alike)

    def packed() -> list[batch_rows.Message]:
        wanted = numbered(rows)
        return list(messages(wanted, WHERE, found, lambda _, code: uscc.is_sole_trader(code) is sole, size=size))

    made = packed()
    flat = [pair for each in made for pair in zip(each.numbers, each.subjects, strict=True)]
    wanted = {
        place: WHERE.subject(number, cells)
        for place, (number, cells) in zip(found.places, numbered(rows), strict=True)
        if place >= 0 and uscc.is_sole_trader(cells[0]) is sole
    }
    assert flat == list(wanted.items())
    assert all(0 < len(each.numbers) <= size for each in made)
    assert all(len({subject.uscc for subject in each.subjects}) == len(each.subjects) for each in made)
    assert packed() == made


def test_long_names_make_smaller_messages() -> None:
    """A message stays within what a question may weigh."""
    rows = [(code, "长" * 200) for code in codes(200)]
    found = scan(numbered(rows), WHERE)
    made = list(messages(numbered(rows), WHERE, found, lambda *_: True, size=1_000))
    weights = [sum(len((each.name or "").encode()) for each in message.subjects) for message in made]
    assert (sum(len(each.numbers) for each in made), len(made) > 1) == (200, True)
    assert max(weights) < batch_rows.MESSAGE_BYTES
