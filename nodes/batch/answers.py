"""One answer file of a batch: verified, bound to the batch, and turned into a finding a subject. Pure.

What comes out are plain values, so that another process can do the verifying.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from gateway.clocks import civil_day
from gateway.errors import GatewayError
from gateway.inspection import InspectionRule, rule_of
from gateway.model.answer import Item
from gateway.model.question import Body, NamedSubject
from gateway.purposes import CheckForm
from gateway.recognition import scales_on
from gateway.verdicts import RowFinding, finding
from gateway.verification import Content, Unreadable, bound, verify
from keys.directory import Directory
from nodes.batch.order import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the signed directory of an answer rules for the whole batch."""

    version: int
    form: CheckForm
    opens_sole_traders: bool
    rule: InspectionRule | None
    tierless: bool = False
    """Whether the purpose draws inspections by grade, and the kind asked gives none: then the form is a verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a verified answer file says, subject by subject in its order."""

    digest: str
    subjects: tuple[NamedSubject, ...]
    findings: tuple[RowFinding, ...]
    combined: datetime
    valid_until: datetime | None
    """The first instant at which one of its answers may not be relied on any more; None without an answer."""

    expired: bool
    """Whether that instant had come when it was read."""

    terms: Terms


class AnswerRefused(GatewayError):
    """An answer file that may not be used: it does not verify, or belongs to something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the answer files of one batch; `template` is its question without subjects."""

    order: Order
    template: Any
    root: bytes

    def body(self, subjects: tuple[NamedSubject, ...]) -> Body:
        """Write the question about some subjects."""
        body: Body = replace(self.template, subjects=subjects)
        return body

    def read(
        self,
        file: bytes,
        now: datetime,
        subjects: tuple[NamedSubject, ...] | None = None,
        intent_digest: bytes | None = None,
    ) -> Reading:
        """Verify a file, and that it answers the batch about these subjects, or about those that it names.

        Raises:
            AnswerRefused: otherwise; the text names parts and checks, never a subject.
        """
        content = self._content(file, now, subjects, intent_digest)
        items = _items(content)
        tables, day = content.charter.catalogue, civil_day(content.result.combine_time)
        scales = scales_on(tables.schemes, tables.mappings, day)
        found = tuple(
            finding(self.order.kind, each, items.get(each.uscc, {}), charter=content.charter, scales=scales)
            for each in content.result.subjects
        )
        ends = (each.accepted.answer.valid_until_time for each in content.exchanges if each.accepted)
        until = min(ends, default=None)
        return Reading(
            digest=sha256(file).hexdigest(),
            subjects=_subjects(content),
            findings=found,
            combined=content.result.combine_time,
            valid_until=until,
            expired=until is not None and now >= until,
            terms=_terms(content, self.order),
        )

    def directory(self, file: bytes, now: datetime) -> Directory:
        """Give the directory of a file that was read before."""
        return self._content(file, now, None, None).charter.directory

    def _content(
        self, file: bytes, now: datetime, subjects: tuple[NamedSubject, ...] | None, intent_digest: bytes | None
    ) -> Content:
        try:
            verdict = verify(file, root=self.root, now=now)
        except Unreadable as error:
            raise AnswerRefused(str(error)) from error
        if verdict.content is not None:
            asked = _subjects(verdict.content) if subjects is None else subjects
            verdict = bound(verdict, body=self.body(asked), intent_digest=intent_digest)
        if verdict.content is None:
            raise AnswerRefused("; ".join(f"{each.name} {each.failed.value}" for each in verdict.parts if each.failed))
        officers = {each.signed.question.header.officer for each in verdict.content.exchanges}
        if officers != {self.order.officer} or not self.order.fits(verdict.content.result):
            raise AnswerRefused("it answers another officer, agency, matter or case")
        return verdict.content


def latest(terms: Terms | None, other: Terms) -> Terms:
    """Give the terms of the newer directory: one batch is judged by one edition."""
    return other if terms is None or other.version > terms.version else terms


def _subjects(content: Content) -> tuple[NamedSubject, ...]:
    found: tuple[NamedSubject, ...] = getattr(content.exchanges[0].signed.question.body, "subjects", ())
    return found


def _items(content: Content) -> Mapping[str, Mapping[str, Item]]:
    """Give the verified items by code and member."""
    found: dict[str, dict[str, Item]] = {}
    for each in content.exchanges:
        for item in each.accepted.items if each.accepted else ():
            found.setdefault(item.uscc, {})[each.outcome.member] = item
    return found


def _terms(content: Content, order: Order) -> Terms:
    charter, day = content.charter, civil_day(content.result.combine_time)
    purpose = charter.catalogue.purposes[order.purpose]
    tierless = purpose.check is CheckForm.TIER and charter.kinds[order.kind].grade is None
    return Terms(
        version=charter.directory.version,
        form=CheckForm.VERDICT if tierless else purpose.check,
        opens_sole_traders=purpose.opens_sole_traders,
        rule=rule_of(charter.catalogue.inspection_rules, order.member, day),
        tierless=tierless,
    )
