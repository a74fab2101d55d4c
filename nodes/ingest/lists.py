"""Entries in lists 名单: our own columns. Case numbers, court texts, amounts and persons are dropped."""

import re

from gateway.clocks import OFFICIAL
from nodes.ingest.cells import Cells, RowUnplacedError
from nodes.ingest.family import Family, Kept, Scene, by_record_key, names_person, own_columns
from nodes.ingest.penalties import ORIGINS
from nodes.ingest.report import Reason

_EXITS = frozenset({"REPAIRED", "EXPIRED", "ANNULLED", "MISTAKE"})
_CLASS = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    listed_on = cells.needed_day("listed_on", scene.today)
    return {
        "list_type": _list_type(cells, scene),
        "domain": scene.feed.domain,
        "listed_on": listed_on,
        "publish_not_before": cells.day("publish_not_before"),
        "exit_on": cells.day_from("exit_on", listed_on),
        "exit_reason": cells.word("exit_reason", _EXITS),
        "basis_class": cells.shaped("basis_class", _CLASS),
        "agency": agency,
        "origin": cells.word("origin", ORIGINS, OFFICIAL),
        "disputed": cells.flag("disputed"),
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
    ),
    code="uscc",
    key=by_record_key,
    is_person=names_person,
    read=_read,
    silence={"listed_on": None},
)
