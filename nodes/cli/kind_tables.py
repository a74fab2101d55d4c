"""What each kind adds to a subject's part: a row of the table of kinds below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from rich.table import Table

from gateway.model.answer import Item, NoViolationItem, RatingItem, SummaryItem
from gateway.model.codes import Grade, Verdict
from gateway.model.combined import MeasureConclusion, RecognitionResult, SubjectResult
from gateway.verification import Content
from nodes.cli.names import Names, moment
from nodes.cli.sheets import BAD, WARNING, row, table
from nodes.cli.words import Words

Items = Sequence[tuple[str, Item]]
Shown = Iterator[Table]


def of(subject: SubjectResult, content: Content, names: Names, words: Words) -> Shown:
    """Give the tables of a subject's kind."""
    items = [
        (each.outcome.member, item)
        for each in content.exchanges
        if each.accepted
        for item in each.accepted.items
        if item.uscc == subject.uscc
    ]
    show = _KINDS.get(content.result.kind)
    if show is not None:
        yield from show(subject, items, content, names, words)


def _summary(_: SubjectResult, items: Items, _content: Content, names: Names, words: Words) -> Shown:
    """Bands are shown region by region and never added up (U4)."""
    bodies = [(member, item.body) for member, item in items if isinstance(item.body, SummaryItem)]
    penalties = table(
        words, "title.penalties", "member", "domain", "severity", "band", "latest_month", "unrepaired", "line_ref"
    )
    permits = table(words, "title.permits", "member", "permit_type", "domain", "valid", "expiry_month")
    listings = table(
        words, "title.listings", "member", "list_type", "domain", "listed", "since_month", "basis_class", "line_ref"
    )
    for member, body in bodies:
        at = names.member(member)
        for line in body.penalties:
            band = words.code("band", line.band.value) if line.band else "-"
            severity = words.code("severity", line.severity.value) if line.severity else "-"
            unrepaired = _flag(line.unrepaired, words)
            ref = line.line_ref.hex()
            row(penalties, at, names.domain(line.domain), severity, band, line.latest_month or "-", unrepaired, ref)
        for permit in body.permits:
            valid = _flag(permit.valid, words)
            row(permits, at, permit.permit_type, names.domain(permit.domain), valid, permit.expiry_month or "-")
        for entry in body.listings:
            row(
                listings,
                at,
                names.named("list_types", entry.list_type),
                names.domain(entry.domain),
                _flag(entry.listed, words),
                entry.since_month or "-",
                entry.basis_class or "-",
                entry.line_ref.hex(),
            )
    yield from (each for each in (penalties, permits, listings) if each.row_count)


def _rating(subject: SubjectResult, items: Items, content: Content, names: Names, words: Words) -> Shown:
    ratings = table(
        words, "title.ratings", "member", "scheme", "grade", "rated_date", "valid_until_date", "rating_status"
    )
    for member, item in items:
        for line in item.body.ratings if isinstance(item.body, RatingItem) else ():
            row(
                ratings,
                names.member(member),
                names.scheme(line.scheme_id, line.scheme_version),
                line.grade or "-",
                line.rated_date or "-",
                line.valid_until_date or "-",
                words.code("rating_status", line.status.value) if line.status else "-",
            )
    if ratings.row_count:
        yield ratings
    if subject.recognition is not None:
        until = next((each.valid_until_time for each in content.recognitions if each.uscc == subject.uscc), None)
        yield _recognition(subject.recognition, until, names, words)
        yield _ceilings(subject.recognition, names, words)


