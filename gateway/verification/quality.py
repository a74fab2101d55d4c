"""A month's quality as a file that others can check: the figures and the bundle of the day, under one key.

The member vouches for its counts. What can be checked is checked: who signed and when, that the month was over, that
the goals are the bundle's, and that every rate follows from its counts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.catalogue import Catalogue, read_catalogue
from gateway.clocks import civil_day
from gateway.exchange.accept import finder
from gateway.months import Month
from gateway.quality import RATES, QualityGoals, Share
from gateway.verification.checks import holds, look, step
from gateway.verification.verdict import Check, Part
from keys import jsontext
from keys.directory import Directory, open_bundle
from keys.envelope import Envelope, from_json, open_envelope, sign, to_json
from keys.errors import EnvelopeMalformed
from keys.jsontext import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from keys.suite import Signer

PAYLOAD_TYPE = "application/vnd.yrdx.quality.v1+json"
FORMAT = "yrdx.quality.v1"
MOST = 100_000
"""Agencies or feeds that a report may list."""

_TOP = ("member", "month", "issued_time", "node", "agencies", "feeds")
_SHARE = ("part", "whole", "percent", "goal", "met")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a report says, once it is found genuine."""

    member: str
    month: Month
    issued_time: datetime
    directory_version: int
    rates: Mapping[str, Share]
    goals: QualityGoals | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportVerdict:
    """How each part fared, and what the report says when all held."""

    parts: tuple[Part, ...]
    reported: Reported | None


def seal(report: Mapping[str, object], bundle: bytes, signer: Signer) -> bytes:
    """Give the file: DSSE JSON over the report and the archive of the bundle under which it was worked out.

    Raises:
        EnvelopeMalformed: when it would be larger than a reader takes.
    """
    payload = {"report": report, "bundle": jsontext.write_octets(bundle)}
    return to_json(sign(PAYLOAD_TYPE, json.dumps(payload, ensure_ascii=False, sort_keys=True).encode(), signer))


def report_of(content: bytes) -> Envelope | None:
    """Give the envelope of a quality report; None for any other file."""
    if content.lstrip()[:1] != b"{":
        return None
    try:
        envelope = from_json(content)
    except EnvelopeMalformed:
        return None
    return envelope if envelope.payload_type == PAYLOAD_TYPE else None


def verify_report(envelope: Envelope, *, root: bytes) -> ReportVerdict:
    """Verify a report under the trusted root; bad content is no error, the verdict names the part that failed."""
    parts: list[Part] = []
    ground = look(parts, "bundle", "", partial(_ground, envelope, root))
    reported = ground and look(parts, "report", "", partial(_reported, envelope, *ground))
    return ReportVerdict(parts=tuple(parts), reported=reported or None)


def _ground(envelope: Envelope, root: bytes) -> tuple[Directory, Catalogue]:
    archive = _payload(envelope.payload)["bundle"].octets()
    directory = step(Check.SIGNATURE, lambda: open_bundle(archive, root=root))
    return directory, step(Check.TABLES, lambda: read_catalogue(directory.sections))


def _payload(payload: bytes) -> Mapping[str, Place]:
    return jsontext.load(payload, refuse=EnvelopeMalformed).members(("report", "bundle"))


def _reported(envelope: Envelope, directory: Directory, catalogue: Catalogue) -> Reported:
    top = _payload(envelope.payload)["report"].members(_TOP, others=True)
    member, issued = top["member"].text(), top["issued_time"].moment()
    # 1 key: the member's own, good at that time, under a directory in force then
    find = finder(directory, issued)
    opened = step(Check.SIGNATURE, lambda: open_envelope(envelope, payload_type=PAYLOAD_TYPE, find=find))
    holds(Check.KEY, {directory.key_owner(each) for each in opened.key_ids} == {member}, "signed by another member")
    step(Check.KEY, lambda: directory.check_current(issued))
    # 2 month: nobody reports what is still to come
    month = Month.read(top["month"].text(_MONTH))
    holds(Check.RATES, month.over(civil_day(issued)), "the month was not over")
    # 3 rates: they follow from the counts and the directory's goals
    goals = catalogue.quality(month.last)
    for each in (*top["agencies"].items(limit=MOST), *top["feeds"].items(limit=MOST)):
        _rates(each, RATES[:2], goals)
    return Reported(
        member=member,
        month=month,
        issued_time=issued,
        directory_version=directory.version,
        rates=_rates(top["node"], RATES, goals),
        goals=goals,
    )


def _rates(place: Place, names: Sequence[str], goals: QualityGoals | None) -> Mapping[str, Share]:
    rows = place.members(names, others=True)
    return {name: _rate(rows[name], name, goals) for name in names}


def _rate(place: Place, name: str, goals: QualityGoals | None) -> Share:
    row = place.members(_SHARE)
    share = Share(row["part"].integer(least=0), row["whole"].integer(least=0))
    said = {key: each.value for key, each in row.items()}
    holds(Check.RATES, share.part <= share.whole and said == share.document(name, goals), "a rate does not follow")
    return share
