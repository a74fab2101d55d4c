"""`yrdx access`: an enterprise reads who asked about it, with its own key; two officers delay a case (U28, U29)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from gateway import carriers
from gateway.clocks import civil_day
from gateway.exchange.handing import OWNER
from gateway.exchange.tracking import ENTRIES, GROUND, MONTHS
from gateway.limits import Limits
from gateway.model.access import AccessOutcome, AccessReading, DelayOrder, PreviewReading
from gateway.model.codes import AccessState, RefusalReason, Window
from gateway.months import Month
from gateway.tracking_door import SERVICE
from gateway.verification import Unreadable
from gateway.verification.access import Found, verify_access
from gateway.verification.preview import verify_preview
from gateway.verification.reports import NotGenuine
from gateway.wire import PAYLOAD_TYPES, encode
from keys import seal, suite
from keys.envelope import sign
from keys.suite import Signer
from nodes.cli import access_tables, desk_client, preview_tables
from nodes.cli.ask import complete
from nodes.cli.profile import Access
from nodes.cli.questions import KINDS, Asked, body_of
from nodes.cli.requests import message, send, value_of
from nodes.cli.session import COMPLETE, INCOMPLETE, NOT_GENUINE, REFUSED, Ended, SpeakingGroup, option, session
from nodes.cli.subjects import at_counter, check_code, subject_signer
from yrdx.exchange.v1 import access_pb2

_PATH = click.Path(path_type=Path)
_YEAR = 11
_OTHER_KEY = frozenset({RefusalReason.BAD_SIGNATURE, RefusalReason.KEY_NOT_VALID})


@click.group("access", cls=SpeakingGroup, help="help.access")
def access() -> None:
    """See words.toml."""


@access.command("show", help="help.access_show")
@click.argument("code")
@option("--key", say="help.subject_key", type=_PATH, required=True)
@option("--passphrase-file", say="help.subject_passphrase", type=_PATH, required=True)
@option("--from", "begin", say="help.access_from", default="")
@option("--until", "end", say="help.access_until", default="")
@option("--profile", say="help.profile", type=_PATH, envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def show(
    *, code: str, key: Path, passphrase_file: Path, begin: str, end: str, profile: Path | None, as_json: bool
) -> None:
    """Read who asked, page by page, and show it once it is verified."""
    first, last = _months(begin, end)
    check_code(code)
    signer, desk = subject_signer(key, passphrase_file), at_counter(profile)
    opener = seal.opener(suite.generate_seed(), owner=OWNER)
    reading = AccessReading(
        reading_id=secrets.token_bytes(16),
        uscc=code,
        home_member=desk.profile.member,
        read_time=session().now(),
        first_month=first.text,
        last_month=last.text,
        suite=opener.suite,
        sealing_key=opener.public,
    )
    pages = [_read(reading, signer, opener, desk)]
    while pages[-1].left_out:
        further = replace(
            reading, reading_id=secrets.token_bytes(16), read_time=session().now(), skip=ENTRIES * len(pages)
        )
        pages.append(_read(further, signer, opener, desk))
    access_tables.show_access(pages, as_json=as_json)
    raise SystemExit(COMPLETE if all(each.complete for each in pages) else INCOMPLETE)


@access.command("preview", help="help.access_preview")
@click.argument("kind", type=click.Choice(tuple(KINDS)))
@click.argument("code")
@option("--agency", say="help.preview_agency", required=True)
@option("--purpose", say="help.purpose", required=True)
@option("--item", say="help.item", required=True)
@option("--agreement", say="help.preview_agreement", required=True)
@option("--window", say="help.window", type=click.Choice(tuple(each.value for each in Window)))
@option("--domain", "domains", say="help.domain", multiple=True)
@option("--data-item", "data_items", say="help.data_item", multiple=True)
@option("--scheme", say="help.scheme")
@option("--key", say="help.subject_key", type=_PATH, required=True)
@option("--passphrase-file", say="help.subject_passphrase", type=_PATH, required=True)
@option("--profile", say="help.profile", type=_PATH, envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def preview(
    *,
    kind: str,
    code: str,
    agency: str,
    purpose: str,
    item: str,
    agreement: str,
    key: Path,
    passphrase_file: Path,
    profile: Path | None,
    as_json: bool,
    **rest: Any,  # noqa: ANN401  the options that belong to some kinds
) -> None:
    """Preview what the agency would be told, and show it once it is verified."""
    body = body_of(kind, Asked(codes=(code,), **rest))
    signer, desk = subject_signer(key, passphrase_file), at_counter(profile)
    opener = seal.opener(suite.generate_seed(), owner=OWNER)
    reading = PreviewReading(
        reading_id=secrets.token_bytes(16),
        uscc=code,
        home_member=desk.profile.member,
        read_time=session().now(),
        agency=agency,
        purpose=purpose,
        application_item=item,
        agreement_id=agreement,
        suite=opener.suite,
        sealing_key=opener.public,
        body=body,
    )
    envelope = sign(PAYLOAD_TYPES[PreviewReading], encode(reading), signer)
    request = access_pb2.ReadPreviewRequest(reading=carriers.envelope_to_message(envelope))
    payload = _handed_in(desk, "ReadPreview", request.SerializeToString())
    with _genuine():
        found = verify_preview(payload, reading=reading, envelope=envelope, opener=opener, root=desk.root)
    preview_tables.show_preview(found, as_json=as_json)
    raise SystemExit(COMPLETE if found.complete and complete(found.content) else INCOMPLETE)


@access.command("delay", help="help.access_delay")
@click.argument("case_reference", metavar="CASE")
@option("--until", "until_date", say="help.delay_until", required=True)
@option("--ground", say="help.delay_ground", required=True)
@option("--profile", say="help.profile", type=_PATH, envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def delay(*, case_reference: str, until_date: str, ground: str, profile: Path | None, as_json: bool) -> None:
    """Order a delay, and say at which members it holds."""
    _check_terms(until_date, ground)
    desk = at_counter(profile, second=True)
    order = DelayOrder(
        delay_id=secrets.token_bytes(16),
        agency=desk.profile.agency,
        officer=desk.profile.officer,
        approving_officer=desk.profile.approving_officer,
        order_time=session().now(),
        case_reference=case_reference,
        until_date=until_date,
        ground=ground,
    )
    request = access_pb2.OrderDelayRequest(order=message(order, desk))
    with _in_time():
        response = send(desk, f"/{SERVICE}/OrderDelay", request, access_pb2.OrderDelayResponse())
    members = [value_of(AccessOutcome, each) for each in response.members]
    access_tables.show_delay(members, as_json=as_json)
    raise SystemExit(COMPLETE if all(each.state is AccessState.ANSWERED for each in members) else INCOMPLETE)


def _read(reading: AccessReading, signer: Signer, opener: seal.Opener, desk: Access) -> Found:
    envelope = sign(PAYLOAD_TYPES[AccessReading], encode(reading), signer)
    request = access_pb2.ReadAccessRequest(reading=carriers.envelope_to_message(envelope))
    payload = _handed_in(desk, "ReadAccess", request.SerializeToString())
    with _genuine():
        return verify_access(payload, reading=reading, digest=envelope.digest(), opener=opener, root=desk.root)


def _handed_in(desk: Access, method: str, request: bytes) -> bytes:
    """Hand in what the subject's key signed; it is that key which a desk does not know, and none of the profile's.

    Raises:
        Ended: when the desk refuses or cannot be reached.
    """
    try:
        return desk_client.call(desk, f"/{SERVICE}/{method}", request)
    except desk_client.DeskRefused as refused:
        if refused.reason not in _OTHER_KEY:
            raise
        raise Ended("access.other_key", REFUSED, reason=refused.reason.value) from refused


@contextmanager
def _genuine() -> Iterator[None]:
    """Show nothing of what does not verify.

    Raises:
        Ended: naming the check that failed.
    """
    try:
        yield
    except (NotGenuine, Unreadable) as error:
        raise Ended("access.not_genuine", NOT_GENUINE, why=str(error)) from error


def _check_terms(until_date: str, ground: str) -> None:
    """Check a delay's end and ground before anything is signed.

    Raises:
        Ended: naming the option at fault.
    """
    try:
        ahead = date.fromisoformat(until_date) > civil_day(session().now())
    except ValueError:
        ahead = False
    if not ahead:
        raise Ended("access.bad_until", days=Limits().access_delay_days)
    if not 0 < len(ground) <= GROUND:
        raise Ended("access.bad_ground", length=GROUND)


@contextmanager
def _in_time() -> Iterator[None]:
    """Say what has most likely expired: not the order, which was signed just now.

    Raises:
        Ended: naming the limit, which the desk's directory alone tells.
    """
    try:
        yield
    except desk_client.DeskRefused as refused:
        if refused.reason is not RefusalReason.EXPIRED:
            raise
        raise Ended("access.delay_too_long", REFUSED, days=Limits().access_delay_days) from refused


def _months(begin: str, end: str) -> tuple[Month, Month]:
    """Give the first and the last month, in China: a year back, unless told."""
    today = civil_day(session().now())
    try:
        last = Month.read(end) if end else Month(today.year, today.month)
        first = Month.read(begin) if begin else _back(last, _YEAR)
    except ValueError as error:
        raise Ended("access.bad_month", months=MONTHS) from error
    if not first <= last or _back(last, MONTHS - 1) > first:
        raise Ended("access.bad_month", months=MONTHS)
    return first, last


def _back(month: Month, months: int) -> Month:
    year, number = divmod(month.year * 12 + month.number - 1 - months, 12)
    return Month(year, number + 1)
