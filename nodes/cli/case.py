"""`yrdx case`: opens a case 办件, and shows one with every result, attempt and failure."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from gateway import wire
from gateway.model.combined import Case, CaseOpening, CaseReading
from gateway.verification import Unreadable, Verdict, verify
from nodes.cli import desk_client, documents, evidence_desk, evidence_tables, tables
from nodes.cli.ask import show
from nodes.cli.profile import Access, unlock
from nodes.cli.requests import enclosed, message
from nodes.cli.session import NOT_GENUINE, Ended, SpeakingGroup, option, session
from nodes.cli.submissions import hand_in
from yrdx.exchange.v1 import desk_pb2

PAGE = 1
"""Results a call: one may fill a message, and the calls stay at the member."""


@click.group("case", cls=SpeakingGroup, help="help.case")
def case() -> None:
    """See words.toml."""


@case.command("open", help="help.case_open")
@click.argument("reference", metavar="REF")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--purpose", say="help.purpose", required=True)
@option("--item", say="help.item", required=True)
@option("--subjects", say="help.subjects", type=click.IntRange(min=0), default=0)
@option("--second-officer", say="help.second_officer", is_flag=True)
@option("--for-approval", say="help.for_approval", is_flag=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def open_case(
    *,
    reference: str,
    profile: Path | None,
    purpose: str,
    item: str,
    subjects: int,
    second_officer: bool,
    for_approval: bool,
    as_json: bool,
) -> None:
    """Open a case."""
    access = unlock(profile, second=second_officer)
    opening = CaseOpening(
        case_reference=reference,
        agency=access.profile.agency,
        officer=access.profile.officer,
        approving_officer=access.profile.approving_officer if second_officer else "",
        open_time=session().now(),
        purpose=purpose,
        application_item=item,
        subject_count=subjects,
    )
    if for_approval:
        if second_officer:
            raise Ended("accounts.handed_in_alone")
        hand_in(opening, access, as_json=as_json)
        return
    request = desk_pb2.OpenCaseRequest(opening=message(opening, access), assertion=enclosed(access))
    response = desk_pb2.OpenCaseResponse()
    _parse(response, desk_client.call(access, "OpenCase", request.SerializeToString()))
    _show(_case(response.case), [], as_json=as_json)


@case.command("show", help="help.case_show")
@click.argument("reference", metavar="REF")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def show_case(*, reference: str, profile: Path | None, as_json: bool) -> None:
    """Show a case; every result is verified before it is shown, and exit 1 when one is not genuine."""
    access = unlock(profile)
    found, results = _read(reference, access)
    verdicts = [_verified(each, access) for each in results]
    _show(found, verdicts, as_json=as_json)
    if not all(each.genuine for each in verdicts):
        raise SystemExit(NOT_GENUINE)


@case.command("status", help="help.case_status")
@click.argument("reference", metavar="REF")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def case_status(*, reference: str, profile: Path | None, as_json: bool) -> None:
    """Say which answers of a case have expired, or were recalled, replaced or objected to since (duty U23)."""
    access = unlock(profile)
    listing, _ = evidence_desk.ask_listing(reference, access)
    verdicts = [_verified(each, access) for each in _read(reference, access)[1]]
    evidence_tables.show_status(listing, verdicts, as_json=as_json)
    if not all(each.genuine for each in verdicts):
        raise SystemExit(NOT_GENUINE)


def _read(reference: str, access: Access) -> tuple[Case, list[bytes]]:
    """Read page by page; each reading is signed anew, for it lives for minutes only."""
    results: list[bytes] = []
    token = ""
    while True:
        reading = CaseReading(
            case_reference=reference,
            agency=access.profile.agency,
            officer=access.profile.officer,
            read_time=session().now(),
            page_size=PAGE,
            page_token=token,
        )
        request = desk_pb2.GetCaseRequest(reading=message(reading, access), assertion=enclosed(access))
        response = desk_pb2.GetCaseResponse()
        _parse(response, desk_client.call(access, "GetCase", request.SerializeToString()))
        results += [each.SerializeToString() for each in response.results]
        if not response.next_page_token or response.next_page_token == token:
            return _case(response.case), results
        token = response.next_page_token


def _parse(response: desk_pb2.OpenCaseResponse | desk_pb2.GetCaseResponse, payload: bytes) -> None:
    try:
        wire.parse_into(response, payload)
    except wire.WireMalformed as error:
        raise Ended("case.unreadable", NOT_GENUINE) from error


def _case(part: desk_pb2.Case) -> Case:
    try:
        return wire.from_message(Case, part)
    except wire.WireMalformed as error:
        raise Ended("case.unreadable", NOT_GENUINE) from error


def _verified(file: bytes, access: Access) -> Verdict:
    try:
        return verify(file, root=access.root, now=session().now())
    except Unreadable as error:
        raise Ended("case.unreadable", NOT_GENUINE) from error


def _show(found: Case, results: list[Verdict], *, as_json: bool) -> None:
    if as_json:
        documents.write(documents.case(found, results))
        return
    console, words = Console(), session().words
    tables.show_case(console, found, words)
    if len(results) < found.result_count:
        console.print(words.say("case.withheld", count=found.result_count - len(results)))
    for number, each in enumerate(results, 1):
        console.print()
        console.rule(words.say("case.result", number=number, count=len(results)), align="left")
        show(each, as_json=False)
