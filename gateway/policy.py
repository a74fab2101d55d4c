"""What policy leaves of a question: the grant, an intersection of data, the same at both ends (steps 10-12)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.errors import Refused
from gateway.model.answer import WithheldField
from gateway.model.codes import RefusalReason, WithheldReason
from gateway.model.question import ProbeQuestion
from gateway.purposes import Label
from gateway.tables import ALL

if TYPE_CHECKING:
    from datetime import date

    from gateway.catalogue import Agreement, ApplicationItem, Catalogue
    from gateway.kinds.row import Kind
    from gateway.model.codes import Severity, Window
    from gateway.model.question import Body
    from gateway.purposes import DataItem, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """purpose ∩ data item's read rule ∩ agreement: fields, domains, severities and one window."""

    kind: str
    purpose: Purpose
    agreement: Agreement
    fields: frozenset[str]
    withheld: tuple[WithheldField, ...]
    domains: frozenset[str]
    window: Window | None
    severities: frozenset[Severity]
    four_eyes: bool


KEPT = 1_024


def grant(
    kind: Kind,
    body: Body,
    *,
    purpose: Purpose,
    item: ApplicationItem,
    agreement: Agreement,
    catalogue: Catalogue,
    on: date,
) -> Grant:
    """Intersect what the purpose, the data items and the agreement leave of a question.

    Questions that differ in their subjects only share one grant.

    Raises:
        Refused: PURPOSE_NOT_ALLOWED when the purpose may not ask this kind or window, it names what no table holds,
            or nothing is left;
            NO_AGREEMENT when the agreement covers no domain of it.
    """
    key = (kind.name, shape(body), purpose.code, item.id, agreement.id, on)
    found: Grant | None = catalogue.grants.get(key)
    if found is None:
        found = _grant(kind, body, purpose=purpose, item=item, agreement=agreement, catalogue=catalogue, on=on)
        if len(catalogue.grants) >= KEPT:
            catalogue.grants.clear()
        catalogue.grants[key] = found
    return found


def shape(body: Body) -> Body:
    """Give a question's body without its subjects."""
    return body if isinstance(body, ProbeQuestion) else replace(body, subjects=())


def _grant(
    kind: Kind,
    body: Body,
    *,
    purpose: Purpose,
    item: ApplicationItem,
    agreement: Agreement,
    catalogue: Catalogue,
    on: date,
) -> Grant:
    row = purpose.kinds.get(kind.name)
    window = kind.window(body)
    if row is None or not purpose.in_force(on) or (window is not None and window not in row.windows):
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    if not kind.known(body, catalogue):
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    withheld: dict[str, WithheldReason] = {}
    items = {}
    for name in kind.requested(body):
        data_item = _data_item(catalogue, name)
        if name not in row.fields:
            withheld[name] = WithheldReason.PURPOSE
        elif (
            data_item is None
            or not data_item.in_force(on)
            or data_item.label is Label.CLOSED
            or (data_item.label is Label.CONDITIONAL and purpose.code not in data_item.purposes)
        ):
            withheld[name] = WithheldReason.DATA_ITEM
        else:
            items[name] = data_item
    domains = _domains(kind, body, purpose=purpose, item=item, agreement=agreement, catalogue=catalogue)
    if kind.fields and not items:
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    return Grant(
        kind=kind.name,
        purpose=purpose,
        agreement=agreement,
        fields=frozenset(items),
        withheld=tuple(WithheldField(field=name, reason=reason) for name, reason in sorted(withheld.items())),
        domains=domains,
        window=window,
        severities=frozenset(purpose.severities),
        four_eyes=purpose.second_officer or any(each.four_eyes for each in items.values()),
    )


def _data_item(catalogue: Catalogue, field: str) -> DataItem | None:
    """Give the read rule of a field: its own row, or its data item's when it has none."""
    return catalogue.data_items.get(field) or catalogue.data_items.get(field.split(".", maxsplit=1)[0])


def _domains(
    kind: Kind,
    body: Body,
    *,
    purpose: Purpose,
    item: ApplicationItem,
    agreement: Agreement,
    catalogue: Catalogue,
) -> frozenset[str]:
    left = frozenset(catalogue.domains)
    if ALL not in agreement.domains:
        left &= frozenset(agreement.domains)
    if purpose.domain_bound and ALL not in item.domains:
        left &= frozenset(item.domains)
    named = frozenset(kind.domains(body))
    if not left or (named and not named <= frozenset(catalogue.domains)):
        raise Refused(RefusalReason.NO_AGREEMENT)
    if named and not named & left:
        raise Refused(RefusalReason.NO_AGREEMENT)
    return left & named if named else left
