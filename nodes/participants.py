"""Who takes part beside departments (A77, A78), under which filing, and how much this member told them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.clocks import civil_day
from gateway.months import Month
from gateway.participants import DEPARTMENT
from keys.members import Agency
from nodes.bundle.following import current_charter
from nodes.config import DATABASE, Config
from nodes.store.disclosures import Disclosed, disclosed


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A participant as the directory in force lists it, and what it was told in a month."""

    agency: Agency
    active: bool
    told: Disclosed


def standings(config: Config, month: Month, now: datetime) -> tuple[Standing, ...]:
    """Give every agency of the federation that is no department, member by member.

    Raises:
        OSError, KeysError, CatalogueMalformed, StoreUnusable: naming what is missing or wrong.
    """
    counts, directory = disclosed(config.data / DATABASE, month), current_charter(config).directory
    return tuple(
        Standing(
            agency=each,
            active=each.active(civil_day(now)) and not directory.suspended(member.id, at=now),
            told=counts.get(each.id, Disclosed()),
        )
        for member in directory.members
        for each in member.agencies
        if each.sort != DEPARTMENT
    )
