"""Counts what agencies were told in a month: answers and distinct subjects, never who."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.months import Month
from nodes.store.connections import connect_read_only
from nodes.store.schema import prepare_exchange

_COUNTS = """
    SELECT agency, count(DISTINCT question_id), count(DISTINCT uscc) FROM disclosure
    WHERE day BETWEEN ? AND ? GROUP BY agency"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """How many answers an agency was given, and about how many distinct subjects."""

    answers: int = 0
    subjects: int = 0


def disclosed(path: Path, month: Month) -> Mapping[str, Disclosed]:
    """Count by agency; no storage key is needed.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    prepare_exchange(path)
    days = (month.first.isoformat(), month.last.isoformat())
    with closing(connect_read_only(path)) as connection:
        rows = connection.execute(_COUNTS, days).fetchall()
    return {agency: Disclosed(answers=answers, subjects=subjects) for agency, answers, subjects in rows}
