"""Which facts may still be said on a day (duty U3, U18): legal clocks as dated data.

Days are civil days in Asia/Shanghai. A dated end counts from its day on; an annulment as soon as it is known.
A fact without a day that its clock needs is silent.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from gateway.model.codes import Severity, Window
from gateway.tables import Dated

if TYPE_CHECKING:
    from gateway.ports import Fact

CHINA = ZoneInfo("Asia/Shanghai")
OFFICIAL = "OFFICIAL"
ALL_SEVERITIES = frozenset(Severity)
MONTHS: Mapping[Window, int] = {Window.M12: 12, Window.M24: 24, Window.M36: 36, Window.M60: 60}


class Saying(Enum):
    """What may be done with a fact."""

    SAY = "SAY"
    SAY_REPAIRED = "SAY_REPAIRED"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRule(Dated):
    """A member's rule: for how many months after the decision a penalty of each severity may be said."""

    member: str
    version: str
    publish_months: Mapping[str, int]
    lookup_months: int


def civil_day(moment: datetime) -> date:
    """Give the legal day of an instant."""
    return moment.astimezone(CHINA).date()


def months_before(day: date, months: int) -> date:
    """Go back whole calendar months; a day that the month lacks becomes its last one."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def window_from(day: date, window: Window) -> date:
    """Give the first day of a fixed window that ends on `day`."""
    return months_before(day, MONTHS[window])


def still_running(day: date, months: int) -> date:
    """Give the earliest day whose period of whole calendar months still runs on `day`.

    The last day of a period is the corresponding day, or the month's last one where there is none
    (Civil Code art. 202).
    """
    start = months_before(day, months)
    return start if start.day == day.day else start + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock rule as it stands on one day, in texts yyyy-mm-dd, so that a fact is judged by comparing.

    `said_from` gives for each severity that may be said the earliest day of decision; one that it does not
    hold stays silent.
    """

    today: str
    said_from: Mapping[str, str]
    shows_repaired: bool


def clock_on(
    rule: ClockRule,
    today: date,
    *,
    shows_repaired: bool = False,
    since: date | None = None,
    severities: frozenset[Severity] = ALL_SEVERITIES,
) -> Clock:
    """Read a rule on a day, for decisions since a day and of these severities; work for once a question.

    A severity without months, or with none left, is never said.
    """
    lookup = still_running(today, rule.lookup_months)
    floor = lookup if since is None else max(lookup, since)
    said_from = {
        each.value: max(floor, still_running(today, rule.publish_months[each.value])).isoformat()
        for each in severities
        if rule.publish_months.get(each.value, 0) > 0
    }
    return Clock(today=today.isoformat(), said_from=said_from, shows_repaired=shows_repaired)


def say_penalty(fact: Fact, clock: Clock) -> Saying:
    """Decide on a penalty: official, in force, while it is published, inside its months; a repair ends it."""
    decided, begins = fact["decided_on"], clock.said_from.get(fact["severity"])
    if (
        begins is None
        or decided is None
        or not begins <= decided <= clock.today
        or fact["origin"] != OFFICIAL
        or fact["exempt"]
        or fact["annulled_on"] is not None
        or not _begun(fact["publish_not_before"], clock.today)
        or ((until := fact["publish_until"]) is not None and until <= clock.today)
    ):
        return Saying.SILENT
    if not _ended(fact["repaired_on"], clock.today):
        return Saying.SAY
    return Saying.SAY_REPAIRED if clock.shows_repaired else Saying.SILENT


def counted(said: Sequence[tuple[Fact, Saying]]) -> Sequence[tuple[Fact, Saying]]:
    """Leave out what is the same decision, and what was decided again within the days to rectify (requirement A67).

    Records of one reference, penalties or entries in a list, are one decision, however its source wrote agency and
    key. Of the penalties that may be said, one decided from the day of an earlier one up to its `rectify_until` is
    not counted again: by the same agency, for the same behaviour, of the same domain and severity. One that is not
    repaired is never left out for one that is, so that nothing sounds better than it stands. What may not be said
    leaves out nothing, since that would be a trace of it (duty U3).
    """
    if len(said) < 2:  # noqa: PLR2004 - alone it is no repeat
        return said
    once = _once(said)
    return _counted(once) if any(fact.get("rectify_until") for fact, _ in once) else once


def _once(said: Sequence[tuple[Fact, Saying]]) -> Sequence[tuple[Fact, Saying]]:
    best: dict[bytes, tuple[Fact, Saying]] = {}
    rest = []
    for each in said:
        reference = each[0].get("reference")
        if reference is None:
            rest.append(each)
        elif reference not in best or _weight(each) > _weight(best[reference]):
            best[reference] = each
    return said if len(rest) + len(best) == len(said) else [*rest, *best.values()]


def _weight(each: tuple[Fact, Saying]) -> tuple[Any, ...]:
    """Order records of one decision: the one that says most against its subject, and the same one every time."""
    fact, saying = each
    begun = fact.get("decided_on") or fact.get("listed_on") or ""
    return saying is Saying.SAY, begun, fact.get("rectify_until") or "", fact["digest"]


def _counted(said: Sequence[tuple[Fact, Saying]]) -> Sequence[tuple[Fact, Saying]]:
    until: dict[tuple[Any, Saying], str] = {}
    kept = []
    for fact, saying in sorted(sorted(said, key=_longest, reverse=True), key=_decided):
        act = (fact["domain"], fact["severity"], fact["behaviour"], fact["agency"])
        known = None not in act
        if not known or fact["decided_on"] > max(until.get((act, each), "") for each in (Saying.SAY, saying)):
            kept.append((fact, saying))
        until[act, saying] = max(until.get((act, saying), ""), fact["rectify_until"] or "")
    return kept


def say_listing(fact: Fact, clock: Clock) -> Saying:
    """Decide on an entry in a list: official, past its grace, standing there on the day."""
    says = (
        fact["listed_on"] is not None
        and fact["listed_on"] <= clock.today
        and fact["origin"] == OFFICIAL
        and _begun(fact["publish_not_before"], clock.today)
        and not _ended(fact["exit_on"], clock.today)
    )
    return Saying.SAY if says else Saying.SILENT


def say_measure(fact: Fact, clock: Clock) -> Saying:
    """Decide on a measure: its term runs on the day and it was not lifted."""
    return _say_term(fact["term_from"], fact["term_until"], fact["lifted_on"], clock.today)


def say_permit(fact: Fact, clock: Clock) -> Saying:
    """Decide on a permit: valid on the day and not revoked; an ended one leaves no trace (U3)."""
    return _say_term(fact["valid_from"], fact["valid_until"], fact["revoked_on"], clock.today)


def say_rating(fact: Fact, clock: Clock) -> Saying:
    """Decide on a rating: given by the day and valid on it."""
    return _say_term(fact["rated_on"], fact["valid_until"], None, clock.today)


def _say_term(begins: str | None, until: str | None, ended: str | None, today: str) -> Saying:
    says = begins is not None and begins <= today and not _ended(until, today) and not _ended(ended, today)
    return Saying.SAY if says else Saying.SILENT


def _decided(pair: tuple[Fact, Saying]) -> str:
    decided: str = pair[0]["decided_on"]
    return decided


def _longest(pair: tuple[Fact, Saying]) -> tuple[str, bytes]:
    return (pair[0]["rectify_until"] or "", pair[0]["digest"])


def _begun(day: str | None, today: str) -> bool:
    return day is None or day <= today


def _ended(day: str | None, today: str) -> bool:
    return day is not None and day <= today
