"""Ratings 评价结果: our own columns. Scores, indicators and weights are dropped: nobody exchanges scores."""

from gateway.recognition import Scheme
from nodes.ingest.cells import Cells, NotOursError, RowUnplacedError
from nodes.ingest.family import Family, Kept, Scene, by_record_key, by_uscc, own_columns
from nodes.ingest.report import Reason


def _read(cells: Cells, scene: Scene) -> Kept:
    scheme = _scheme(cells, scene)
    rated_on = cells.needed_day("rated_on", scene.today)
    return {
        "scheme_id": scheme.id,
        "scheme_version": scheme.version,
        "scheme_kind": scheme.kind.value,
        "grade": _grade(cells, scheme),
        "rated_on": rated_on,
        "valid_until": cells.end_after("valid_until", rated_on),
        "disputed": cells.flag("disputed"),
    }


def _scheme(cells: Cells, scene: Scene) -> Scheme:
    name, version = cells.text("scheme_id"), cells.text("scheme_version")
    for scheme in scene.catalogue.schemes:
        if (scheme.id, scheme.version) == (name, version):
            if scheme.member != scene.member:
                raise NotOursError
            return scheme
    raise RowUnplacedError("scheme_id", Reason.UNKNOWN_SCHEME)


def _grade(cells: Cells, scheme: Scheme) -> str | None:
    grade = cells.text("grade")
    if grade not in scheme.levels:
        cells.leave("grade", Reason.UNKNOWN_GRADE)
        return None
    return grade


FAMILY = Family(
    record_class="rating",
    table="rating",
    columns=own_columns(
        needed="record_key uscc scheme_id scheme_version grade rated_on",
        kept="valid_until disputed subject_kind",
        dropped="name score indicators weights evaluator remarks",
    ),
    code="uscc",
    key=by_record_key,
    subject=by_uscc,
    read=_read,
    silence={"rated_on": None},
)
