"""The five administrative classes beside permits and penalties: five families of one shape, in our own columns.

Coercion 行政强制, confirmation 确认, adjudication 裁决, inspection 监督检查 and reward 奖励. Contents, amounts,
document numbers and names are dropped.
"""

from gateway.clocks import OFFICIAL
from nodes.ingest.cells import Cells, RowUnplacedError
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.penalties import ORIGINS
from nodes.ingest.report import Reason
from nodes.ingest.words import code, needed_code


def _read(cells: Cells, scene: Scene) -> Kept:
    agency = scene.agency(cells, "agency")
    if cells.text("domain") not in {"", scene.feed.domain}:
        raise RowUnplacedError("domain", Reason.OTHER_DOMAIN)
    decided_on = cells.needed_day("decided_on", scene.today)
    return {
        "domain": scene.feed.domain,
        "kind": needed_code(cells, "kind"),
        "result": code(cells, "result"),
        "agency": agency,
        "origin": cells.word("origin", ORIGINS, OFFICIAL),
        "decided_on": decided_on,
        "valid_until": cells.end_after("valid_until", decided_on, same=True),
        "annulled_on": cells.day_from("annulled_on", decided_on),
        "rectify_until": cells.day_from("rectify_until", decided_on),
        "disputed": cells.flag("disputed"),
    }


FAMILIES = tuple(
    Family(
        record_class=name,
        table=name,
        columns=own_columns(
            needed="record_key uscc kind agency decided_on",
            kept="domain result valid_until annulled_on rectify_until origin disputed subject_kind",
            dropped="name document_number content amount person_name person_id_number remarks",
        ),
        code="uscc",
        key=by_record_key,
        subject=by_uscc,
        read=_read,
        silence={"decided_on": None},
        agency="agency",
        decided="decided_on",
    )
    for name in ("coercion", "confirmation", "adjudication", "inspection", "reward")
)
