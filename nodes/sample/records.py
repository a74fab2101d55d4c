"""Rows of each family of files, as a source would deliver them: raw columns filled, each marked 样例.

A row is made as one finished line: no cell holds a comma, a quote or a line's end, and days may come as texts.
"""

from nodes.sample.posts import Day, Days, Decided, Post
from nodes.sample.subjects import TRADER, Subject

_NOBODY = "样例无此人"
_BODY, _TRADER = "法人及非法人组织", "个体工商户"
_KIND = {"ORDINARY": "普通", "APPROVAL": "核准", "REGISTRATION": "登记"}


class Desk(Post):
    """Writes records of one member; records of domains for which it has no feed are left out."""

    def register(
        self,
        subject: Subject,
        *,
        division: str,
        since: Day,
        lifecycle: str = "ACTIVE",
        until: Days = None,
        predecessor: str = "",
        successor: str = "",
        branch_of: str = "",
    ) -> None:
        """Write an entry of the register."""
        place = self._places.get(("register", "REGISTER"))
        if place is not None:
            uscc, name, kind = subject
            self._put(
                place.feed,
                f"{uscc},{name},{kind},{lifecycle},{division},{since},{until or ''},{predecessor},{successor},"
                f"{branch_of},{_NOBODY},样例路{self.serial % 999}号,100,\n",
            )

    def penalty(
        self,
        subject: Subject,
        behaviour: str,
        *,
        decided: Day,
        repaired: Days = None,
        annulled: Days = None,
        grace: Days = None,
        rectify: Days = None,
        reported: Days = None,
        exempt: bool = False,
        disputed: bool = False,
        escalated: bool = False,
        responsible: bool = False,
        origin: str = "",
        person_of: str = "",
        agency: str = "",
        number: str = "",
    ) -> Decided | None:
        """Write a penalty for an act of the classification.

        With `person_of` the row is about a natural person for whose conduct that company answers; `agency` is
        another one than the feed's, `number` that of a document which is known elsewhere.
        """
        row = self._catalogue.behaviours[behaviour]
        place = self._places.get(("penalty", row.domain))
        if place is None:
            return None
        act, number = row.name["zh"], number or self._number(decided)
        head = f"{_NOBODY},自然人," if person_of else f"{subject.name},{subject.sort},{subject.uscc}"
        self._put(
            place.feed,
            f"{head},{_NOBODY},{number},{act},样例事实：{act},样例依据,{'不予处罚' if exempt else '罚款'},样例内容,1.5,"
            f"{decided},,样例机关,{self.world.codes[agency] if agency else place.code},样例来源,,ORDINARY,{origin},"
            f"{grace or ''},{rectify or ''},{repaired or ''},{annulled or ''},{exempt:d},{disputed:d},{escalated:d},"
            f"{person_of},{responsible:d},{reported or ''}\n",
        )
        return Decided("penalty", agency or place.agency, number, row.domain, decided)

    def permit(
        self, subject: Subject, domain: str, sort: str, *, since: Day, until: Days, reported: Days = None
    ) -> None:
        """Write a permit; no end is written as the standard wants it."""
        place = self._permits.get(domain)
        if place is not None:
            feed, _, code = place
            uscc, name, kind = subject
            self.serial += 1
            self._put(
                feed,
                f"{name},{_TRADER if kind == TRADER else _BODY},{uscc},{_NOBODY},样例许可,"
                f"样例〔{since!s:.4}〕{self.serial}号,{_KIND[sort]},样例内容,{since},{since},{until or '2099-12-31'},"
                f"样例机关,{code},样例来源,0,{reported or ''}\n",
            )

    def decision(
        self,
        record_class: str,
        subject: Subject,
        domain: str,
        kind: str,
        *,
        decided: Day,
        result: str = "",
        until: Days = None,
        annulled: Days = None,
        rectify: Days = None,
    ) -> None:
        """Write a decision of one of the five further administrative classes."""
        place = self.place(record_class, domain)
        if place is not None:
            self._put(
                place.feed,
                f"{self._key(record_class[:2])},{subject.uscc},{kind},{place.agency},{decided},,{result},{until or ''},"
                f"{annulled or ''},{rectify or ''},0,,{subject.name},样例内容\n",
            )

    def judicial(self, subject: Subject, kind: str, *, decided: Day, ended: Days = None) -> None:
        """Write a judgment or an enforcement."""
        place = self.place("judicial", "COURT")
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('J')},{subject.uscc},{kind},{place.agency},{decided},{ended or ''},0,,{subject.name},"
                f"样例案号{self.serial},样例文书\n",
            )

    def listing(
        self,
        subject: Subject,
        list_type: str,
        *,
        listed: Day,
        left: Days = None,
        grace: Days = None,
        reason: str = "",
        disputed: bool = False,
    ) -> Decided | None:
        """Write an entry in a list."""
        domain = self._catalogue.list_types[list_type].domain
        place = self._places.get(("listing", domain))
        if place is None:
            return None
        key = self._key("L")
        self._put(
            place.feed,
            f"{key},{subject.uscc},{subject.name},{list_type},{listed},{grace or ''},{left or ''},{reason},"
            f"{domain}_LISTED,{place.agency},样例案号{self.serial},样例依据,,{disputed:d},\n",
        )
        return Decided("listing", place.agency, key, domain, listed)

    def abnormal(
        self,
        subject: Subject,
        domain: str,
        why: str,
        *,
        listed: Day,
        left: Days = None,
        reason: str = "",
        disputed: bool = False,
    ) -> Decided | None:
        """Write an entry in a domain's directory of abnormal operations."""
        place = self._places.get(("abnormal", domain))
        if place is None:
            return None
        key = self._key("A")
        self._put(
            place.feed,
            f"{key},{subject.uscc},{why},{listed},{place.agency},{left or ''},{reason},{disputed:d},,{subject.name},"
            "样例内容\n",
        )
        return Decided("listing", place.agency, key, domain, listed)

    def contract(
        self, subject: Subject, domain: str, kind: str, status: str, *, signed: Day, due: Days = None,
        closed: Days = None,
    ) -> None:  # fmt: skip
        """Write how a contract is kept."""
        place = self.place("contract", domain)
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('K')},{subject.uscc},{kind},{status},{place.agency},{signed},{due or ''},{closed or ''},"
                f"0,,{subject.name},样例相对方,样例内容\n",
            )

    def commitment(
        self, subject: Subject, domain: str, sort: str, status: str, *, made: Day, due: Days = None,
        closed: Days = None, escalated: bool = False,
    ) -> None:  # fmt: skip
        """Write a commitment and how it is kept."""
        place = self.place("commitment", domain)
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('C')},{subject.uscc},{sort},{domain}.{1 + self.serial % 9},{status},{place.agency},{made},"
                f"{due or ''},{closed or ''},{escalated:d},0,,{subject.name},样例内容,{_NOBODY}\n",
            )

    def rating(self, subject: Subject, scheme: str, grade: str, *, rated: Day, until: Day) -> None:
        """Write a rating."""
        place = self._places.get(("rating", "RATING"))
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('R')},{subject.uscc},{subject.name},{scheme},{self._versions[scheme]},{grade},{rated},"
                f"{until},88.5,0,,样例内容\n",
            )

    def honour(self, subject: Subject, domain: str, kind: str, *, awarded: Day, until: Days = None) -> None:
        """Write an honour."""
        place = self.place("honour", domain)
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('H')},{subject.uscc},{kind},{place.agency},{awarded},{until or ''},,,{subject.name},"
                "样例内容\n",
            )

    def intellectual_property(self, subject: Subject, kind: str, *, registered: Day, until: Days = None) -> None:
        """Write a right of intellectual property."""
        place = self.place("intellectual_property", "IP")
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('I')},{subject.uscc},{kind},{place.agency},{registered},{until or ''},,,{subject.name},"
                "样例内容\n",
            )

    def self_declared(self, subject: Subject, kind: str, *, declared: Day, until: Days = None) -> None:
        """Write what a subject declares of itself."""
        place = self.place("self_declared", "SELF_DECLARED")
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('S')},{subject.uscc},{kind},{declared},{until or ''},,{subject.name},样例内容\n",
            )

    def measure(
        self,
        subject: Subject,
        code: str,
        domain: str,
        *,
        territory: str,
        since: Day,
        until: Days = None,
        lifted: Days = None,
    ) -> None:
        """Write a measure with a made-up legal basis."""
        place = self._places.get(("measure", domain))
        if place is not None:
            name = self._catalogue.measures[code].name["zh"]
            self._put(
                place.feed,
                f"{self._key('M')},{subject.uscc},{subject.name},{code},{domain},{territory},2026,"
                f"样例法规第{1 + self.serial % 60}条（{name}）,{place.agency},{since},{until or ''},{lifted or ''},"
                "样例内容,\n",
            )

    def repair(
        self, subject: Subject, of: Decided, *, decided: Day, severity: str = "", outcome: str = "APPROVED"
    ) -> bool:
        """Write the conclusion of a repair; say whether there is a feed for it."""
        place = self.place("repair", of.domain)
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('X')},{subject.uscc},{of.sort},{of.agency},{of.number},{outcome},{place.agency},{decided},"
                f"{severity},{decided},{decided},{decided},,{subject.name},样例内容\n",
            )
        return place is not None

    def objection(
        self, subject: Subject, of: Decided, *, opened: Day, status: str = "MARKED", decided: Days = None
    ) -> bool:
        """Write an objection; say whether there is a feed for it."""
        place = self.place("objection", of.domain)
        if place is not None:
            self._put(
                place.feed,
                f"{self._key('O')},{subject.uscc},{of.sort},{of.agency},{of.number},{status},{place.agency},{opened},"
                f"{decided or ''},,{subject.name},样例内容\n",
            )
        return place is not None
