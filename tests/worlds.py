"""One small federation as data: a catalogue, facts, grants, scenes and answers for tests of the pure layer.

Every builder gives the harmless default, which a test changes by keyword. Nothing here is random: a digest
or line reference is counted, so that two builds of the same thing are equal only where a test means it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from worlds_tables import (
    AGREEMENT,
    DIVISIONS,
    DOMAINS,
    FIELDS,
    MATTER,
    MEMBERS,
    PURPOSE,
    SCHEME,
    SHANGHAI,
    TODAY,
    USCC,
    sections,
)

from gateway.catalogue import Catalogue, read_catalogue
from gateway.clocks import window_from
from gateway.kinds.row import Combining, Kind, Scene
from gateway.model.answer import Answer, Coverage, Item, ItemBody
from gateway.model.codes import CoverageState, ItemState, Lifecycle, Severity, Window
from gateway.model.question import (
    Body,
    MeasuresQuestion,
    NamedSubject,
    NoViolationQuestion,
    ProbeQuestion,
    RatingQuestion,
    SummaryQuestion,
)
from gateway.model.signed import Accepted
from gateway.policy import Grant
from gateway.ports import Feed

NOON = datetime(2026, 3, 10, 4, tzinfo=UTC)
_numbers = count(1)


def catalogue(**changes: Any) -> Catalogue:
    """Read the tables, with some of them replaced."""
    return read_catalogue({**sections(), **changes})


CATALOGUE = catalogue()


def question(kind: str, *, subjects: Iterable[str] = (USCC,), **changes: Any) -> Body:
    """Ask a question of a kind about subjects."""
    if kind == "probe":
        return ProbeQuestion(text=changes.get("text", "ping"))
    named = tuple(NamedSubject(uscc=each) for each in subjects)
    if kind == "rating":
        return RatingQuestion(subjects=named, **changes)
    if kind == "measures":
        return MeasuresQuestion(subjects=named, **changes)
    asked = SummaryQuestion if kind == "summary" else NoViolationQuestion
    return asked(subjects=named, **{"window": Window.M60, **changes})


def grant(kind: str, fields: Iterable[str] | None = None, *, purpose_code: str = PURPOSE, **changes: Any) -> Grant:
    """Grant fields of a kind (all of them unless named) for every domain and severity."""
    wanted: dict[str, Any] = {
        "kind": kind,
        "purpose": CATALOGUE.purposes[purpose_code],
        "agreement": CATALOGUE.agreements[AGREEMENT],
        "fields": frozenset(FIELDS[kind] if fields is None else fields),
        "withheld": (),
        "domains": frozenset(DOMAINS),
        "window": Window.M60 if kind in {"summary", "no_violation"} else None,
        "severities": frozenset(Severity),
        "four_eyes": False,
    }
    return Grant(**{**wanted, **changes})


def covered(
    state: CoverageState = CoverageState.COMPLETE, names: Iterable[str] = (*DOMAINS, "RATING", "REGISTER")
) -> dict[str, Coverage]:
    """Give the same state of coverage to every domain."""
    return {name: Coverage(domain=name, state=state) for name in names}


def scene(kind: Kind | str, **changes: Any) -> Scene:
    """Set the scene of a release on TODAY at Shanghai, with everything covered."""
    windowed = (kind if isinstance(kind, str) else kind.name) in {"summary", "no_violation"}
    tables = changes.get("catalogue", CATALOGUE)
    wanted: dict[str, Any] = {
        "member": SHANGHAI,
        "today": TODAY,
        "window_from": window_from(TODAY, Window.M60) if windowed else None,
        "catalogue": tables,
        "clock": tables.clocks[0],
        "coverage": covered(),
        "line_ref": lambda: next(_numbers).to_bytes(16, "big"),
    }
    return Scene(**{**wanted, **changes})


def digest(number: int | None = None) -> bytes:
    """Give 32 bytes: those of a number, or fresh ones."""
    return sha256(str(next(_numbers) if number is None else number).encode()).digest()


def penalty(**changes: Any) -> dict[str, Any]:
    """A general penalty of last month that may be said."""
    return {
        "domain": "TAX",
        "severity": "GENERAL",
        "decided_on": "2026-02-01",
        "origin": "OFFICIAL",
        "exempt": 0,
        "publish_not_before": None,
        "publish_until": None,
        "repaired_on": None,
        "annulled_on": None,
        "disputed": 0,
        "behaviour": "TAX-G-001",
        "agency": "SH-TAX",
        "rectify_until": None,
        "reference": None,
        "digest": digest(),
        **changes,
    }


def permit(**changes: Any) -> dict[str, Any]:
    """A permit that is valid."""
    return {
        "domain": "TAX",
        "permit_type": "TP01",
        "valid_from": "2025-01-01",
        "valid_until": "2027-01-01",
        "revoked_on": None,
        "digest": digest(),
        **changes,
    }


def listing(**changes: Any) -> dict[str, Any]:
    """A standing entry in the severe list."""
    return {
        "list_type": "TAX_SEVERE",
        "domain": "TAX",
        "listed_on": "2025-06-15",
        "publish_not_before": None,
        "exit_on": None,
        "basis_class": "B01",
        "origin": "OFFICIAL",
        "disputed": 0,
        "reference": None,
        "digest": digest(),
        **changes,
    }


def repair(reference: bytes | None, **changes: Any) -> dict[str, Any]:
    """An approved repair of last week."""
    return {
        "reference": reference,
        "outcome": "APPROVED",
        "effective_on": "2026-03-03",
        "decided_on": "2026-03-02",
        "digest": digest(),
        **changes,
    }


def objection(reference: bytes | None, **changes: Any) -> dict[str, Any]:
    """An objection that is marked and not decided."""
    return {"reference": reference, "state": "MARKED", "decided_on": None, "digest": digest(), **changes}


def rating(**changes: Any) -> dict[str, Any]:
    """A current comprehensive rating, the best."""
    fresh = digest()
    return {
        "record_id": fresh[:16],
        "scheme_id": SCHEME,
        "scheme_version": "2025",
        "scheme_kind": "COMPREHENSIVE",
        "grade": "优",
        "rated_on": "2025-12-01",
        "valid_until": "2026-12-01",
        "disputed": 0,
        "digest": fresh,
        **changes,
    }


def measure(**changes: Any) -> dict[str, Any]:
    """A national restriction in force."""
    return {
        "measure_code": "MP01",
        "domain": "TAX",
        "territory": "NATIONAL",
        "list_edition": "2026",
        "legal_basis": "LAW-1",
        "agency": "SH-TAX",
        "term_from": "2026-01-01",
        "term_until": "2027-01-01",
        "lifted_on": None,
        "disputed": 0,
        "digest": digest(),
        **changes,
    }


def feed(**changes: Any) -> Feed:
    """A daily feed of tax penalties that is in time."""
    wanted: dict[str, Any] = {
        "id": "SH-TAX-PENALTY",
        "agency": "SH-TAX",
        "domain": "TAX",
        "division": "310000",
        "record_class": "penalty",
        "frequency_days": 1,
        "history_from": date(2015, 1, 1),
        "data_through": TODAY,
        "gaps": 0,
    }
    return Feed(**{**wanted, **changes})


def item(body: ItemBody | None = None, **changes: Any) -> Item:
    """An item of a member that does not register the subject and has nothing to say."""
    return Item(**{"uscc": USCC, "state": ItemState.NOT_FOUND, "body": body, **changes})


def home_item(body: ItemBody | None = None, **changes: Any) -> Item:
    """An item of the member that registers the subject as active."""
    home = {"registered_here": True, "lifecycle": Lifecycle.ACTIVE, "in_scope": True}
    return item(body, **{**home, **changes})


def accepted(
    member: str,
    items: Iterable[Item],
    coverage: Mapping[str, CoverageState] | CoverageState = CoverageState.COMPLETE,
) -> Accepted:
    """A verified answer of a member; one state covers everything unless told by domain."""
    states = {"TAX": coverage, "REGISTER": coverage} if isinstance(coverage, CoverageState) else coverage
    held = tuple(items)
    head = Answer(
        question_digest=bytes(32),
        answerer_member=member,
        answer_time=NOON,
        as_of_time=NOON,
        valid_until_time=NOON + timedelta(days=1),
        agreement_id=AGREEMENT,
        fields_granted=("ceiling.grade", "rating.grade"),
        coverage=tuple(Coverage(domain=name, state=state) for name, state in states.items()),
        facts_version=1,
        classification_version="2026-01",
        rule_version="order-36",
        bundle_version=1,
        pair_sequence=1,
        basis_root=bytes(32),
        items_root=bytes(32),
        item_count=len(held),
    )
    return Accepted(member=member, answer=head, items=held, digest=digest())


def combining(answers: Iterable[Accepted], *, asked: tuple[str, ...] = MEMBERS, **changes: Any) -> Combining:
    """Combine answers at Shanghai, for its matter, on TODAY."""
    wanted: dict[str, Any] = {
        "asker": SHANGHAI,
        "application_item": MATTER,
        "today": TODAY,
        "catalogue": CATALOGUE,
        "asked": asked,
        "accepted": {each.member: each for each in answers},
        "divisions": DIVISIONS,
    }
    return Combining(**{**wanted, **changes})


def with_catalogue(**changes: Any) -> Catalogue:
    """Give the catalogue with some attributes replaced."""
    return replace(CATALOGUE, **changes)
