"""A member's month of quality: worked out from its store, written for programs, and signed for others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.clocks import civil_day
from gateway.months import Month
from gateway.quality import Quality, QualityGoals, Scores, Share, assess, rates
from gateway.verification.quality import FORMAT, seal
from keys import files, moments
from nodes.bundle.following import current_charter
from nodes.config import DATABASE, Config
from nodes.credentials import open_keyring
from nodes.store.quality import records


@dataclass(frozen=True, slots=True, kw_only=True)
class Monthly:
    """A month, the time at which it was worked out, and the directory in force then."""

    quality: Quality
    time: datetime
    directory_version: int
    bundle: bytes
    """The archive of the bundle."""


def work_out(config: Config, month: Month, now: datetime) -> Monthly:
    """Work out a month of a member whose node may be running.

    Raises:
        OSError, KeysError, CatalogueMalformed, StoreUnusable: naming what is missing or wrong.
    """
    charter = current_charter(config)
    found = records(config.data / DATABASE, month)
    return Monthly(
        quality=assess(found, charter.catalogue, member=config.member, month=month, today=civil_day(now)),
        time=now,
        directory_version=charter.directory.version,
        bundle=charter.directory.archive,
    )


def export(monthly: Monthly, config: Config, path: Path) -> None:
    """Write the signed report under a name that is not taken, whole or not at all.

    Raises:
        OSError, KeysError: CustodyError when the name is taken.
    """
    signer = open_keyring(config).signer(current_charter(config).directory, monthly.time)
    files.write(path, seal(document(monthly), monthly.bundle, signer))


def document(monthly: Monthly) -> dict[str, Any]:
    """Give the month for programs: see docs/json.md."""
    found = monthly.quality
    return {
        "format": FORMAT,
        "member": found.member,
        "month": found.month.text,
        "month_over": found.month.over(found.today),
        "issued_time": moments.write(monthly.time.replace(microsecond=0)),
        "directory_version": monthly.directory_version,
        "node": {
            **_scores(found.node, found.rates, found.goals),
            "unused_items": list(found.unused),
            "feedback_counted": False,
        },
        "agencies": _each("agency", found.agencies, found.goals),
        "feeds": _each("feed", found.feeds, found.goals),
        "today": found.today.isoformat(),
        "overdue": [
            {"feed": each.feed, "next_due": each.next_due and each.next_due.isoformat(), "days": each.days}
            for each in found.overdue
        ],
        "held": [{"feed": feed, "reasons": dict(reasons)} for feed, reasons in found.held.items()],
        "partial": [
            {
                "domain": domain,
                "feeds": [{"feed": feed, "causes": [each.value for each in why]} for feed, why in feeds.items()],
            }
            for domain, feeds in found.partial.items()
        ],
        "calendar_missing": found.calendar_missing,
    }


def _each(name: str, found: Mapping[str, Scores], goals: QualityGoals | None) -> list[dict[str, Any]]:
    return [{name: key, **_scores(scores, rates(scores), goals)} for key, scores in found.items()]


def _scores(scores: Scores, found: Mapping[str, Share], goals: QualityGoals | None) -> dict[str, Any]:
    return {
        **{rate: share.document(rate, goals) for rate, share in found.items()},
        "publicity": {
            "on_time": scores.publicity.part,
            "measured": scores.publicity.whole,
            "percent": scores.publicity.percent,
            "unmeasured": scores.unmeasured,
        },
        "not_counted": dict(scores.aside),
        "rejected": dict(scores.rejected),
    }
