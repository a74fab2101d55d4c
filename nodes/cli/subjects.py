"""What a subject signs with its own key, offline or at a desk, and what two officers attest for it on paper."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.message import Message

from gateway import carriers, uscc, wire
from gateway.clocks import CHINA
from gateway.consents import SERVICE
from gateway.model.codes import SignatureClass
from gateway.model.consent import Attestation
from keys import custody, files
from keys.envelope import Envelope, from_json, sign, to_json
from keys.errors import KeysError
from keys.suite import Signer
from nodes.cli import desk_client
from nodes.cli.profile import Access, unlock
from nodes.cli.requests import signed
from nodes.cli.session import NOT_GENUINE, Ended, option, session
from yrdx.exchange.v1 import authorisation_pb2

USE = "subject"
"""Use of the key files of subjects: no other command opens them."""

T = TypeVar("T")
_FORM_BYTES = 64 << 20
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """How a subject signs: with its key, or on paper of which two officers attest a scan; sent, or kept in a file."""

    key: Path | None
    passphrase_file: Path | None
    scan: Path | None
    out: Path | None
    profile: Path | None

    @property
    def signature_class(self) -> SignatureClass:
        """What the message says of the signature."""
        return SignatureClass.ATTESTED_SCAN if self.scan is not None else SignatureClass.SUBJECT_KEY


def hand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Declare the options of a hand, and give the command a checked `hand` of them."""

    @wraps(command)
    def with_hand(
        *,
        key: Path | None,
        passphrase_file: Path | None,
        scan: Path | None,
        out: Path | None,
        profile: Path | None,
        **others: object,
    ) -> None:
        hand = Hand(key=key, passphrase_file=passphrase_file, scan=scan, out=out, profile=profile)
        _check(hand)
        command(hand=hand, **others)

    declared: Callable[..., None] = with_hand
    for declare in (
        option("--profile", say="help.profile", type=_PATH, envvar="YRDX_PROFILE", show_envvar=True),
        option("--out", say="help.hand_out", type=_PATH),
        option("--scan", say="help.scan", type=_PATH),
        option("--passphrase-file", say="help.subject_passphrase", type=_PATH),
        option("--key", say="help.subject_key", type=_PATH),
    ):
        declared = declare(declared)
    return declared


def _check(hand: Hand) -> None:
    """Want exactly one way of signing.

    Raises:
        Ended: naming what is missing or too much.
    """
    if (hand.key is None) == (hand.scan is None) or (hand.key is None) != (hand.passphrase_file is None):
        raise Ended("authorise.one_way")
    if hand.out is not None and hand.scan is not None:
        raise Ended("authorise.scan_is_sent")


def hand_in(hand: Hand, method: str, value: Any, response: T) -> T | None:  # noqa: ANN401  what a subject signs
    """Sign and send; or where a file is named, write what the key signed and give None.

    Raises:
        Ended: when a file cannot be used, or the desk refuses or cannot be reached.
    """
    if hand.scan is not None:
        access = at_counter(hand.profile, second=True)
        return send(access, method, attested(value, hand.scan, access), response)
    envelope = sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), subject_signer(hand.key, hand.passphrase_file))
    if hand.out is not None:
        write_signed(hand.out, envelope)
        return None
    return send(at_counter(hand.profile), method, envelope, response)


def at_counter(profile: Path | None, *, second: bool = False) -> Access:
    """Open a profile for what officers attest or read of subjects, signed with their own keys in a session too.

    An attestation is evidence for as long as what it enrols or gives, and verifies without an assertion.

    Raises:
        Ended: naming the file and every field at fault.
    """
    return unlock(profile, second=second, own=True)


def attested(body: Any, scan: Path, access: Access) -> Envelope:  # noqa: ANN401  what a subject signed
    """Have both officers of the profile attest what a subject signed on paper; the scan itself stays here.

    Raises:
        Ended: when the scan cannot be read.
    """
    attestation = Attestation(
        agency=access.profile.agency,
        officer=access.profile.officer,
        approving_officer=access.profile.approving_officer,
        attest_time=session().now(),
        scan_digest=_digest(scan),
        body=body,
    )
    return signed(attestation, access)


def send(access: Access, method: str, envelope: Envelope, response: T) -> T:
    """Hand an envelope in at the desk; every request of the service holds exactly one.

    Raises:
        Ended: when the desk refuses or cannot be reached, or what it sends is no response.
    """
    message = getattr(authorisation_pb2, f"{method}Request")()
    field = message.DESCRIPTOR.fields[0].name
    getattr(message, field).CopyFrom(carriers.envelope_to_message(envelope))
    payload = desk_client.call(access, f"/{SERVICE}/{method}", message.SerializeToString())
    assert isinstance(response, Message)  # noqa: S101  for the type checker
    try:
        wire.parse_into(response, payload)
    except wire.WireMalformed as error:
        raise Ended("authorise.unreadable", NOT_GENUINE) from error
    return response


def read_message(kind: type[T], message: Any) -> T:  # noqa: ANN401  a message of the response
    """Read a part of a response.

    Raises:
        Ended: when it is none.
    """
    try:
        return wire.from_message(kind, message)
    except wire.WireMalformed as error:
        raise Ended("authorise.unreadable", NOT_GENUINE) from error


def subject_signer(key: Path | None, passphrase_file: Path | None) -> Signer:
    """Open a subject's key file.

    Raises:
        Ended: naming the file at fault.
    """
    if key is None or passphrase_file is None:
        raise Ended("authorise.one_way")
    try:
        return custody.load_signer(key, custody.read_passphrase(passphrase_file), use=USE)
    except KeysError as error:
        raise Ended("authorise.bad_key", file=key.name, why=str(error)) from error


def write_signed(path: Path, envelope: Envelope) -> None:
    """Write what a key signed to a new file, as DSSE JSON.

    Raises:
        Ended: when the file exists or cannot be written.
    """
    try:
        files.write(path, to_json(envelope))
    except KeysError as error:
        raise Ended("authorise.not_written", why=str(error)) from error


def read_signed(path: Path) -> Envelope:
    """Read what a key signed.

    Raises:
        Ended: when the file is none.
    """
    try:
        return from_json(path.read_bytes())
    except (OSError, KeysError) as error:
        raise Ended("authorise.bad_file", file=path.name) from error


def check_code(code: str) -> str:
    """Give a code that is one.

    Raises:
        Ended: with the defect.
    """
    defect = uscc.defect(code)
    if defect is not None:
        raise Ended("ask.bad_code", number=1, defect=defect.value)
    return code


def begin_of(text: str, otherwise: datetime) -> datetime:
    """Give the first instant of a civil day in China, or another one where none is named.

    Raises:
        Ended: when it is no day.
    """
    return _midnight(text, 0) if text else otherwise


def end_of(text: str) -> datetime:
    """Give the first instant after a civil day in China.

    Raises:
        Ended: when it is no day.
    """
    return _midnight(text, 1)


def _midnight(text: str, days: int) -> datetime:
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise Ended("authorise.bad_day") from error
    return datetime.combine(day, time(), CHINA).astimezone(session().now().tzinfo)


def _digest(scan: Path) -> bytes:
    try:
        if scan.stat().st_size > _FORM_BYTES:
            raise Ended("authorise.scan_too_large", file=scan.name)
        return hashlib.sha256(scan.read_bytes()).digest()
    except OSError as error:
        raise Ended("authorise.bad_scan", file=scan.name, why=error.strerror or "") from error
