"""Writes a member's sample: seeded, streaming, shaped like the statistics of the four regions.

A subject's code follows from its member and number alone, so that one member can have records of another's
subjects without having made them.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

from gateway.model.codes import SchemeKind, Severity
from gateway.uscc import sample_code
from nodes.federation.folder import REFERENCE
from nodes.sample.places import Files, World, world
from nodes.sample.records import Desk, Subject
from nodes.sample.scenarios import RESERVED, write_scenarios

_KINDS = (
    ("91", "ENTERPRISE", 84),
    ("92", "SOLE_TRADER", 12),
    ("93", "FARM_COOP", 1),
    ("52", "SOCIAL_ORG", 1),
    ("12", "INSTITUTION", 1),
    ("31", "LAW_FIRM", 1),
)
_BY_HUNDRED = tuple((prefix, kind) for prefix, kind, share in _KINDS for _ in range(share))
_TRADES = ("科技", "贸易", "制造", "商务服务", "建设工程", "信息技术", "物流", "餐饮", "环保", "医疗器械")
_MIX = 2654435761  # Knuth's multiplicative hash: spreads consecutive numbers over divisions and kinds

_STRIDE = 64  # members that may share a division's codes without meeting
_PENALISED = {"310000": 0.058, "320000": 0.069, "330000": 0.077, "340000": 0.073}
"""Share of enterprises with a penalty in five years: 15 to 20 per 1,000 a year, 1.3 each."""

_PENALISED_TRADER = 0.023
_SEVERITIES = ((Severity.MINOR, 0.55), (Severity.GENERAL, 0.93), (Severity.SERIOUS, 1.0))
_GRADES = (("A", 0.28), ("B", 0.92), ("C", 0.985), ("D", 1.0))
_LIFECYCLES = (("ACTIVE", 0.9), ("DEREGISTERED", 0.98), ("REVOKED", 1.0))
_TIMES = ((1, 0.8), (2, 0.94), (0, 1.0))  # 0: three to six
_FIVE_YEARS = 5 * 365

T = TypeVar("T")


def write_sample(
    folder: Path,
    member: str,
    *,
    subjects: int,
    seed: int,
    today: date,
    federation_folder: Path = REFERENCE,
) -> Mapping[str, int]:
    """Write one CSV file a feed of the member into a folder, and give the number of rows by feed.

    The same arguments write the same bytes. The scenarios' subjects come on top of `subjects`.

    Raises:
        CatalogueMalformed: for a fault in the federation's folder, or a member that it does not know.
    """
    found = world(federation_folder, member)
    chance = Random(f"{seed}/{member}/{subjects}")  # noqa: S311 - a sample must be repeatable, not secret
    with Files(folder, tuple(found.feeds.values())) as files:
        desk = Desk(world=found, files=files)
        write_scenarios(desk, member, today)
        maker = _Maker(desk, member, chance, today)
        for number in range(subjects):
            maker.home(number)
        for other, number in _visitors(found, member, subjects, chance):
            maker.visit(other, number)
    return dict(files.counts)


def subject(counties: Mapping[str, tuple[str, ...]], member: str, number: int) -> tuple[Subject, str]:
    """Give a member's subject of a number, and the division it sits in today."""
    mixed = number * _MIX & 0xFFFFFFFF
    prefix, kind = _BY_HUNDRED[mixed % 100]
    own = counties[member]
    division = registered = own[(mixed >> 8) % len(own)]
    if kind == "ENTERPRISE" and not (number + 1) % 250:  # moved between regions: the code tells where from
        others = [each for each in counties if each != member]
        registered = counties[others[number // 250 % len(others)]][0] if others else division
    code = sample_code(prefix, registered, RESERVED + number * _STRIDE + list(counties).index(member))
    name = f"样例{division}{_TRADES[mixed % len(_TRADES)]}{number}号"
    return Subject(uscc=code, name=name + ("商行" if kind == "SOLE_TRADER" else "有限公司"), kind=kind), division


def _visitors(found: World, member: str, subjects: int, chance: Random) -> Iterator[tuple[str, int]]:
    """Give subjects of other members with records here: 2.5 per cent of theirs over all regions."""
    for other in found.members:
        if other != member:
            for _ in range(subjects // 120):
                yield other, chance.randrange(subjects)


class _Maker:
    """Makes the records of one member's sample."""

    def __init__(self, desk: Desk, member: str, chance: Random, today: date) -> None:
        self.desk, self.member, self.chance, self.today = desk, member, chance, today
        catalogue = desk.world.catalogue
        self._behaviours = {
            severity: [
                each.code
                for each in catalogue.behaviours.values()
                if each.severity is severity and ("penalty", each.domain) in desk.world.feeds
            ]
            for severity in Severity
        }
        self._severe = [
            each
            for each in catalogue.list_types.values()
            if each.severe and ("listing", each.domain) in desk.world.feeds
        ]
        self._permitted = sorted(domain for kind, domain in desk.world.feeds if kind == "permit")
        self._scheme, self._levels = self._comprehensive()

    def home(self, number: int) -> None:
        """Make a subject of this member with all its records."""
        made, division = subject(self.desk.world.counties, self.member, number)
        lifecycle = _drawn(_LIFECYCLES, self.chance.random())
        branch = made.kind == "ENTERPRISE" and not (number + 1) % 20
        self.desk.register(
            made,
            division=division,
            since=self._past(30 * 365),
            lifecycle=lifecycle,
            branch_of=self._code_of(number - 1 - number % 7) if branch else "",
        )
        trader = made.kind == "SOLE_TRADER"
        if self._happens(_PENALISED_TRADER if trader else _PENALISED.get(self.member, 0.07)):
            self._penalties(made)
        if lifecycle != "ACTIVE":
            return
        self._permits(made)
        if not trader:
            self._standing(made)

    def visit(self, member: str, number: int) -> None:
        """Make records of another member's subject."""
        made, _ = subject(self.desk.world.counties, member, number)
        if made.kind != "SOLE_TRADER":
            self._penalties(made)

    def _standing(self, made: Subject) -> None:
        """Grade, lists and what follows from them."""
        if self._scheme and self._happens(0.8):
            self._rating(made, _drawn(_GRADES, self.chance.random()))
        if self._happens(0.08) and "MARKET_ABNORMAL" in self.desk.world.catalogue.list_types:
            self._abnormal(made)
        if self._severe and self._happens(0.0035):
            self._listed(made)

    def _penalties(self, made: Subject) -> None:
        for _ in range(_drawn(_TIMES, self.chance.random()) or self.chance.randint(3, 6)):
            behaviours = self._behaviours[_drawn(_SEVERITIES, self.chance.random())]
            if behaviours:
                self._penalty(made, self.chance.choice(behaviours))

    def _penalty(self, made: Subject, behaviour: str) -> None:
        decided = self._past(_FIVE_YEARS)
        repaired = decided + timedelta(days=90 + int(self.chance.lognormvariate(4.1, 0.8)))
        annulled = decided + timedelta(days=60)
        self.desk.penalty(
            made,
            behaviour,
            decided=decided,
            repaired=repaired if self._happens(0.45) and repaired <= self.today else None,
            annulled=annulled if self._happens(0.003) and annulled <= self.today else None,
            exempt=self._happens(0.02),
            disputed=self._happens(0.001),
        )

    def _permits(self, made: Subject) -> None:
        if not self._permitted:
            return
        # Median 2, 99th percentile about 60.
        for _ in range(min(200, int(self.chance.lognormvariate(0.9, 1.4)))):
            since = self._past(_FIVE_YEARS)
            until = None if self._happens(0.2) else since + timedelta(days=365 * self._one(1, 3, 5))
            sort = self._one("ORDINARY", "APPROVAL", "REGISTRATION")
            self.desk.permit(made, self.chance.choice(self._permitted), sort, since=since, until=until)

    def _rating(self, made: Subject, canonical: str) -> None:
        rated = self._past(330)
        grade = self.chance.choice(self._levels[canonical])
        self.desk.rating(made, self._scheme, grade, rated=rated, until=rated + timedelta(days=365))
        if canonical == "A" and self._happens(0.1):
            code = self._one("MR02", "MR04", "MR06")
            self.desk.measure(made, code, "MARKET_REG", territory=self.member, since=self._past(300))

    def _abnormal(self, made: Subject) -> None:
        listed = self._past(3 * 365)
        left = listed + timedelta(days=200)
        ended = self._happens(0.5) and left <= self.today
        self.desk.listing(
            made,
            "MARKET_ABNORMAL",
            listed=listed,
            left=left if ended else None,
            reason="REPAIRED" if ended else "",
        )

    def _listed(self, made: Subject) -> None:
        list_type, listed = self.chance.choice(self._severe), self._past(3 * 365)
        self.desk.listing(made, list_type.code, listed=listed, disputed=self._happens(0.001))
        for code in self.chance.sample(("MP01", "MP06", "MP07", "MP09", "MP11", "MP14"), 3):
            territory = self._one("NATIONAL", self.member)
            self.desk.measure(made, code, list_type.domain, territory=territory, since=listed)

    def _comprehensive(self) -> tuple[str, dict[str, list[str]]]:
        """Give the member's comprehensive scheme, and its levels by canonical grade."""
        catalogue = self.desk.world.catalogue
        for scheme in catalogue.schemes:
            if scheme.member == self.member and scheme.kind is SchemeKind.COMPREHENSIVE:
                mapped = next(each for each in catalogue.mappings if each.scheme_id == scheme.id).levels
                return scheme.id, {
                    grade: [level for level, each in mapped.items() if each.value == grade] for grade, _ in _GRADES
                }
        return "", {}

    def _code_of(self, number: int) -> str:
        return subject(self.desk.world.counties, self.member, max(0, number))[0].uscc

    def _happens(self, share: float) -> bool:
        return self.chance.random() < share

    def _past(self, days: int) -> date:
        return self.today - timedelta(days=1 + int(self.chance.random() * days))

    def _one(self, *choices: T) -> T:
        return self.chance.choice(choices)


def _drawn(table: tuple[tuple[T, float], ...], value: float) -> T:
    """Draw from a table of cumulated shares."""
    return next(name for name, upto in table if value <= upto)
