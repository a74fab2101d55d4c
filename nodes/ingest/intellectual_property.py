"""Intellectual property 知识产权: our own columns. Titles are dropped."""

from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import needed_code


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    registered_on = cells.needed_day("registered_on", scene.today)
    return {
        "domain": scene.feed.domain,
        "kind": needed_code(cells, "kind"),
        "agency": agency,
        "registered_on": registered_on,
        "valid_until": cells.end_after("valid_until", registered_on, same=True),
        "cancelled_on": cells.day_from("cancelled_on", registered_on),
    }


FAMILY = Family(
    record_class="intellectual_property",
    table="intellectual_property",
    columns=own_columns(
        needed="record_key uscc kind agency registered_on",
        kept="valid_until cancelled_on subject_kind",
        dropped="name title remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"registered_on": None},
    agency="agency",
    decided="registered_on",
)
