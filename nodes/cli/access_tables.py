"""Who asked about an enterprise, as it reads it: every member named, heard or not; nothing about others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gateway.charter import charter
from gateway.kinds import KINDS
from gateway.model.access import AccessOutcome
from gateway.model.codes import AccessState
from gateway.verification.access import Found, Line, Proof, lines
from nodes.cli import consent_tables, documents
from nodes.cli.names import Names, moment
from nodes.cli.session import session
from nodes.cli.sheets import BAD, GOOD, WARNING, row, table

ACCESS, DELAY = "yrdx.access.v1", "yrdx.access-delay.v1"


def show_access(pages: Sequence[Found], *, as_json: bool) -> None:
    """Show what every member holds; the first page names the members and the keys."""
    found = lines(pages)
    if as_json:
        documents.write(_document(pages, found))
        return
    first, words, console = pages[0], session().words, Console()
    names = Names(charter(first.summary.home_member, first.directory, KINDS), words)
    _show_lines(console, found, names)
    _show_delayed(console, first)
    unheard = tuple(each.member for each in _worst(pages) if each.state is not AccessState.ANSWERED)
    if unheard:
        text = words.say("access.silent", members=names.members(unheard))
        console.print(Text(text, style=BAD))
    elif not found:
        console.print(Text(words.say("access.nobody"), style=GOOD))
    _show_own(console, first)


def show_delay(members: Sequence[AccessOutcome], *, as_json: bool) -> None:
    """Show where a delay holds."""
    if as_json:
        documents.write({"format": DELAY, "members": documents.plain_value(tuple(members))})
        return
    words, comma = session().words, session().words.say("mark.comma")
    taken = [each.member for each in members if each.state is AccessState.ANSWERED]
    missing = [each.member for each in members if each.state is not AccessState.ANSWERED]
    console = Console()
    console.print(Text(words.say("access.delay_taken", members=comma.join(taken)), style=GOOD))
    if missing:
        console.print(Text(words.say("access.delay_missing", members=comma.join(missing)), style=BAD))


def _document(pages: Sequence[Found], found: Sequence[Line]) -> dict[str, Any]:
    home = pages[0].reports.get(pages[0].summary.home_member)
    return {
        "format": ACCESS,
        "home_member": pages[0].summary.home_member,
        "summary_time": documents.plain_value(pages[0].summary.summary_time),
        "members": documents.plain_value(_worst(pages)),
        "entries": [_entry(each) for each in found],
        "delayed": documents.plain_value(pages[0].delayed),
        "keys": documents.plain_value(home.keys if home else ()),
        "authorisations": documents.plain_value(home.authorisations if home else ()),
    }


def _worst(pages: Sequence[Found]) -> tuple[AccessOutcome, ...]:
    """Name every member once, as not heard when it was silent on any page: what that one held is missing."""
    found: dict[str, AccessOutcome] = {}
    for each in (outcome for page in pages for outcome in page.members):
        if each.member not in found or found[each.member].state is AccessState.ANSWERED:
            found[each.member] = each
    return tuple(found.values())


def _entry(line: Line) -> dict[str, Any]:
    entry = line.entry
    return {
        "reference": line.reference,
        "time": documents.plain_value(entry.time),
        "asker_member": line.asker_member,
        "answerer_member": line.answerer_member,
        "agency": entry.agency,
        "officer_role": entry.officer_role,
        "purpose": entry.purpose,
        "application_item": entry.application_item,
        "kind": entry.kind,
        "fields": list(entry.fields),
        "outcome": entry.outcome,
        "told_by": list(line.told_by),
        "proof": line.proof.value,
        "key_id": entry.key_id,
    }


def _show_lines(console: Console, found: Sequence[Line], names: Names) -> None:
    if not found:
        return
    words, comma = session().words, session().words.say("mark.comma")
    sheet = table(words, "access.title", "who_asked", "asked_of", "why_asked", "what_asked", "told_by")
    for each in found:
        entry = each.entry
        why = (names.named("purposes", entry.purpose), names.named("applications", entry.application_item))
        outcome = words.code("access_outcome", entry.outcome)
        told = words.say("access.both") if len(each.told_by) > 1 and not each.own else names.members(each.told_by)
        asked_of = names.members(each.told_by) if each.own else names.member(each.answerer_member)
        row(
            sheet,
            f"{names.agency(entry.agency)}\n{names.member(each.asker_member)}\n{moment(entry.time)}",
            asked_of,
            "\n".join((*filter(None, why), _asker(each))),
            "\n".join(filter(None, (words.code("kind", entry.kind), comma.join(entry.fields), outcome))),
            f"{told}: {words.code('access_proof', each.proof.value)}\n{each.reference}",
            style=BAD if each.proof is Proof.FAILED else "",
        )
    console.print(sheet)
    console.print(Text(words.say("access.word")))


def _asker(line: Line) -> str:
    """Say in which role an officer asked, or by which key of the subject it was a preview."""
    words = session().words
    if line.own:
        return words.say("access.own", key=line.entry.key_id)
    return words.say("access.role", role=words.code("role", line.entry.officer_role))


def _show_delayed(console: Console, found: Found) -> None:
    if not found.delayed:
        return
    words = session().words
    sheet = table(words, "access.delayed", "delayed_month", "delayed_band", style=WARNING)
    for each in found.delayed:
        row(sheet, each.month, words.code("band", each.band.value))
    console.print(sheet)
    if not found.complete:
        console.print(Text(words.say("access.at_least"), style=WARNING))


def _show_own(console: Console, found: Found) -> None:
    """Show the subject's keys and authorisations: a key that it does not know somebody else enrolled (duty U28)."""
    home = found.reports.get(found.summary.home_member)
    if home is not None:
        console.print(Text(session().words.say("access.keys")))
        consent_tables.show_kept(home.keys, home.authorisations, as_json=False)
