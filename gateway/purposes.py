"""Purposes and data items: what may be asked for, under which limits and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.model.codes import Severity, Window
from gateway.tables import Dated


class Consent(Enum):
    """Whether a purpose wants the subject's authorisation 授权."""

    NONE = "NONE"
    SUBJECT = "SUBJECT"


class Label(Enum):
    """Class of a data item: open, conditional (only the purposes named) or closed."""

    OPEN = "open"
    CONDITIONAL = "conditional"
    CLOSED = "closed"


class CheckForm(Enum):
    """What a batch says a row for a purpose: a verdict, GREEN or RED (A10), or an inspection tier (A27)."""

    VERDICT = "VERDICT"
    LIGHT = "LIGHT"
    TIER = "TIER"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeKind:
    """What a purpose may ask of one kind."""

    fields: tuple[str, ...]
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose(Dated):
    """A purpose 应用场景 and its limits (duty U13: a complete row each)."""

    code: str
    name: Mapping[str, str]
    stage: str
    legal_basis: str
    sample: bool
    authorisation: Consent
    authorisation_age_minutes: int
    case_required: bool
    second_officer: bool
    daily_subjects: int
    answer_hours: int
    retention_months: int
    opens_sole_traders: bool
    shows_repaired: bool
    domain_bound: bool
    severities: tuple[Severity, ...]
    kinds: Mapping[str, PurposeKind]
    check: CheckForm = CheckForm.VERDICT


@dataclass(frozen=True, slots=True, kw_only=True)
class DataItem(Dated):
    """A data item and its read rule: of one field, or of all whose names start with its id and a dot."""

    id: str
    label: Label
    purposes: tuple[str, ...] = ()
    four_eyes: bool = False
