"""What the comparison of two ledgers found, and what two members signed of a month, for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gateway.ledger.reconciliation import Difference
from gateway.model.reconciliation import Statement
from gateway.verification.statements import FORMAT, StatementVerdict, verify_statement
from keys import moments
from keys.jsontext import Place
from nodes.cli import documents
from nodes.cli.names import moment
from nodes.cli.session import NOT_GENUINE, session
from nodes.cli.sheets import BAD, GOOD, WARNING, row, table
from nodes.cli.tables import show_failed
from nodes.store.reconciliations import Compared, Found

_NONE = "–"
Pairs = Sequence[Compared]


def differing(found: Iterable[Found]) -> bool:
    """Say whether anything differs that the asker's own ledger does not explain."""
    return any(each.finding.difference is not Difference.LOST for each in found)


def document(compared: Pairs, found: Sequence[Found]) -> dict[str, Any]:
    """Give both for programs: see docs/json.md."""
    return {"pairs": [_pair(each, found) for each in compared], "findings": [_finding(each) for each in found]}


def show(compared: Pairs, found: Sequence[Found]) -> None:
    """Show how far each pair is compared, then each number on which its ledgers differ."""
    words, console = session().words, Console(soft_wrap=True)
    if not compared:
        console.print(Text(words.say("reconcile.none")))
        return
    pairs = table(words, "reconcile.pairs", "asker", "answerer", "compared_until", "last_number", "findings")
    for each in (_pair(one, found) for one in compared):
        cells = (each["asker_member"], each["answerer_member"], each["compared_until"] or _NONE)
        row(pairs, *cells, str(each["last_number"]), str(each["findings"]), style=BAD if each["findings"] else "")
    console.print(pairs)
    rows = table(
        words, "reconcile.findings", "asker", "answerer", "pair_number", "day", "difference", "lacking",
        "asker_entries", "answerer_entries",
    )  # fmt: skip
    for one in map(_finding, found):
        lost = one["difference"] == Difference.LOST.value
        named = (one["asker_member"], one["answerer_member"], str(one["number"]), one["day"])
        said = (words.code("difference", one["difference"]), one["lacking_member"] or _NONE)
        row(rows, *named, *said, *(_places(one[name]) for name in _ENTRIES), style=WARNING if lost else BAD)
    if found:
        console.print(rows)
    if not differing(found):
        console.print(Text(words.say("reconcile.agreed"), style=GOOD))


_ENTRIES = ("asker_entries", "answerer_entries")


def audited(found: Place, root: bytes, *, as_json: bool) -> int:
    """Verify a statement's file, show what it says, and give the exit code."""
    verdict = verify_statement(found, root=root)
    if as_json:
        documents.write(_verdict(verdict))
    elif verdict.statement is None:
        show_failed(Console(soft_wrap=True), verdict.parts, session().words)
    else:
        console, words, said = Console(soft_wrap=True), session().words, verdict.statement
        first, second = said.members
        told = {"first": first, "second": second, "month": said.month, "time": moment(said.issued_time)}
        console.print(Text(words.say("reconcile.genuine", **told), style=GOOD))
        show_statement(console, said)
    return 0 if verdict.statement else NOT_GENUINE


def show_statement(console: Console, said: Statement) -> None:
    """Show both directions of a month, and where the ledgers differ."""
    words = session().words
    shown = table(
        words, "", "asker", "answerer", "first_number", "last_number", "answered", "refused", "void", "findings"
    )
    for each in said.pairs:
        numbers = (each.first_number, each.last_number, each.answered_count, each.refused_count, each.void_count)
        cells = (each.asker_member, each.answerer_member, *map(str, numbers), str(each.difference_count))
        row(shown, *cells, style=WARNING if each.difference_count else "")
    console.print(shown)
    rows = table(words, "reconcile.findings", "asker", "answerer", "pair_number", "difference", "lacking")
    for pair in said.pairs:
        for one in pair.differences:
            said_of = (words.code("difference", one.difference), one.lacking_member or _NONE)
            row(rows, pair.asker_member, pair.answerer_member, str(one.pair_sequence), *said_of)
    if rows.row_count:
        console.print(rows)


def _pair(compared: Compared, found: Iterable[Found]) -> dict[str, Any]:
    asker, answerer = compared.pair
    until = compared.day if compared.time else None
    return {
        "asker_member": asker,
        "answerer_member": answerer,
        "compared_until": until and until.isoformat(),
        "last_number": compared.next - 1,
        "findings": sum(each.pair == compared.pair for each in found),
    }


def _finding(found: Found) -> dict[str, Any]:
    asker, answerer = found.pair
    lacking = {"ASKER": asker, "ANSWERER": answerer}
    return {
        "asker_member": asker,
        "answerer_member": answerer,
        "number": found.finding.pair_sequence,
        "day": found.day.isoformat(),
        "difference": found.finding.difference.value,
        "lacking_member": lacking[found.finding.lacking.value] if found.finding.lacking else None,
        "asker_entries": list(found.finding.asker_entries),
        "answerer_entries": list(found.finding.answerer_entries),
        "found_time": moments.write(found.time.replace(microsecond=0)),
    }


def _verdict(verdict: StatementVerdict) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "genuine": verdict.statement is not None,
        "parts": [documents.part(each) for each in verdict.parts],
        "statement": documents.plain_value(verdict.statement),
    }


def _places(places: Sequence[int]) -> str:
    return ", ".join(map(str, places)) or _NONE
