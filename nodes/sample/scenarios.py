"""A handful of subjects with known codes and known stories, the same in every sample: demos and tests name them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from gateway.uscc import sample_code
from nodes.sample.records import Desk
from nodes.sample.subjects import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A made-up subject with a story; `home` is the member that registers it, or empty."""

    slug: str
    home: str
    subject: Subject
    story: str

    @property
    def uscc(self) -> str:
        """The subject's code."""
        return self.subject.uscc

    @property
    def name(self) -> str:
        """The subject's registered name."""
        return self.subject.name


def _scenario(slug: str, home: str, prefix: str, division: str, serial: int, name: str, story: str) -> Scenario:
    kind = "SOLE_TRADER" if prefix == "92" else "ENTERPRISE"
    subject = Subject(uscc=sample_code(prefix, division, serial), name=name, kind=kind)
    return Scenario(slug=slug, home=home, subject=subject, story=story)


CLEAN = _scenario(
    "clean", "310000", "91", "310115", 1, "样例清白科技（上海）有限公司", "active in Shanghai, nothing anywhere"
)
LISTED = _scenario(
    "listed",
    "340000",
    "91",
    "340111",
    2,
    "样例失信工程（安徽）有限公司",
    "penalties in three regions, a severe listing and measures in Anhui",
)
ZONE_RATED = _scenario(
    "zone-rated",
    "330000",
    "91",
    "330421",
    3,
    "样例嘉善优良制造有限公司",
    "Jiashan, grade A at home, one general penalty in Jiangsu: ceiling B",
)
MOVED_OUT = _scenario(
    "moved-out", "330000", "91", "330421", 4, "样例迁出杭州贸易有限公司", "code of Jiashan, sits in Hangzhou now"
)
MOVED_IN = _scenario(
    "moved-in", "330000", "91", "330402", 5, "样例迁入嘉善贸易有限公司", "code of Nanhu, sits in Jiashan now"
)
SILENT = _scenario(
    "silent",
    "320000",
    "91",
    "320509",
    6,
    "样例已修复实业（苏州）有限公司",
    "only repaired, annulled, exempt, self-declared and grace items",
)
UNREGISTERED = _scenario(
    "unregistered", "", "91", "310118", 7, "样例虚构有限公司", "good check digits, registered nowhere"
)
SOLE_TRADER = _scenario("sole-trader", "310000", "92", "310118", 8, "样例青浦小店", "a sole trader in Qingpu")

TWICE = _scenario(
    "twice",
    "320000",
    "91",
    "320102",
    9,
    "样例双送机械（南京）有限公司",
    "a decision of Jiangsu's that Shanghai delivers too",
)
REPAIRED = _scenario(
    "repaired", "330000", "91", "330106", 10, "样例修复建材（杭州）有限公司", "a penalty, repaired by a file of repairs"
)
OBJECTED = _scenario(
    "objected", "320000", "91", "320505", 11, "样例异议纺织（苏州）有限公司", "a severe listing under objection"
)
ABNORMAL = _scenario(
    "abnormal", "310000", "91", "310104", 12, "样例失联咨询（上海）有限公司", "in the directory of abnormal operations"
)
ATTRIBUTED = _scenario(
    "attributed",
    "320000",
    "91",
    "320115",
    13,
    "样例项目建设（江苏）有限公司",
    "answers for its project manager",
)
RECTIFYING = _scenario(
    "rectifying",
    "330000",
    "91",
    "330203",
    14,
    "样例整改餐饮（宁波）有限公司",
    "two penalties in one rectification window",
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        each.slug: each
        for each in (
            *(CLEAN, LISTED, ZONE_RATED, MOVED_OUT, MOVED_IN, SILENT, UNREGISTERED, SOLE_TRADER),
            *(TWICE, REPAIRED, OBJECTED, ABNORMAL, ATTRIBUTED, RECTIFYING),
        )
    }
)


def scenarios(member: str) -> tuple[Scenario, ...]:
    """Give the scenarios whose subject this member registers."""
    return tuple(each for each in SCENARIOS.values() if each.home == member)


def write_scenarios(desk: Desk, member: str, today: date) -> None:
    """Write what this member has on the scenarios' subjects."""
    write = _WRITERS.get(member)
    if write is not None:
        write(desk, lambda days: today - timedelta(days=days))


Ago = Callable[[int], date]
_SINCE = date(2018, 6, 1)


def _shanghai(desk: Desk, ago: Ago) -> None:
    desk.register(CLEAN.subject, division="310115", since=_SINCE)
    desk.register(SOLE_TRADER.subject, division="310118", since=_SINCE)
    desk.penalty(SOLE_TRADER.subject, "URBAN_MGMT-M-001", decided=ago(20))
    desk.penalty(LISTED.subject, "ENVIRONMENT-S-001", decided=ago(150))
    desk.register(ABNORMAL.subject, division="310104", since=_SINCE)
    desk.abnormal(ABNORMAL.subject, "MARKET_REG", "ADDRESS_UNREACHABLE", listed=ago(90))
    _decided_in_jiangsu(desk, ago)


