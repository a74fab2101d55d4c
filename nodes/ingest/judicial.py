"""Judicial records 司法: our own columns. Case numbers, texts of the court, amounts and persons are dropped."""

from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import needed_code


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    decided_on = cells.needed_day("decided_on", scene.today)
    return {
        "domain": scene.feed.domain,
        "kind": needed_code(cells, "kind"),
        "agency": agency,
        "decided_on": decided_on,
        "ended_on": cells.day_from("ended_on", decided_on),
        "disputed": cells.flag("disputed"),
    }


FAMILY = Family(
    record_class="judicial",
    table="judicial",
    columns=own_columns(
        needed="record_key uscc kind agency decided_on",
        kept="ended_on disputed subject_kind",
        dropped="name case_number court_text amount person_name person_id_number remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"decided_on": None},
    agency="agency",
    decided="decided_on",
)
