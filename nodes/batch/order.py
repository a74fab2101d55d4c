"""What a batch asks, for whom, and of which file: whatever makes its answers usable for this list and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from gateway.model.combined import CombinedResult
from keys.jsontext import Place


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

    def document(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

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


def _text(place: Place) -> str:
    return "" if place.value == "" else place.text()


_READ: Mapping[str, Callable[[Place], object]] = {
    "str": _text,
    "int": lambda place: place.integer(least=1),
    "tuple[str, ...]": lambda place: tuple(each.text() for each in place.items(limit=1_000)),
}