def _recognition(result: RecognitionResult, until: datetime | None, names: Names, words: Words) -> Table:
    """Show no grade unless it was recognised."""
    found = table(words, "title.recognition", "", "")
    mapping = f"{result.mapping_id} {result.mapping_version}".strip()
    others = (
        f"{names.member(each.member)} {each.grade} ({_grade(each.mapped_grade, words)})"
        for each in result.advisory_ratings
    )
    lines = {
        "recognition_state": words.code("recognition", result.state.value),
        "recognised_grade": _grade(result.recognised_grade, words),
        "home": names.member(result.home_member) if result.home_member else "-",
        "scheme": names.scheme(result.scheme_id, result.scheme_version) or "-",
        "origin_grade": result.origin_grade or "-",
        "mapped_grade": _grade(result.mapped_grade, words),
        "mapping": mapping or "-",
        "incomplete": names.members(result.incomplete_members) or "-",
        "advisory": "\n".join(others) or "-",
        "recognised_until": moment(until) or "-",
    }
    for key, value in lines.items():
        unsure = key == "incomplete" and value != "-"
        row(found, words.say(f"column.{key}"), value, style=WARNING if unsure else "")
    return found


def _ceilings(result: RecognitionResult, names: Names, words: Words) -> Table:
    found = table(words, "title.ceilings", "member", "ceiling", "reason", "rule_version")
    for each in result.ceilings:
        grade = _grade(each.ceiling.grade, words) if each.ceiling.grade else words.say("recognition.no_ceiling")
        row(found, names.member(each.member), grade, each.ceiling.reason_class or "-", each.ceiling.rule_version)
    return found


def _measures(subject: SubjectResult, _: Items, _content: Content, names: Names, words: Words) -> Shown:
    if subject.applicable_measures:
        yield _measure_table("title.applicable", subject.applicable_measures, "", names, words)
    if subject.information_measures:
        yield _measure_table("title.information", subject.information_measures, WARNING, names, words)


def _measure_table(title: str, lines: Sequence[MeasureConclusion], style: str, names: Names, words: Words) -> Table:
    columns = ("member", "measure", "domain", "territory", "term", "legal_basis", "list_edition", "ordered_by")
    found = table(words, title, *columns, *(("why_not",) if style else ()), style=style)
    for each in lines:
        line = each.measure
        term = f"{line.term_from_date or '-'} - {line.term_until_date or words.say('measure.open_end')}"
        cells = (
            names.member(each.member),
            names.named("measures", line.measure_code),
            names.domain(line.domain),
            line.territory or "-",
            term,
            line.legal_basis or "-",
            line.list_edition or "-",
            line.agency or "-",
        )
        why = (words.code("measure_reason", each.reason),) if style else ()
        row(found, *cells, *why, style=style)
    return found


def _no_violation(subject: SubjectResult, items: Items, _content: Content, names: Names, words: Words) -> Shown:
    union = table(words, "title.domains", "domain", "verdict", "reporting", "incomplete")
    for each in subject.domains:
        row(
            union,
            names.domain(each.domain),
            words.code("no_violation", each.verdict.value),
            names.members(each.reporting_members) or "-",
            names.members(each.incomplete_members) or "-",
            style=_VERDICT_STYLES.get(each.verdict, WARNING),
        )
    yield union
    found = table(words, "title.verdicts", "member", "domain", "verdict", "line_ref")
    for member, item in items:
        for line in item.body.verdicts if isinstance(item.body, NoViolationItem) else ():
            said = words.code("no_violation", line.verdict.value) if line.verdict else "-"
            ref = line.line_ref.hex() if line.line_ref else ""
            row(found, names.member(member), names.domain(line.domain), said, ref)
    yield found


def _grade(grade: Grade | None, words: Words) -> str:
    return words.code("grade", grade.value) if grade else "-"


def _flag(value: bool | None, words: Words) -> str:
    return "-" if value is None else words.code("yes_no", str(value))


_VERDICT_STYLES = {Verdict.NONE_TO_REPORT: "", Verdict.HAS: BAD, Verdict.HAS_REPAIRED: "bold"}
_KINDS: Mapping[str, Callable[[SubjectResult, Items, Content, Names, Words], Shown]] = {
    "summary": _summary,
    "rating": _rating,
    "measures": _measures,
    "no_violation": _no_violation,
}
