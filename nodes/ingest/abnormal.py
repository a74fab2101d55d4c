"""The directory of abnormal operations 经营异常名录: our own columns, kept as entries in a list of its domain."""

from gateway.catalogue import ListClass
from gateway.clocks import OFFICIAL
from nodes.ingest.cells import Cells, RowUnplacedError
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.references import reference
from nodes.ingest.report import Reason
from nodes.ingest.words import EXITS, needed_code


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    listed_on = cells.needed_day("listed_on", scene.today)
    return {
        "list_type": _list_type(scene),
        "domain": scene.feed.domain,
        "listed_on": listed_on,
        "exit_on": cells.day_from("exit_on", listed_on),
        "exit_reason": cells.word("exit_reason", EXITS),
        "basis_class": needed_code(cells, "reason_class"),
        "agency": agency,
        "origin": OFFICIAL,
        "disputed": cells.flag("disputed"),
        "reference": reference(scene.secret, "listing", agency, cells.text("record_key"), cells.raw("uscc")),
    }


def _list_type(scene: Scene) -> str:
    for each in scene.catalogue.list_types.values():
        if each.domain == scene.feed.domain and each.record_class is ListClass.ABNORMAL:
            return each.code
    raise RowUnplacedError("", Reason.UNKNOWN_LIST_TYPE)


FAMILY = Family(
    record_class="abnormal",
    table="listing",
    columns=own_columns(
        needed="record_key uscc reason_class listed_on agency",
        kept="exit_on exit_reason disputed subject_kind",
        dropped="name remarks",
        reads_key=True,
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"listed_on": None},
    agency="agency",
    decided="listed_on",
)
