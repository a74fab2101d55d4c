"""Honours 荣誉: our own columns. Citations are dropped."""

from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import needed_code


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    awarded_on = cells.needed_day("awarded_on", scene.today)
    return {
        "domain": scene.feed.domain,
        "kind": needed_code(cells, "kind"),
        "agency": agency,
        "awarded_on": awarded_on,
        "valid_until": cells.end_after("valid_until", awarded_on, same=True),
        "withdrawn_on": cells.day_from("withdrawn_on", awarded_on),
    }


FAMILY = Family(
    record_class="honour",
    table="honour",
    columns=own_columns(
        needed="record_key uscc kind agency awarded_on",
        kept="valid_until withdrawn_on subject_kind",
        dropped="name citation remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"awarded_on": None},
    agency="agency",
    decided="awarded_on",
)
