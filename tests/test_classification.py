"""Domain and severity of decisions: first rule first, by the day of the decision, and never a guess (duty U16)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import classification
from gateway.classification import Classified, ClassRule, ClassTable, Procedure, class_table, classify
from gateway.errors import CatalogueMalformed
from gateway.model.codes import Severity

MINOR, GENERAL, SERIOUS = Severity
RANK = {each: rank for rank, each in enumerate(Severity)}
TODAY, SINCE = date(2026, 3, 10), date(2020, 1, 1)
ACTS = (
    ("TAX-M-1", "发票使用不规范", "TAX", MINOR),
    ("TAX-G-1", "未按期申报", "TAX", GENERAL),
    ("TAX-S-1", "", "TAX", SERIOUS),
    ("IP-G-1", "未按期申报", "IP", GENERAL),
)


def rule(name: str, **filters: Any) -> ClassRule:
    """Give a rule in force since 2020."""
    return ClassRule(id=name, **{"valid_from": SINCE, **filters})


RULES = (
    rule("REVOKED", kinds=("吊销", "责令关闭"), severity=SERIOUS),
    rule("HUGE", fine_from=1_000_000, severity=SERIOUS),
    rule("SIMPLE", procedures=(Procedure.SIMPLE,), severity=MINOR),
    rule("WARNED", only_kinds=("警告", "通报批评"), severity=MINOR),
    rule("ALIAS", acts=("逾期申报",), behaviour="TAX-G-1"),
    rule("OFFICE", agencies=("310000-audit",), behaviour="TAX-S-1", severity=GENERAL),
    rule("SORT", agencies=("patent",), domains=("IP",), behaviour="IP-G-1"),
)
TABLE = class_table(ACTS, RULES)


def found(table: ClassTable = TABLE, **facts: Any) -> tuple[str, Severity] | None:
    """Classify a decision; an act known by its name unless told."""
    wanted: dict[str, Any] = {"act": "未按期申报", "domain": "TAX", "agency": "310000-tax", "on": TODAY, **facts}
    got = classify(table, **wanted)
    assert got is None or got.domain == wanted["domain"]
    return None if got is None else (got.behaviour, got.severity)


def only(**filters: Any) -> ClassTable:
    """Give a table of one rule that makes what it lets pass serious."""
    return class_table(ACTS, [rule("R", severity=SERIOUS, **filters)])


CASES: list[tuple[dict[str, Any], tuple[str, Severity] | None]] = [
    ({}, ("TAX-G-1", GENERAL)),
    ({"act": "TAX-M-1"}, ("TAX-M-1", MINOR)),
    ({"act": " 未按期申报 "}, ("TAX-G-1", GENERAL)),
    ({"act": "ＴＡＸ-Ｍ-1"}, ("TAX-M-1", MINOR)),
    ({"domain": "IP"}, ("IP-G-1", GENERAL)),
    ({"domain": "FIRE"}, None),
    ({"act": "IP-G-1"}, None),
    ({"act": "无此行为"}, None),
    ({"act": ""}, None),
    ({"act": "逾期申报"}, ("TAX-G-1", GENERAL)),
    ({"act": "逾期申报", "domain": "IP"}, None),
    ({"act": "无此行为", "agency": "310000-audit"}, ("TAX-S-1", GENERAL)),
    ({"act": "无此行为", "agency": "320000-audit"}, None),
    ({"act": "无此行为", "agency": "310000-audit", "kinds": "警告"}, ("TAX-S-1", MINOR)),
    ({"act": "无此行为", "agency": "310000-audit", "domain": "IP"}, None),
    ({"act": "无此行为", "agency": "320000-patent", "domain": "IP"}, ("IP-G-1", GENERAL)),
    ({"act": "TAX-M-1", "agency": "310000-audit"}, ("TAX-M-1", GENERAL)),
    ({"procedure": "SIMPLE"}, ("TAX-G-1", MINOR)),
    ({"procedure": "ORDINARY"}, ("TAX-G-1", GENERAL)),
    ({"kinds": "警告"}, ("TAX-G-1", MINOR)),
    ({"kinds": "警告、通报批评"}, ("TAX-G-1", MINOR)),
    ({"kinds": "警告；罚款"}, ("TAX-G-1", GENERAL)),
    ({"kinds": "警告并处罚款"}, ("TAX-G-1", GENERAL)),
    ({"kinds": "罚款+吊销营业执照"}, ("TAX-G-1", SERIOUS)),
    ({"kinds": "暂扣或者吊销许可证", "procedure": "SIMPLE"}, ("TAX-G-1", SERIOUS)),
    ({"fine_yuan": 999_999}, ("TAX-G-1", GENERAL)),
    ({"fine_yuan": Decimal("999999.99")}, ("TAX-G-1", GENERAL)),
    ({"fine_yuan": 1_000_000}, ("TAX-G-1", SERIOUS)),
    ({"fine_yuan": Decimal("1000000.01"), "procedure": "SIMPLE"}, ("TAX-G-1", SERIOUS)),
]


@pytest.mark.parametrize(("facts", "expected"), CASES, ids=str)
def test_a_decision_is_classified(facts: dict[str, Any], expected: tuple[str, Severity] | None) -> None:
    """The act's own name goes first, then rules for acts; the first rule with a severity gives it, else the act."""
    assert found(**facts) == expected


