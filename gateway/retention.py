"""How long bodies and records are kept: by purpose, as dated data says; what has no purpose, as the longest."""

from __future__ import annotations

from datetime import date

from gateway.catalogue import Catalogue
from gateway.clocks import still_running

SUBJECTS = "subjects"
"""Scope of what is kept of subjects' keys and authorisations: it proves what was allowed, as long as records stand."""


def months(catalogue: Catalogue, scope: str) -> int:
    """Say for how many whole calendar months bodies of a scope are kept: a purpose's code, SUBJECTS, or another text.

    What no purpose in the tables claims (one that was taken out, bytes that were no question) is kept as long as the
    purpose that keeps longest: nothing goes early, and nothing stays for ever.
    """
    if scope == SUBJECTS or not catalogue.purposes:
        return catalogue.limits.record_months
    purpose = catalogue.purposes.get(scope)
    if purpose is not None:
        return purpose.retention_months
    return max(each.retention_months for each in catalogue.purposes.values())


def kept_from(catalogue: Catalogue, scope: str, today: date) -> date:
    """Give the earliest day whose bodies of a scope are still kept today: the last day of a period counts."""
    return still_running(today, months(catalogue, scope))


def records_from(catalogue: Catalogue, today: date) -> date:
    """Give the first day of the earliest month whose disclosures and charges are still kept: months go whole."""
    return still_running(today, catalogue.limits.record_months).replace(day=1)
