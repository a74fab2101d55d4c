"""Rows of each family of files, as a source would deliver them: raw columns filled, each marked 样例."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.ports import Feed
from nodes.sample.places import Files, World

_MARK = "样例"
_NOBODY = "样例无此人"
_KIND = {"ORDINARY": "普通", "APPROVAL": "核准", "REGISTRATION": "登记"}

Days = date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A made-up subject."""

    uscc: str
    name: str
    kind: str = "ENTERPRISE"

    @property
    def sort(self) -> str:
        """The class of CF_XDR_LB and XK_XDR_LB."""
        return "个体工商户" if self.kind == "SOLE_TRADER" else "法人及非法人组织"


@dataclass(slots=True, kw_only=True)
class Desk:
    """Writes records of one member; records of domains for which it has no feed are left out."""

    world: World
    files: Files
    serial: int = 0

    def register(
        self,
        subject: Subject,
        *,
        division: str,
        since: date,
        lifecycle: str = "ACTIVE",
        until: Days = None,
        successor: str = "",
        branch_of: str = "",
    ) -> None:
        """Write an entry of the register."""
        self._put("register", "REGISTER", (
            subject.uscc, subject.name, subject.kind, lifecycle, division, since, until, "", successor, branch_of,
            _NOBODY, f"{_MARK}路{self.serial % 999}号", "100",
        ))  # fmt: skip

    def penalty(
        self,
        subject: Subject,
        behaviour: str,
        *,
        decided: date,
        repaired: Days = None,
        annulled: Days = None,
        grace: Days = None,
        exempt: bool = False,
        disputed: bool = False,
        origin: str = "",
    ) -> None:
        """Write a penalty for an act of the classification."""
        row = self.world.catalogue.behaviours[behaviour]
        feed, name = self.world.feeds.get(("penalty", row.domain)), row.name["zh"]
        number = self._number(decided)
        self._put("penalty", row.domain, (
            subject.name, subject.sort, subject.uscc, _NOBODY, number, name, f"{_MARK}事实：{name}",
            f"{_MARK}依据", "不予处罚" if exempt else "罚款", f"{_MARK}内容", "1.5", decided, f"{_MARK}机关",
            self._code(feed), "", "ORDINARY", origin, grace, repaired, annulled, int(exempt), int(disputed),
        ))  # fmt: skip

    def permit(self, subject: Subject, domain: str, sort: str, *, since: date, until: Days) -> None:
        """Write a permit; no end is written as the standard wants it."""
        feed, number = self.world.feeds.get(("permit", domain)), self._number(since)
        self._put("permit", domain, (
            subject.name, subject.sort, subject.uscc, _NOBODY, f"{_MARK}许可", number, _KIND[sort],
            f"{_MARK}内容", since, since, until or "2099-12-31", f"{_MARK}机关", self._code(feed), "0",
        ))  # fmt: skip

    def listing(
        self,
        subject: Subject,
        list_type: str,
        *,
        listed: date,
        left: Days = None,
        grace: Days = None,
        reason: str = "",
        disputed: bool = False,
    ) -> None:
        """Write an entry in a list."""
        domain = self.world.catalogue.list_types[list_type].domain
        feed = self.world.feeds.get(("listing", domain))
        self._put("listing", domain, (
            self._key("L"), subject.uscc, subject.name, list_type, listed, grace, left, reason,
            f"{domain}_LISTED", feed and feed.agency, f"{_MARK}案号{self.serial}", f"{_MARK}依据", "", int(disputed),
        ))  # fmt: skip

    def rating(self, subject: Subject, scheme: str, grade: str, *, rated: date, until: date) -> None:
        """Write a rating."""
        version = next(each.version for each in self.world.catalogue.schemes if each.id == scheme)
        self._put("rating", "RATING", (
            self._key("R"), subject.uscc, subject.name, scheme, version, grade, rated, until, "88.5", 0,
        ))  # fmt: skip

    def measure(
        self,
        subject: Subject,
        code: str,
        domain: str,
        *,
        territory: str,
        since: date,
        until: Days = None,
        lifted: Days = None,
    ) -> None:
        """Write a measure with a made-up legal basis."""
        feed = self.world.feeds.get(("measure", domain))
        name = self.world.catalogue.measures[code].name["zh"]
        self._put("measure", domain, (
            self._key("M"), subject.uscc, subject.name, code, domain, territory, "2026",
            f"{_MARK}法规第{1 + self.serial % 60}条（{name}）", feed and feed.agency, since, until, lifted,
            f"{_MARK}内容",
        ))  # fmt: skip

    def _put(self, record_class: str, domain: str, row: Sequence[Any]) -> None:
        feed = self.world.feeds.get((record_class, domain))
        if feed is not None:
            self.files.put(feed.id, row)

    def _number(self, day: date) -> str:
        self.serial += 1
        return f"{_MARK}〔{day.year}〕{self.serial}号"

    def _key(self, letter: str) -> str:
        self.serial += 1
        return f"{letter}{self.serial}"

    def _code(self, feed: Feed | None) -> str:
        return "" if feed is None else self.world.codes[feed.agency]