def test_a_rule_means_an_act_by_its_code_or_name() -> None:
    """The file may say the name and the rule the code, or the other way round; other acts it leaves alone."""
    for named in ("TAX-G-1", "未按期申报"):
        table = only(acts=(named,))
        got = [found(table, act=each) for each in ("未按期申报", "TAX-G-1", "TAX-M-1")]
        assert got == [("TAX-G-1", SERIOUS), ("TAX-G-1", SERIOUS), ("TAX-M-1", MINOR)]


@pytest.mark.parametrize(
    ("filters", "passing", "stopped"),
    [
        ({"domains": ("TAX",)}, {}, {"domain": "IP"}),
        ({"agencies": ("tax",)}, {}, {"agency": "310000-taxes"}),
        ({"agencies": ("310000-tax",)}, {}, {"agency": "320000-tax"}),
        ({"kinds": ("没收",)}, {"kinds": "没收违法所得，罚款"}, {"kinds": "罚款"}),
        ({"only_kinds": ("罚款",)}, {"kinds": "罚款; 罚款"}, {"kinds": ""}),
        ({"procedures": (Procedure.HEARING,)}, {"procedure": "HEARING"}, {"procedure": ""}),
        ({"fine_from": 10}, {"fine_yuan": 10}, {"fine_yuan": 9}),
        ({"fine_below": 10}, {"fine_yuan": 0}, {"fine_yuan": 10}),
        ({"fine_from": 10, "fine_below": 20}, {"fine_yuan": 19}, {"fine_yuan": 20}),
        ({"fine_below": 10}, {"fine_yuan": 9}, {"fine_yuan": None}),
        ({"fine_from": 10}, {"fine_yuan": 11}, {}),
    ],
    ids=str,
)
def test_each_filter_lets_pass_what_it_says(
    filters: dict[str, Any], passing: dict[str, Any], stopped: dict[str, Any]
) -> None:
    """What a filter does not name keeps the act's severity; an unknown fine is in no range."""
    names = [None if got is None else got[1] for got in (found(only(**filters), **each) for each in (passing, stopped))]
    assert names == [SERIOUS, GENERAL]


def test_the_day_of_the_decision_chooses_the_rule() -> None:
    """A rule holds for decisions from its first day until the day before its end, whenever they are loaded."""
    until = date(2026, 3, 12)
    old = rule("R", procedures=(Procedure.SIMPLE,), severity=MINOR, valid_from=TODAY, valid_until=until)
    new = rule("R", procedures=(Procedure.SIMPLE,), severity=SERIOUS, valid_from=until)
    table = class_table(ACTS, [new, old])
    days = [date(2026, 3, each) for each in (9, 10, 11, 12, 13)]
    got = [found(table, procedure="SIMPLE", on=day) for day in (*days, *days)]
    assert [each and each[1] for each in got] == [GENERAL, MINOR, MINOR, SERIOUS, SERIOUS] * 2