def _decided_in_jiangsu(desk: Desk, ago: Ago) -> None:
    desk.penalty(
        TWICE.subject, "MARKET_REG-G-001", decided=ago(70), agency="320000-market", number="样例〔2026〕双送1号"
    )


def _jiangsu(desk: Desk, ago: Ago) -> None:
    subject = SILENT.subject
    desk.register(subject, division="320509", since=_SINCE)
    desk.penalty(subject, "MARKET_REG-G-001", decided=ago(200), repaired=ago(30))
    desk.penalty(subject, "WORK_SAFETY-S-001", decided=ago(250), annulled=ago(60))
    desk.penalty(subject, "FIRE-M-001", decided=ago(10), exempt=True)
    desk.penalty(subject, "TAX-G-001", decided=ago(15), grace=ago(-30))
    desk.penalty(subject, "NET_MARKET-G-001", decided=ago(40), origin="SELF_DECLARED")
    desk.listing(subject, "COURT_DISHONEST", listed=ago(5), grace=ago(-30))
    desk.abnormal(subject, "MARKET_REG", "NO_ANNUAL_REPORT", listed=ago(400), left=ago(100), reason="REPAIRED")
    desk.measure(subject, "MP09", "MARKET_REG", territory="320000", since=ago(400), lifted=ago(100))
    desk.penalty(LISTED.subject, "MARKET_REG-G-001", decided=ago(90))
    desk.penalty(ZONE_RATED.subject, "PRODUCT_QUALITY-G-001", decided=ago(120))
    desk.register(TWICE.subject, division="320102", since=_SINCE)
    _decided_in_jiangsu(desk, ago)
    desk.register(OBJECTED.subject, division="320505", since=_SINCE)
    if listed := desk.listing(OBJECTED.subject, "LABOUR_ARREARS", listed=ago(60)):
        desk.objection(OBJECTED.subject, listed, opened=ago(3))
    desk.register(ATTRIBUTED.subject, division="320115", since=_SINCE)
    desk.penalty(ATTRIBUTED.subject, "CONSTRUCTION-G-001", decided=ago(50), person_of=ATTRIBUTED.uscc)


def _zhejiang(desk: Desk, ago: Ago) -> None:
    desk.register(ZONE_RATED.subject, division="330421", since=_SINCE)
    desk.register(MOVED_OUT.subject, division="330421", since=_SINCE, until=ago(500))
    desk.register(MOVED_OUT.subject, division="330106", since=ago(500))
    desk.register(MOVED_IN.subject, division="330402", since=_SINCE, until=ago(300))
    desk.register(MOVED_IN.subject, division="330421", since=ago(300))
    for each, grade in ((ZONE_RATED, "A"), (MOVED_OUT, "B"), (MOVED_IN, "B")):
        desk.rating(each.subject, "330000-COMPREHENSIVE", grade, rated=ago(100), until=ago(-265))
    desk.penalty(LISTED.subject, "WORK_SAFETY-S-001", decided=ago(240))
    desk.penalty(LISTED.subject, "WORK_SAFETY-S-001", decided=ago(180))
    desk.register(REPAIRED.subject, division="330106", since=_SINCE)
    if decided := desk.penalty(REPAIRED.subject, "ENVIRONMENT-G-001", decided=ago(220)):
        desk.repair(REPAIRED.subject, decided, decided=ago(25), severity="GENERAL")
    desk.register(RECTIFYING.subject, division="330203", since=_SINCE)
    for days in (40, 25):
        desk.penalty(RECTIFYING.subject, "FOOD_DRUG-G-001", decided=ago(days), rectify=ago(10))


def _anhui(desk: Desk, ago: Ago) -> None:
    subject = LISTED.subject
    desk.register(subject, division="340111", since=_SINCE)
    desk.rating(subject, "340000-COMPREHENSIVE", "C", rated=ago(200), until=ago(-165))
    desk.listing(subject, "TAX_SEVERE", listed=ago(300))
    # In Shanghai's list and of national force; in no list of Shanghai's; of Anhui's force only.
    for code, territory in (
        ("MP01", "NATIONAL"),
        ("MP11", "NATIONAL"),
        ("MP14", "NATIONAL"),
        ("MP06", "340000"),
    ):
        desk.measure(subject, code, "TAX", territory=territory, since=ago(300), until=ago(-700))


_WRITERS: Mapping[str, Callable[[Desk, Ago], None]] = MappingProxyType(
    {"310000": _shanghai, "320000": _jiangsu, "330000": _zhejiang, "340000": _anhui}
)
