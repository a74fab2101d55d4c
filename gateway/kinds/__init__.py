"""The table of kinds: a new kind is a module and a row here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.errors import Refused
from gateway.kinds import measures, no_violation, rating, summary
from gateway.kinds.row import Kind
from gateway.model.codes import RefusalReason

__all__ = ["KINDS", "kind_of"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (summary.KIND, rating.KIND, measures.KIND, no_violation.KIND)}
)


def kind_of(body: object, table: Mapping[str, Kind]) -> Kind:
    """Find the row of a question's body.

    Raises:
        Refused: UNKNOWN_KIND when the table holds none.
    """
    for kind in table.values():
        if kind.question is type(body):
            return kind
    raise Refused(RefusalReason.UNKNOWN_KIND)
