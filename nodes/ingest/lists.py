"""Entries in lists 名单: our own columns. Case numbers, court texts, amounts and persons are dropped."""

from gateway.clocks import OFFICIAL
from nodes.ingest.cells import Cells, RowUnplacedError
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.penalties import ORIGINS
from nodes.ingest.references import reference
from nodes.ingest.report import Reason
from nodes.ingest.words import EXITS, code


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    listed_on = cells.needed_day("listed_on", scene.today)
    return {
        "list_type": _list_type(cells, scene),
        "domain": scene.feed.domain,
        "listed_on": listed_on,
        "publish_not_before": cells.day("publish_not_before"),
        "exit_on": cells.day_from("exit_on", listed_on),
        "exit_reason": cells.word("exit_reason", EXITS),
        "basis_class": code(cells, "basis_class"),
        "agency": agency,
        "origin": cells.word("origin", ORIGINS, OFFICIAL),
        "disputed": cells.flag("disputed"),
        "reference": reference(scene.secret, "listing", agency, cells.text("record_key"), cells.raw("uscc")),
    }


def _list_type(cells: Cells, scene: Scene) -> str:
    found = scene.catalogue.list_types.get(cells.text("list_type"))
    if found is None:
        raise RowUnplacedError("list_type", Reason.UNKNOWN_LIST_TYPE)
    if found.domain != scene.feed.domain:
        raise RowUnplacedError("list_type", Reason.OTHER_DOMAIN)
    return found.code


FAMILY = Family(
    record_class="listing",
    table="listing",
    columns=own_columns(
        needed="record_key uscc list_type listed_on agency",
        kept="publish_not_before exit_on exit_reason basis_class origin disputed subject_kind",
        dropped="name case_number basis_text amount person_name person_id_number remarks",
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
