"""Conclusions of credit repair 信用修复: our own columns. Materials, commitment letters and contacts are dropped."""

from nodes.ingest import targets
from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import CONCLUSIONS, SEVERITIES, needed_word, word


def _read(cells: Cells, scene: Scene) -> Kept:
    agency, target = scene.agency(cells, "agency"), targets.target(cells, scene)
    applied_on = cells.day("applied_on")
    accepted_on = cells.day_from("accepted_on", applied_on)
    decided_on = cells.needed_day("decided_on", scene.today)
    cells.day_from("decided_on", accepted_on or applied_on)
    return target | {
        "severity": word(cells, "severity", SEVERITIES),
        "outcome": needed_word(cells, "outcome", CONCLUSIONS),
        "agency": agency,
        "applied_on": applied_on,
        "accepted_on": accepted_on,
        "decided_on": decided_on,
        "effective_on": cells.day_from("effective_on", decided_on),
    }


FAMILY = Family(
    record_class="repair",
    table="repair",
    columns=own_columns(
        needed=f"record_key uscc {targets.COLUMNS} outcome agency decided_on",
        kept="severity applied_on accepted_on effective_on subject_kind",
        dropped="name materials contact remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"outcome": None, "decided_on": None},
    agency="agency",
    decided="decided_on",
)