def test_what_is_kept_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up acts share one place, made-up agencies fill no memory, and what is given stays right."""
    monkeypatch.setattr(classification, "KEPT", 8)
    table = class_table(ACTS, RULES)
    assert {found(table, act=f"X{each}") for each in range(50)} == {None}
    assert len(table.kept) == 1
    for each in range(50):
        assert found(table, agency=f"{each}-tax") == ("TAX-G-1", GENERAL)
        assert len(table.kept) <= 8


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([rule("R", severity=MINOR)], "R filters on nothing"),
        ([rule("R", acts=("X",))], "R gives neither"),
        ([rule("R", fine_from=5, fine_below=5, severity=MINOR)], "R lets no fine pass"),
        ([rule("R", acts=("X",), behaviour="NONE")], "R gives NONE, which has no row"),
        ([rule("R", domains=("IP",), behaviour="TAX-G-1")], "R gives TAX-G-1, which is of none of its domains"),
        ([RULES[0], RULES[0]], "REVOKED: two rows are in force on 2020-01-01"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rules: list[ClassRule], text: str) -> None:
    """One for everything, for nothing, with an empty range, or that stands twice, is named."""
    with pytest.raises(CatalogueMalformed, match=f"^directory class_rules {text}"):
        class_table(ACTS, rules)


# Laws

KINDS = ("警告", "通报批评", "罚款", "没收违法所得", "暂扣许可证件", "吊销许可证件", "责令关闭")
FACTS = st.fixed_dictionaries(
    {
        "act": st.sampled_from(["发票使用不规范", "未按期申报", "TAX-S-1", "逾期申报", "X", ""]),
        "domain": st.sampled_from(["TAX", "IP", "FIRE"]),
        "agency": st.sampled_from(["310000-tax", "310000-audit", "320000-patent", ""]),
        "kinds": st.lists(st.sampled_from(KINDS), max_size=3).map("、".join),
        "fine_yuan": st.none() | st.integers(0, 2_000_000),
        "procedure": st.sampled_from(["", "SIMPLE", "ORDINARY", "HEARING"]),
        "on": st.dates(date(2019, 6, 1), date(2027, 1, 1)),
    }
)


@given(FACTS)
def test_what_is_kept_is_what_a_fresh_table_gives(facts: dict[str, Any]) -> None:
    """Keeping outcomes changes none, and a decision without an act of its domain is never classified."""
    got = classify(TABLE, **facts)
    assert got == classify(class_table(ACTS, RULES), **facts)
    codes = {code: domain for code, _, domain, _ in ACTS}
    assert got is None or codes[got.behaviour] == got.domain == facts["domain"]


@given(FACTS, st.integers(0, 2_000_000), st.sampled_from(["罚款", "没收违法所得", "暂扣许可证件", "吊销许可证件"]))
def test_a_heavier_penalty_is_never_a_lighter_class(facts: dict[str, Any], more: int, kind: str) -> None:
    """A higher fine, and a further kind of penalty, leave the act as it is and do not lower its severity."""
    lighter = classify(TABLE, **facts)
    fined = {**facts, "fine_yuan": (facts["fine_yuan"] or 0) + more}
    added = {**facts, "kinds": f"{facts['kinds']}、{kind}"}
    for heavier in (classify(TABLE, **fined), classify(TABLE, **added)):
        assert (lighter is None) == (heavier is None)
        if lighter is not None and heavier is not None:
            assert lighter.behaviour == heavier.behaviour
            assert RANK[lighter.severity] <= RANK[heavier.severity]


@given(FACTS, st.permutations(range(len(ACTS))))
def test_the_order_of_acts_does_not_matter(facts: dict[str, Any], order: list[int]) -> None:
    """Only rules are ordered; a named act is itself whatever the rules give to others."""
    got = classify(class_table([ACTS[each] for each in order], RULES), **facts)
    assert got == classify(TABLE, **facts)
    if facts["act"] == "未按期申报" and facts["domain"] == "TAX":
        assert isinstance(got, Classified)
        assert got.behaviour == "TAX-G-1"
