"""Evidence and the state of a case as an officer or a court reads them; genuine, in time, status apart (U24)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from gateway.model.codes import MarkKind
from gateway.model.evidence import AnswerMark, CaseListing, EvidenceStatement, ListedResult
from gateway.verification import Verdict
from gateway.verification.entries import Seen
from gateway.verification.evidence import EvidenceVerdict, PieceVerdict
from nodes.cli import documents, tables
from nodes.cli.names import moment
from nodes.cli.session import session
from nodes.cli.sheets import BAD, WARNING, row, show_id, table
from nodes.cli.words import Words, plain

EVIDENCE, STATUS = "yrdx.evidence.v1", "yrdx.case-status.v1"
WITNESSED = "WITNESSED"


def show(verdict: EvidenceVerdict, *, as_json: bool) -> None:
    """Show what was found out about an evidence file and, only when it is genuine, what it says."""
    if as_json:
        documents.write(document(verdict))
        return
    console, words = Console(), session().words
    if not verdict.genuine:
        tables.show_failed(console, verdict.all_parts, words)
        return
    _show_scope(console, verdict, words)
    for number, each in enumerate(verdict.pieces, 1):
        console.rule(words.say("case.result", number=number, count=len(verdict.pieces)), align="left")
        _show_piece(console, each, words)


def show_status(listing: CaseListing, verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    """Show which answers of a case have expired, and what became of others; what was sealed is named, not shown."""
    held = {each.content.result_digest: each for each in verdicts if each.content is not None}
    if as_json:
        documents.write(status_document(listing, held))
        return
    console, words = Console(), session().words
    for each in listing.results:
        verdict = held.get(each.result_digest)
        _show_listed(console, each, words, verdict.expired if verdict else ())


def document(verdict: EvidenceVerdict) -> dict[str, Any]:
    """Give the document of an evidence file."""
    return {
        "format": EVIDENCE,
        "genuine": verdict.genuine,
        "parts": [documents.part(each) for each in verdict.parts],
        "in_time": verdict.in_time,
        "status": verdict.status.value,
        "listing": documents.plain_value(verdict.listing),
        "results": [_piece(each) for each in verdict.pieces],
    }


def status_document(listing: CaseListing, held: Mapping[bytes, Verdict]) -> dict[str, Any]:
    """Give the document of a case's state."""
    return {
        "format": STATUS,
        "case_reference": listing.case_reference,
        "list_time": documents.plain_value(listing.list_time),
        "results": [
            {
                "result_id": each.result_digest.hex(),
                "combine_time": documents.plain_value(each.combine_time),
                "state": _state(each).upper(),
                "expired_members": list(held[each.result_digest].expired) if each.result_digest in held else [],
                "marks": documents.plain_value(each.marks),
            }
            for each in listing.results
        ],
    }


def _piece(found: PieceVerdict) -> dict[str, Any]:
    return {
        "answer": documents.answer(found.verdict),
        "statement": documents.plain_value(found.statement),
        "entries": [_entry(each) for each in found.seen],
    }


def _entry(seen: Seen) -> dict[str, Any]:
    return {
        "event": seen.kind.value,
        "member": seen.member,
        **documents.logged(seen.logged),
        "level": WITNESSED,
        "witnesses": list(seen.witnessed.members),
        "witnessed_time": documents.plain_value(seen.time),
    }


def _show_scope(console: Console, verdict: EvidenceVerdict, words: Words) -> None:
    """Say whether this is a whole case, and of which results nothing stands in the file or something became."""
    listing = verdict.listing
    if listing is None:
        console.print(Text(words.say("evidence.not_whole", count=len(verdict.pieces)), style=WARNING))
        return
    counts = {
        "count": len(listing.results),
        "deleted": sum(each.deleted for each in listing.results),
        "marked": sum(bool(each.marks) for each in listing.results),
    }
    said = words.say("evidence.whole", case=listing.case_reference, time=moment(listing.list_time), **counts)
    console.print(Text(plain(said)))
    for each in listing.results:
        if each.deleted or each.marks:
            _show_listed(console, each, words)


def _show_listed(console: Console, found: ListedResult, words: Words, expired: Sequence[str] = ()) -> None:
    """Show the id of a result on a line of its own, that it may be copied, and beneath it what became of it."""
    show_id(console, found.result_digest)
    lines = [f"{moment(found.combine_time)}  {words.say(f'case.{_state(found)}')}"]
    lines += [_mark(each, words) for each in found.marks]
    lines += [words.say("case.expired", members=", ".join(expired))] if expired else []
    style = WARNING if found.marks or expired else ""
    for each in lines:
        console.print(Padding(Text(plain(each), style=style), (0, 0, 0, 2)))


def _show_piece(console: Console, found: PieceVerdict, words: Words) -> None:
    tables.show_verdict(console, found.verdict, words)
    if found.statement is not None:
        _show_statement(console, found.statement, words)
    if found.verdict.content is not None:
        tables.show_content(console, found.verdict.content, words)
    console.print()
    seen = table(words, "evidence.entries", "event", "member", "log", "entry", "witnesses", "witnessed_time")
    for each in found.seen:
        head = each.logged.checkpoint.head
        witnesses = ", ".join(each.witnessed.members)
        event = words.code("event", each.kind.value)
        row(seen, event, each.member, head.origin, str(each.logged.index), witnesses, moment(each.time))
    console.print(seen)


def _show_statement(console: Console, statement: EvidenceStatement, words: Words) -> None:
    officers = " + ".join(each for each in (statement.officer, statement.approving_officer) if each)
    said = words.say("evidence.exported", officers=officers, time=moment(statement.export_time))
    console.print(Text(said))
    if statement.ground:
        console.print(Text(words.say("evidence.on_ground", ground=statement.ground)))
    for each in statement.marks:
        console.print(Text(_mark(each, words), style=BAD))


def _mark(mark: AnswerMark, words: Words) -> str:
    said = words.code("mark_kind", mark.mark.value)
    return words.say("evidence.marked", member=mark.member, mark=said, time=moment(mark.mark_time))


def _state(found: ListedResult) -> str:
    if found.deleted:
        return "deleted"
    recalled = any(each.mark is MarkKind.RECALLED for each in found.marks)
    return "sealed" if recalled else "held"
