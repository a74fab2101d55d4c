"""Performance of contracts 合同履约: our own columns. Counterparties, prices and contents are dropped."""

from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.words import PERFORMANCE, needed_code, needed_word


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    signed_on = cells.needed_day("signed_on", scene.today)
    return {
        "domain": scene.feed.domain,
        "kind": needed_code(cells, "kind"),
        "state": needed_word(cells, "status", PERFORMANCE),
        "agency": agency,
        "signed_on": signed_on,
        "due_on": cells.day_from("due_on", signed_on),
        "closed_on": cells.day_from("closed_on", signed_on),
        "disputed": cells.flag("disputed"),
    }


FAMILY = Family(
    record_class="contract",
    table="contract",
    columns=own_columns(
        needed="record_key uscc kind status agency signed_on",
        kept="due_on closed_on disputed subject_kind",
        dropped="name counterparty amount content remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"state": None, "signed_on": None},
    agency="agency",
    decided="signed_on",
)
