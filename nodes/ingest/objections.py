"""Objections 异议 to records: our own columns. What is objected and by whom is dropped."""

from nodes.ingest import targets
from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import OBJECTIONS, needed_word


def _read(cells: Cells, scene: Scene) -> Kept:
    agency, target = scene.agency(cells, "agency"), targets.target(cells, scene)
    opened_on = cells.needed_day("opened_on", scene.today)
    return target | {
        "state": needed_word(cells, "status", OBJECTIONS),
        "agency": agency,
        "opened_on": opened_on,
        "decided_on": cells.day_from("decided_on", opened_on),
    }


FAMILY = Family(
    record_class="objection",
    table="objection",
    columns=own_columns(
        needed=f"record_key uscc {targets.COLUMNS} status agency opened_on",
        kept="decided_on subject_kind",
        dropped="name content contact remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"state": None, "opened_on": None},
    agency="agency",
    decided="opened_on",
)
