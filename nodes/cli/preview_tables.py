"""What an agency would be told of an enterprise, as that enterprise previews it: no answer, and marked as none."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from gateway.model.codes import AccessState
from gateway.model.signed import Accepted
from gateway.verification.preview import Preview
from gateway.verification.verdict import accepted_by_member
from nodes.cli import documents, tables
from nodes.cli.names import Names
from nodes.cli.session import session
from nodes.cli.sheets import BAD, WARNING

PREVIEW = "yrdx.preview.v1"


def show_preview(found: Preview, *, as_json: bool) -> None:
    """Show it as the agency's officer would read it, and name every member that was not heard."""
    if as_json:
        documents.write(_document(found))
        return
    words, console = session().words, Console()
    names = Names(found.content.charter, words)
    agency = names.agency(found.content.result.agency)
    console.print(Text(words.say("access.preview", agency=agency), style=WARNING))
    unheard = tuple(each.member for each in found.members if each.state is not AccessState.ANSWERED)
    if unheard:
        console.print(Text(words.say("access.silent", members=names.members(unheard)), style=BAD))
    tables.show_content(console, found.content, words)


def _document(found: Preview) -> dict[str, Any]:
    result = documents.plain_value(found.content.result)
    asked = ("agency", "purpose", "application_item", "agreement_id", "kind")
    return {
        "format": PREVIEW,
        "home_member": found.summary.home_member,
        "summary_time": documents.plain_value(found.summary.summary_time),
        **{name: result[name] for name in asked},
        "members": documents.plain_value(found.members),
        "subject": result["subjects"][0],
        "told": [_told(member, each) for member, each in accepted_by_member(found.content.exchanges).items()],
    }


def _told(member: str, each: Accepted) -> dict[str, Any]:
    return {
        "member": member,
        "head": documents.plain_value(each.answer),
        "item": documents.plain_value(each.items[0]),
    }
