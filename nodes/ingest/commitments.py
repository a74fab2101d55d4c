"""Commitments 信用承诺 and how they are kept: our own columns. Their texts and whoever handled them are dropped."""

from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import COMMITMENTS, PERFORMANCE, item, needed_word


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    made_on = cells.needed_day("made_on", scene.today)
    return {
        "domain": scene.feed.domain,
        "commitment_type": needed_word(cells, "commitment_type", COMMITMENTS),
        "matter_code": item(cells, "matter_code"),
        "state": needed_word(cells, "status", PERFORMANCE),
        "agency": agency,
        "made_on": made_on,
        "due_on": cells.day_from("due_on", made_on),
        "closed_on": cells.day_from("closed_on", made_on),
        "escalated": cells.flag("escalated"),
        "disputed": cells.flag("disputed"),
    }


FAMILY = Family(
    record_class="commitment",
    table="commitment",
    columns=own_columns(
        needed="record_key uscc commitment_type matter_code status agency made_on",
        kept="due_on closed_on escalated disputed subject_kind",
        dropped="name text handler remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"state": None, "made_on": None},
    agency="agency",
    decided="made_on",
)
