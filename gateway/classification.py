"""Domain and severity of a decision (duty U16): source files have neither, so a dated, signed table gives both.

An act is known by its code or name in the feed's domain, or by the first rule that gives an act of that domain;
its severity is that of the first rule that gives one, or else the act's own. A rule never moves a decision to
another domain: the feed whose lateness makes that domain PARTIAL would not be the one that holds the decision.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from gateway.errors import CatalogueMalformed
from gateway.model.codes import Severity
from gateway.tables import Dated, check_apart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date
    from decimal import Decimal

KEPT = 1 << 14
_SEPARATORS = re.compile(r"[、；;，,+\s]+")


class Procedure(Enum):
    """How a penalty was decided: simple 简易程序, ordinary 普通程序, or with a hearing 听证."""

    SIMPLE = "SIMPLE"
    ORDINARY = "ORDINARY"
    HEARING = "HEARING"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRule(Dated):
    """A rule: what it filters on (an empty filter lets all pass), and the act or the severity that it gives.

    `acts` are codes or Chinese names; `agencies` ids or sorts (the part of an id behind the first hyphen); `kinds`
    words of which one occurs in the penalty's kinds 处罚类别; `only_kinds` words beside which it has no other kind.
    A fine is in yuan, from `fine_from` on and below `fine_below`; an unknown one is neither.
    """

    id: str
    acts: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    agencies: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    only_kinds: tuple[str, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    fine_from: int | None = None
    fine_below: int | None = None
    behaviour: str | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """What a decision is about, of which domain and how severe."""

    behaviour: str
    domain: str
    severity: Severity


Act = tuple[str, str, str, Severity]
"""Code, Chinese name, domain and severity of a behaviour."""

Key = tuple[str, str, str, str, int | None, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """The rules in their order, and the acts by domain and code or name.

    `fines` and `days` are where an outcome may change: two decisions between the same of them are alike.
    """

    rules: tuple[ClassRule, ...]
    acts: Mapping[tuple[str, str], Classified]
    words: frozenset[str]
    fines: tuple[int, ...]
    days: tuple[date, ...]
    kept: dict[Key, Classified | None] = field(default_factory=dict, repr=False, compare=False)
    """Outcomes worked out before; it saves work, no more."""


def class_table(acts: Collection[Act], rules: Iterable[ClassRule]) -> ClassTable:
    """Index acts and rules for `classify`.

    Raises:
        CatalogueMalformed: for two rules of one id in force on the same day, one that filters on nothing or gives
            nothing, that no fine can meet, or that gives an act without a row or outside its domains.
    """
    domains = {code: domain for code, _, domain, _ in acts}
    kept = tuple(rules)
    check_apart(kept, "class_rules", "id")
    for rule in kept:
        _check(rule, domains)
    named: dict[tuple[str, str], Classified] = {}
    for code, name, domain, severity in acts:
        found = Classified(behaviour=code, domain=domain, severity=severity)
        named |= {(domain, folded(name)): found} if name else {}
        named[domain, code] = found
    bounds = {each for rule in kept for each in (rule.fine_from, rule.fine_below) if each is not None}
    days = {each for rule in kept for each in (rule.valid_from, rule.valid_until) if each is not None}
    return ClassTable(
        rules=kept,
        acts=named,
        words=frozenset(word for _, word in named).union(folded(each) for rule in kept for each in rule.acts),
        fines=tuple(sorted(bounds)),
        days=tuple(sorted(days)),
    )


def classify(
    table: ClassTable,
    *,
    act: str,
    domain: str,
    agency: str,
    kinds: str = "",
    fine_yuan: Decimal | int | None = None,
    procedure: str = "",
    on: date,
) -> Classified | None:
    """Classify a decision by its act, domain, agency's id, penalty, procedure and day; None when no act is found.

    `act` is a code or a Chinese name, `kinds` the penalty's kinds as they stand in the file.
    """
    word = folded(act)
    key = (
        word if word in table.words else "",
        domain,
        agency,
        kinds,
        None if fine_yuan is None else bisect_right(table.fines, fine_yuan),
        procedure,
        bisect_right(table.days, on),
    )
    try:
        return table.kept[key]
    except KeyError:
        if len(table.kept) >= KEPT:
            table.kept.clear()
        found = table.kept[key] = _classified(table, key, fine_yuan, on)
        return found


def folded(text: str) -> str:
    """Give a name as it is compared: full-width letters and signs as plain ones, no blanks at its ends."""
    return unicodedata.normalize("NFKC", text).strip()


def _classified(table: ClassTable, key: Key, fine: Decimal | int | None, on: date) -> Classified | None:
    word, domain = key[:2]
    fitting = [each for each in table.rules if each.in_force(on) and _fits(each, key) and _fined(each, fine)]
    found = table.acts.get((domain, word))
    if found is None:
        given = ((domain, each.behaviour or "") for each in fitting if _means(table, each, domain, word))
        found = next((table.acts[each] for each in given if each in table.acts), None)
    if found is None:
        return None
    meant = (each for each in fitting if _means(table, each, domain, word, found.behaviour))
    severity = next((each.severity for each in meant if each.severity is not None), found.severity)
    return Classified(behaviour=found.behaviour, domain=domain, severity=severity)


def _fits(rule: ClassRule, key: Key) -> bool:
    """Say whether a rule's filters let a decision pass, but for its act, fine and day."""
    _, domain, agency, cell, _, procedure, _ = key
    kinds = [each for each in _SEPARATORS.split(folded(cell)) if each]
    return (
        (not rule.domains or domain in rule.domains)
        and (not rule.agencies or not {agency, agency.partition("-")[2]}.isdisjoint(rule.agencies))
        and (not rule.kinds or any(word in kind for word in rule.kinds for kind in kinds))
        and (not rule.only_kinds or (bool(kinds) and set(kinds) <= set(rule.only_kinds)))
        and (not rule.procedures or procedure in {each.value for each in rule.procedures})
    )


