"""What subjects declare of themselves 自主申报: our own columns. No agency stands behind it, so it is never adverse."""

from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import needed_code


def _read(cells: Cells, scene: Scene) -> Kept:
    declared_on = cells.needed_day("declared_on", scene.today)
    return {
        "kind": needed_code(cells, "kind"),
        "declared_on": declared_on,
        "valid_until": cells.end_after("valid_until", declared_on, same=True),
    }


FAMILY = Family(
    record_class="self_declared",
    table="self_declared",
    columns=own_columns(
        needed="record_key uscc kind declared_on",
        kept="valid_until subject_kind",
        dropped="name content remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"declared_on": None},
)
