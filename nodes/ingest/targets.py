"""Which record a repair or an objection is about: a penalty or an entry in a list, of this member's own agencies."""

from typing import cast

from nodes.ingest.cells import Cells, RowUnplacedError
from nodes.ingest.family import Kept, Scene
from nodes.ingest.references import Target, reference
from nodes.ingest.report import Reason

COLUMNS = "target_class target_agency target_number"

_CLASSES = frozenset({"penalty", "listing"})


def target(cells: Cells, scene: Scene) -> Kept:
    """Give class and reference of the record that a row is about.

    Raises:
        NotOursError: when another member's agency decided it.
        RowUnplacedError: when it is not named: what the row says would be lost.
    """
    sort, number = cells.text("target_class"), cells.text("target_number")
    if sort not in _CLASSES:
        raise RowUnplacedError("target_class", Reason.BAD_VALUE)
    agency = scene.agency(cells, "target_agency")
    if not number:
        raise RowUnplacedError("target_number", Reason.NO_TARGET)
    return {
        "target_class": sort,
        "reference": reference(scene.secret, cast("Target", sort), agency, number, cells.raw("uscc")),
    }
