"""Measures 奖惩措施 in force: our own columns. A measure without a legal basis is never loaded."""

import re

from nodes.ingest.cells import Cells, RowUnplacedError
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.report import Reason

_TERRITORY = re.compile(r"NATIONAL|[0-9]{6}")
_EDITION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,31}")


def _read(cells: Cells, scene: Scene) -> Kept:
    legal_basis = cells.cited("legal_basis", Reason.NO_LEGAL_BASIS)
    agency = scene.agency(cells, "agency")
    if cells.text("domain") != scene.feed.domain:
        raise RowUnplacedError("domain", Reason.OTHER_DOMAIN)
    term_from = _begins(cells)
    return {
        "measure_code": _code(cells, scene),
        "domain": scene.feed.domain,
        "territory": cells.shaped("territory", _TERRITORY),
        "list_edition": cells.shaped("list_edition", _EDITION),
        "legal_basis": legal_basis,
        "agency": agency,
        "term_from": term_from,
        "term_until": cells.end_after("term_until", term_from),
        "lifted_on": cells.day_from("lifted_on", term_from),
        "disputed": cells.flag("disputed"),
    }


def _begins(cells: Cells) -> str | None:
    if not cells.text("term_from"):
        cells.leave("term_from", Reason.NO_DATE)
    return cells.day("term_from")  # a term may begin later


def _code(cells: Cells, scene: Scene) -> str:
    code = cells.text("measure_code")
    if code not in scene.catalogue.measures:
        raise RowUnplacedError("measure_code", Reason.UNKNOWN_MEASURE)
    return code


FAMILY = Family(
    record_class="measure",
    table="measure",
    columns=own_columns(
        needed="record_key uscc measure_code domain territory list_edition legal_basis agency term_from",
        kept="term_until lifted_on disputed subject_kind",
        dropped="name case_number content person_name person_id_number remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"term_from": None},
    agency="agency",
    decided="term_from",
)
