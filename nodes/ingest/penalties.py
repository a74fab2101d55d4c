"""Penalties 行政处罚: `CF_*` columns of the double-publicity standard, with our own for what it lacks.

The standard has neither domain nor severity: both come from the classification of the act (duty U16). Facts,
grounds, amounts, document numbers and names are dropped; of a responsible person it is kept that there is one (A40).
"""

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache

from gateway.classification import Classified, Procedure, classify
from gateway.clocks import OFFICIAL
from nodes.ingest import publicity
from nodes.ingest.cells import Cells
from nodes.ingest.family import Family, Kept, Scene
from nodes.ingest.references import reference
from nodes.ingest.report import Reason

ORIGINS = frozenset({OFFICIAL, "MARKET", "SELF_DECLARED"})
_PROCEDURES = frozenset(each.value for each in Procedure)
_REVIEWS = frozenset({"NONE", "PENDING", "UPHELD", "CHANGED", "REVOKED"})
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_EXEMPT = frozenset({"不予处罚", "不予行政处罚", "免予处罚"})


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "CF_CFJGDM")
    decided_on = cells.needed_day("CF_JDRQ", scene.today)
    procedure = cells.word("procedure", _PROCEDURES)
    found = _classified(cells, scene, agency, decided_on, procedure)
    return {
        "domain": scene.feed.domain,
        "behaviour": found and found.behaviour,
        "severity": found and found.severity.value,
        "agency": agency,
        "procedure": procedure,
        "review_status": cells.word("review_status", _REVIEWS),
        "origin": cells.word("origin", ORIGINS, OFFICIAL),
        "decided_on": decided_on,
        "final_on": cells.day_from("final_on", decided_on),
        "publish_not_before": cells.day("publish_not_before"),
        "publish_until": cells.end_after("CF_GSJZQ", decided_on, same=True),
        "rectify_until": cells.day_from("rectify_until", decided_on),
        "repaired_on": cells.day_from("repaired_on", decided_on),
        "annulled_on": cells.day_from("annulled_on", decided_on),
        "exempt": int(cells.text("CF_CFLB") in _EXEMPT) or cells.flag("exempt"),
        "disputed": cells.flag("disputed"),
        "escalated": cells.flag("escalated"),
        "attributed": int(publicity.is_person(cells, "CF_XDR_LB")),
        "responsible_person": cells.flag("responsible_person"),
        "reference": reference(scene.secret, "penalty", agency, cells.text("CF_WSH"), cells.raw("CF_XDR_SHXYM")),
    }


def _classified(
    cells: Cells, scene: Scene, agency: str, decided_on: str | None, procedure: str | None
) -> Classified | None:
    """Classify the act by the table that was in force on the day of decision."""
    fine = _fine(cells)
    if decided_on is None:
        return None  # a gap already: which table was in force nobody knows
    found = classify(
        scene.catalogue.class_table,
        act=cells.text("CF_WFXW"),
        domain=scene.feed.domain,
        agency=agency,
        kinds=cells.text("CF_CFLB"),
        fine_yuan=fine,
        procedure=procedure or "",
        on=date.fromisoformat(decided_on),
    )
    if found is None:
        cells.leave("CF_WFXW", Reason.UNKNOWN_BEHAVIOUR)
    return found


def _fine(cells: Cells) -> Decimal | None:
    """Give the fine in yuan, which the standard writes in ten thousands; None for an empty cell."""
    text = cells.text("CF_NR_FK")
    found = _yuan(text) if text else None
    if text and found is None:
        cells.leave("CF_NR_FK", Reason.BAD_VALUE)
    return found


@lru_cache(maxsize=1 << 12)
def _yuan(text: str) -> Decimal | None:
    return Decimal(text) * 10_000 if _AMOUNT.fullmatch(text) else None


FAMILY = Family(
    record_class="penalty",
    table="penalty",
    columns=publicity.columns(
        "CF",
        needed="XDR_LB XDR_SHXYM WSH WFXW JDRQ CFJGDM",
        others="SY YJ CFLB NR NR_FK NR_WFFF NR_ZKDX YXQ GSJZQ CFJG",
        ours="procedure review_status origin final_on publish_not_before rectify_until repaired_on annulled_on exempt"
        f" disputed escalated responsible_person {publicity.ATTRIBUTED}",
        read="XDR_LB WSH WFXW JDRQ CFJGDM CFLB NR_FK GSJZQ",
    ),
    code="CF_XDR_SHXYM",
    key=publicity.key("CF_CFJGDM", ("CF_WSH",), "CF_XDR_SHXYM"),
    subject=publicity.subject("CF"),
    read=_read,
    silence={"behaviour": None, "severity": None},
    agency="CF_CFJGDM",
    decided="CF_JDRQ",
)
