"""Makes the records of a member's subjects: what a subject has, the shapes say; when, a draw of the past says.

Days are counted backwards from today, and their texts made once: a row is a few draws and one text.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from gateway.model.codes import SchemeKind
from gateway.recognition import Scheme
from nodes.sample import shapes
from nodes.sample.posts import Decided
from nodes.sample.records import Desk
from nodes.sample.subjects import BRANCH_EVERY, ENTERPRISE, TRADER, Population, Subject, is_listed, is_quiet

T = TypeVar("T")

_YEAR = 365
_FIVE_YEARS, _THIRTY_YEARS = 5 * _YEAR, 30 * _YEAR
_AHEAD = 6 * _YEAR
_SORTS = ("ORDINARY", "APPROVAL", "REGISTRATION")
_TERMS = (0, _YEAR, _YEAR, 3 * _YEAR, 3 * _YEAR, 5 * _YEAR)  # 0: without an end
_WIDE = 1 << 40
_ON_TIME = 6  # days to a report, within seven working days in any week
_PUNISHING = ("MP01", "MP06", "MP07", "MP09", "MP11", "MP14")
_REWARDING = ("MR02", "MR04", "MR06")


class Maker:
    """Makes the records of one member's sample."""

    def __init__(self, desk: Desk, people: Population, chance: Random, today: date) -> None:
        """Gather what there is to choose from: feeds, acts, lists and levels of the member."""
        world = desk.world
        self.desk, self.member, self.chance = desk, world.member, chance
        self._people, self._random = people, chance.random
        self._text = [(today + timedelta(days=ahead)).isoformat() for ahead in range(_AHEAD, -_THIRTY_YEARS - 1, -1)]
        self._acts = {
            severity: [
                each.code
                for each in world.catalogue.behaviours.values()
                if each.severity.value == severity and ("penalty", each.domain) in world.feeds
            ]
            for severity in ("MINOR", "GENERAL", "SERIOUS")
        }
        self._severe: dict[str, list[str]] = {}
        for each in world.catalogue.list_types.values():
            if each.severe and ("listing", each.domain) in world.feeds:
                self._severe.setdefault(each.domain, []).append(each.code)
        self._domains = {
            name: [each.domain for each in world.of_class(name)] for name in {key[0] for key in world.feeds}
        }
        self._scheme, self._levels = _comprehensive(world.catalogue.schemes, desk)
        self._external = _external(world.catalogue.schemes, self.member)
        self._penalised = shapes.PENALISED.get(self.member, shapes.PENALISED_ELSEWHERE) / shapes.LOUD

    def home(self, number: int) -> None:
        """Make a subject of this member with all its records."""
        subject, division = self._people.subject(number)
        enterprise, trader = subject.kind == ENTERPRISE, subject.kind == TRADER
        quiet, listed = is_quiet(subject, number), is_listed(subject, number)
        lifecycle = "ACTIVE" if quiet or listed else self._drawn(shapes.LIFECYCLES)
        since = int(self._random() * _THIRTY_YEARS)
        self.desk.register(
            subject,
            division=division,
            since=self._day(since),
            lifecycle=lifecycle,
            predecessor=self._people.code(number - 3) if enterprise and number % 1_000 == 997 else "",  # noqa: PLR2004
            successor=self._people.code(number + 3) if lifecycle == "MERGED" else "",
            branch_of=self._people.code(number - 1 - number % 7) if enterprise and _is_branch(number) else "",
        )
        if not quiet and self._happens(shapes.PENALISED_TRADER if trader else self._penalised):
            self.penalties(subject)
        self._permits(subject, lifecycle)
        self._decisions(subject, trader=trader)
        if enterprise:
            self._deeds(subject)
            if lifecycle == "ACTIVE":
                self._graded(subject)
            if listed:
                self._listed(subject)
            if not quiet:
                self._against(subject)

    def moved_out(self, subject: Subject, division: str) -> None:
        """Keep the register's memory of a subject that now sits with another member (duty U6)."""
        since = int(self._random() * _FIVE_YEARS)
        self.desk.register(subject, division=division, since=self._day(since), lifecycle="MIGRATED")

    def penalties(self, subject: Subject) -> None:
        """Make the penalties of a subject that has some."""
        for _ in range(self._drawn(shapes.TIMES)):
            severity = self._drawn(shapes.SEVERITIES)
            if self._acts[severity]:
                self._penalty(subject, severity)

    def _penalty(self, subject: Subject, severity: str) -> None:
        ago = 1 + int(self._random() * _FIVE_YEARS)
        mended = ago - self._drawn(shapes.REPAIR_DAYS[severity])
        repaired = mended >= 0 and self._happens(shapes.REPAIRED)
        filed = repaired and "repair" in self._domains and self._happens(shapes.REPAIR_FILES)
        objected = self._happens(shapes.OBJECTED)
        made = self.desk.penalty(
            subject,
            self._drawn(self._acts[severity]),
            decided=self._day(ago),
            reported=self._day(max(0, ago - int(self._random() * _ON_TIME))),
            repaired=self._day(mended) if repaired and not filed else None,
            annulled=self._day(ago - 60) if ago > 60 and self._happens(shapes.ANNULLED) else None,  # noqa: PLR2004
            rectify=self._day(ago - 30) if self._happens(0.2) else None,
            exempt=self._happens(shapes.EXEMPT),
            escalated=self._happens(shapes.ESCALATED),
            responsible=self._happens(shapes.RESPONSIBLE),
        )
        if made is None:
            return
        if filed:
            outcome = "REJECTED" if self._happens(shapes.REPAIR_REJECTED) else "APPROVED"
            self.desk.repair(subject, made, decided=self._day(mended), severity=severity, outcome=outcome)
        if objected:
            self._objection(subject, made, ago)

    def _objection(self, subject: Subject, of: Decided, ago: int) -> None:
        opened = max(0, ago - 20)
        if self._happens(0.5) or opened < 7:  # noqa: PLR2004
            self.desk.objection(subject, of, opened=self._day(opened))
        else:
            status = "CORRECTED" if self._happens(shapes.OBJECTION_UPHELD) else "UPHELD"
            self.desk.objection(subject, of, opened=self._day(opened), status=status, decided=self._day(opened - 7))

    def _permits(self, subject: Subject, lifecycle: str) -> None:
        domains = self._domains.get("permit")
        if not domains:
            return
        many = self._drawn(shapes.PERMITS[ENTERPRISE if subject.kind == ENTERPRISE else TRADER])
        first = _AHEAD + (_YEAR if lifecycle == "DEREGISTERED" else _ON_TIME)
        text, permit, lag = self._text, self.desk.permit, many % _ON_TIME
        for _ in range(many):
            draw = int(self._random() * _WIDE)  # one draw is wide enough for day, domain, term and sort
            at, term = first + draw % _FIVE_YEARS, _TERMS[(draw >> 12) % 6]
            permit(
                subject,
                domains[(draw >> 20) % len(domains)],
                _SORTS[draw % 3],
                since=text[at],
                until=text[at - term] if term else None,
                reported=text[at - lag],
            )

    def _decisions(self, subject: Subject, *, trader: bool) -> None:
        for name, (share, of_traders, kinds, results) in shapes.DECISIONS.items():
            if self._random() < (of_traders if trader else share) and name in self._domains:
                self._decision(name, subject, kinds, results)

    def _decision(self, name: str, subject: Subject, kinds: Sequence[str], results: Sequence[str]) -> None:
        decided = self._day(self._past(_FIVE_YEARS))
        domain, kind, result = self._drawn(self._domains[name]), self._drawn(kinds), self._drawn(results)
        self.desk.decision(name, subject, domain, kind, decided=decided, result=result)

    def _deeds(self, subject: Subject) -> None:
        """What enterprises do and get besides: commitments, contracts, honours, rights, declarations."""
        desk, happens = self.desk, self._happens
        if happens(shapes.COMMITTED) and "commitment" in self._domains:
            for _ in range(max(1, self._drawn(shapes.COMMITMENTS))):
                self._commitment(subject)
        if happens(shapes.CONTRACTED) and "contract" in self._domains:
            state, ago = self._drawn(shapes.CONTRACT_STATES), self._past(3 * _YEAR)
            closed = None if state == "OPEN" else self._day(ago // 2)
            desk.contract(
                subject, self._drawn(self._domains["contract"]), self._drawn(shapes.CONTRACT_KINDS), state,
                signed=self._day(ago), due=self._day(ago - _YEAR), closed=closed,
            )  # fmt: skip
        if happens(shapes.HONOURED) and "honour" in self._domains:
            ago = self._past(_FIVE_YEARS)
            domain, kind = self._drawn(self._domains["honour"]), self._drawn(shapes.HONOURS)
            desk.honour(subject, domain, kind, awarded=self._day(ago), until=self._day(ago - 3 * _YEAR))
        if happens(shapes.PROTECTED):
            ago = self._past(_FIVE_YEARS)
            desk.intellectual_property(
                subject, self._drawn(shapes.RIGHTS), registered=self._day(ago), until=self._day(ago - 6 * _YEAR)
            )
        if happens(shapes.DECLARED):
            ago = self._past(2 * _YEAR)
            desk.self_declared(subject, self._drawn(shapes.DECLARATIONS), declared=self._day(ago))

    def _commitment(self, subject: Subject) -> None:
        state, ago = self._drawn(shapes.COMMITMENT_STATES), self._past(3 * _YEAR)
        self.desk.commitment(
            subject,
            self._drawn(self._domains["commitment"]),
            self._drawn(shapes.COMMITMENT_TYPES),
            state,
            made=self._day(ago),
            due=self._day(ago - 180),
            closed=None if state == "OPEN" else self._day(ago // 2),
            escalated=state == "BREACHED" and self._happens(0.3),
        )

    def _graded(self, subject: Subject) -> None:
        """The member's own grade, and those of external schemes."""
        if self._scheme and self._happens(shapes.GRADED):
            self._rating(subject, self._drawn(shapes.GRADES))
        for scheme, (share, levels) in self._external.items():
            if self._random() < share:
                ago = self._past(330)
                level = self._drawn(levels)
                self.desk.rating(subject, scheme, level, rated=self._day(ago), until=self._day(ago - _YEAR))

    def _against(self, subject: Subject) -> None:
        """What else may stand against an enterprise."""
        if self._happens(shapes.ABNORMAL / shapes.LOUD) and "abnormal" in self._domains:
            self._abnormal(subject)
        if self._happens(shapes.JUDGED / shapes.LOUD):
            ago = self._past(_FIVE_YEARS)
            ended = self._day(ago // 2) if self._happens(0.6) else None
            self.desk.judicial(subject, self._drawn(shapes.JUDGMENTS), decided=self._day(ago), ended=ended)
        if self._happens(shapes.COERCED) and "coercion" in self._domains:
            self._decision("coercion", subject, shapes.COERCIONS, shapes.COERCION_RESULTS)

    def _rating(self, subject: Subject, canonical: str) -> None:
        ago = self._past(330)
        self.desk.rating(
            subject,
            self._scheme,
            self._drawn(self._levels[canonical]),
            rated=self._day(ago),
            until=self._day(ago - _YEAR),
        )
        if canonical == "A" and self._happens(0.1):
            code, since = self._drawn(_REWARDING), self._day(self._past(300))
            self.desk.measure(subject, code, "MARKET_REG", territory=self.member, since=since)

    def _abnormal(self, subject: Subject) -> None:
        ago = self._past(3 * _YEAR)
        left = ago > 200 and self._happens(shapes.ABNORMAL_LEFT)  # noqa: PLR2004
        made = self.desk.abnormal(
            subject,
            self._drawn(self._domains["abnormal"]),
            self._drawn(shapes.ABNORMAL_REASONS),
            listed=self._day(ago),
            left=self._day(ago - 200) if left else None,
            reason="REPAIRED" if left else "",
        )
        if made is not None and self._happens(shapes.OBJECTED):
            self._objection(subject, made, ago)

    def _listed(self, subject: Subject) -> None:
        domain = self._drawn(shapes.SEVERE_DOMAINS)
        if domain not in self._severe:
            domain = self._drawn(tuple(self._severe) or ("",))
        if not domain:
            return
        since = self._day(self._past(3 * _YEAR))
        self.desk.listing(subject, self._drawn(self._severe[domain]), listed=since)
        for code in self.chance.sample(_PUNISHING, 3):
            territory = self._drawn(("NATIONAL", self.member))
            self.desk.measure(subject, code, domain, territory=territory, since=since)

    def _happens(self, share: float) -> bool:
        return self._random() < share

    def _past(self, days: int) -> int:
        return 1 + int(self._random() * days)

    def _day(self, ago: int) -> str:
        return self._text[_AHEAD + ago]

    def _drawn(self, table: Sequence[T]) -> T:
        return table[int(self._random() * len(table))]


def _is_branch(number: int) -> bool:
    return number > BRANCH_EVERY and not (number + 1) % BRANCH_EVERY


def _comprehensive(schemes: Sequence[Scheme], desk: Desk) -> tuple[str, dict[str, list[str]]]:
    """Give the member's comprehensive scheme, and its levels by canonical grade."""
    for scheme in schemes:
        if scheme.member == desk.world.member and scheme.kind is SchemeKind.COMPREHENSIVE:
            mapped = next(each for each in desk.world.catalogue.mappings if each.scheme_id == scheme.id).levels
            levels: dict[str, list[str]] = {}
            for name, grade in mapped.items():
                levels.setdefault(grade.value, []).append(name)
            return scheme.id, levels
    return "", {}


def _external(schemes: Sequence[Scheme], member: str) -> dict[str, tuple[float, tuple[str, ...]]]:
    """Give the member's external schemes with the share of enterprises rated, and levels laid out by their shares."""
    found = {}
    for scheme in schemes:
        shape = shapes.EXTERNAL.get(scheme.id.rpartition("-")[2])
        if scheme.member == member and scheme.kind is SchemeKind.EXTERNAL and shape is not None:
            share, parts = shape
            found[scheme.id] = (share, shapes.spread(tuple(zip(scheme.levels, parts, strict=False))))
    return found