def _fined(rule: ClassRule, fine: Decimal | int | None) -> bool:
    if fine is None:
        return rule.fine_from is None and rule.fine_below is None
    return (rule.fine_from is None or rule.fine_from <= fine) and (rule.fine_below is None or fine < rule.fine_below)


def _means(table: ClassTable, rule: ClassRule, domain: str, word: str, behaviour: str = "") -> bool:
    """Say whether a rule is for an act, which the file and the rule may call by its code or its name."""
    for named in map(folded, rule.acts):
        own = table.acts.get((domain, named))
        if named == word or (own is not None and own.behaviour == behaviour):
            return True
    return not rule.acts


def _check(rule: ClassRule, domains: Mapping[str, str]) -> None:
    filters = (rule.acts, rule.domains, rule.agencies, rule.kinds, rule.only_kinds, rule.procedures)
    if not any(filters) and rule.fine_from is None and rule.fine_below is None:
        raise _fault(rule, "filters on nothing; name what it is for")
    if rule.behaviour is None and rule.severity is None:
        raise _fault(rule, "gives neither behaviour nor severity; give one")
    if rule.fine_from is not None and rule.fine_below is not None and rule.fine_from >= rule.fine_below:
        raise _fault(rule, "lets no fine pass; correct its bounds")
    if rule.behaviour is not None and rule.behaviour not in domains:
        raise _fault(rule, f"gives {rule.behaviour}, which has no row; add the row")
    if rule.behaviour is not None and rule.domains and domains[rule.behaviour] not in rule.domains:
        raise _fault(rule, f"gives {rule.behaviour}, which is of none of its domains; correct the rule")


def _fault(rule: ClassRule, what: str) -> CatalogueMalformed:
    return CatalogueMalformed(f"directory class_rules {rule.id} {what}")
