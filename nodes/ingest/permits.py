"""Permits 行政许可: `XK_*` columns of the double-publicity standard. Contents and certificate numbers are dropped."""

from collections.abc import Mapping

from nodes.ingest import publicity
from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene
from nodes.ingest.report import Reason

TYPES: Mapping[str, str] = {
    "普通": "ORDINARY",
    "特许": "FRANCHISE",
    "认可": "ACCREDITATION",
    "核准": "APPROVAL",
    "登记": "REGISTRATION",
}
"""XK_XKLB to permit type; the standard lets a text follow `其他`."""

_OTHER = "其他"
_STATES = frozenset({"0", "1", "2"})
_REVOKED = "1"


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "XK_XKJGDM")
    start = "XK_YXQZ" if cells.text("XK_YXQZ") else "XK_JDRQ"
    valid_from = cells.day(start)
    if valid_from is None and not cells.gaps:
        cells.leave(start, Reason.NO_DATE)
    revoked_on = cells.day("revoked_on")
    if cells.word("XK_ZT", _STATES) == _REVOKED and revoked_on is None:
        revoked_on = valid_from  # revoked on an unknown day: nothing may be said of it any more
    return {
        "domain": scene.feed.domain,
        "permit_type": _type(cells),
        "agency": agency,
        "valid_from": valid_from,
        "valid_until": cells.end_after("XK_YXQZI", valid_from, same=True),
        "revoked_on": revoked_on,
    }


def _type(cells: Cells) -> str | None:
    text = cells.text("XK_XKLB")
    found = "OTHER" if text.startswith(_OTHER) else TYPES.get(text)
    if found is None:
        cells.leave("XK_XKLB", Reason.UNKNOWN_PERMIT_TYPE)
    return found


FAMILY = Family(
    record_class="permit",
    table="permit",
    columns=publicity.columns(
        "XK",
        needed="XDR_LB XDR_SHXYM WSH XKLB JDRQ XKJGDM",
        others="XKWS XKZS XKBH NR YXQZ YXQZI XKJG ZT",
        ours="revoked_on",
        read="XKLB JDRQ XKJGDM YXQZ YXQZI ZT",
    ),
    code="XK_XDR_SHXYM",
    key=publicity.key("XK_XKJGDM", ("XK_WSH", "XK_XKBH"), "XK_XDR_SHXYM"),
    subject=publicity.subject("XK"),
    read=_read,
    silence={"valid_from": None},
    agency="XK_XKJGDM",
    decided="XK_JDRQ",
)
