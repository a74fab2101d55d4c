"""The subject register (duty U1): our own columns. The name is kept as a keyed digest only."""

import re

from gateway.model.codes import Lifecycle
from gateway.uscc import defect
from nodes.ingest.cells import Cells, NotOursError
from nodes.ingest.family import KINDS, Family, Kept, Scene, by_uscc, own_columns
from nodes.ingest.names import name_digest
from nodes.ingest.report import Reason

LIFECYCLES = frozenset(each.value for each in Lifecycle)
_DIVISION = re.compile(r"[0-9]{6}")
_LINKS = ("predecessor", "successor", "branch_of")


def _key(cells: Cells) -> tuple[str, ...]:
    # A subject that moves within the member gets a further row; the one that began last is in force.
    return (cells.raw("uscc"), cells.text("valid_from"))


def _read(cells: Cells, scene: Scene) -> Kept:
    name = cells.text("name")
    lifecycle, division = cells.word("lifecycle", LIFECYCLES), cells.shaped("division", _DIVISION)
    if lifecycle is None:
        cells.leave("lifecycle", Reason.BAD_VALUE)
    _check_home(cells, scene, division)
    valid_from = cells.day("valid_from")
    return {
        "kind": cells.word("kind", KINDS),
        "lifecycle": lifecycle,
        "division": division,
        "valid_from": valid_from,
        "valid_until": cells.end_after("valid_until", valid_from),
        "name_digest": name_digest(scene.secret, cells.raw("uscc"), name) if name else None,
    } | {link: _linked(cells, link) for link in _LINKS}


def _check_home(cells: Cells, scene: Scene, division: str | None) -> None:
    home = None if division is None else scene.directory.home_of(division)
    if home is None:
        cells.leave("division", Reason.UNKNOWN_DIVISION)
    elif home.id != scene.member:
        raise NotOursError


def _linked(cells: Cells, column: str) -> str | None:
    code = cells.raw(column)
    if code and defect(code) is not None:
        cells.leave(column, Reason.BAD_VALUE)
    return code or None


FAMILY = Family(
    record_class="register",
    table="register",
    columns=own_columns(
        needed="uscc name kind lifecycle division valid_from",
        kept="valid_until predecessor successor branch_of subject_kind",
        dropped="legal_representative person_id_number address phone registered_capital business_scope remarks",
    ),
    code="uscc",
    key=_key,
    subject=by_uscc,
    read=_read,
    silence=None,
)
