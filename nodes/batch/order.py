"""What a batch asks, for whom, and of which file: whatever makes its answers usable for this list and no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from gateway.model.combined import CombinedResult
from keys.errors import KeysError
from keys.jsontext import Place

SCOPE = ("members", "domains", "data_items")
_LISTING = "listing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The terms of a batch; `seed` draws inspections again, digests are hexadecimal."""

    member: str
    agency: str
    officer: str
    approving_officer: str = ""
    kind: str
    purpose: str
    application_item: str
    case_reference: str = ""
    agreement_id: str = ""
    members: tuple[str, ...] = ()
    window: str = ""
    domains: tuple[str, ...] = ()
    data_items: tuple[str, ...] = ()
    scheme: str = ""
    authorisations: tuple[str, ...] = ()
    code_column: str
    name_column: str = ""
    triggered_column: str = ""
    message_subjects: int
    input_digest: str
    seed: str

    @property
    def scope(self) -> dict[str, tuple[str, ...]]:
        """What the batch asks less than its agreement allows, by name of the term; empty where it asks all."""
        return {name: getattr(self, name) for name in SCOPE if getattr(self, name)}

    @property
    def narrowed(self) -> bool:
        """Whether a light would be GREEN by not asking: a listing that was left out may stand against the subject."""
        return bool(self.members or self.domains or (self.data_items and _LISTING not in self.data_items))

    def document(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def unfit(self) -> tuple[str, ...]:
        """Name the terms that could be written and not be read again: too long, or more than one printable line."""
        return tuple(each.name for each in fields(self) if not _fits(getattr(self, each.name), str(each.type)))

    def differences(self, other: Order) -> tuple[str, ...]:
        """Name the terms in which another order differs."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != getattr(other, each.name))

    def fits(self, result: CombinedResult) -> bool:
        """Say whether a result was made for this agency, matter and kind: another batch's answers prove nothing."""
        return (
            (result.asker_member, result.agency, result.kind) == (self.member, self.agency, self.kind)
            and (result.purpose, result.application_item) == (self.purpose, self.application_item)
            and result.case_reference == self.case_reference
            and self.agreement_id in {"", result.agreement_id}
            and (not self.members or tuple(each.member for each in result.members) == self.members)
        )


def read_order(place: Place) -> Order:
    """Read an order from JSON.

    Raises:
        KeysError: of the place's own class, when it is none.
    """
    rows = place.members(tuple(each.name for each in fields(Order)))
    values: dict[str, Any] = {each.name: _READ[str(each.type)](rows[each.name]) for each in fields(Order)}
    return Order(**values)


def _fits(value: object, kind: str) -> bool:
    try:
        _READ[kind](Place(path="$", value=value, refuse=KeysError))
        json.dumps(value, ensure_ascii=False).encode()
    except (KeysError, UnicodeEncodeError):
        return False
    return True


def _text(place: Place) -> str:
    return "" if place.value == "" else place.text()


_READ: Mapping[str, Callable[[Place], object]] = {
    "str": _text,
    "int": lambda place: place.integer(least=1),
    "tuple[str, ...]": lambda place: tuple(each.text() for each in place.items(limit=1_000)),
}
