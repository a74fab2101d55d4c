"""A home member's counter in memory over a real store: subjects, their keys, and what they or two officers sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bundles import AGENCY, NOW, OFFICER, OFFICERS, SECOND, SIGNERS, charter_of, register, signed_directory
from fakes import FakeSource
from receipts import LOGGERS
from worlds_tables import JIANGSU, MEMBERS, PURPOSE, SHANGHAI, USCC

from gateway import wire
from gateway.authorising import Authorising, Registry
from gateway.charter import Charter
from gateway.event import Event
from gateway.exchange.handing import OWNER, Seals
from gateway.exchange.preview import SELF_QUERY
from gateway.exchange.vouching import write_request
from gateway.model.codes import KeyRole, SignatureClass
from gateway.model.consent import (
    AskedQuestion,
    Attestation,
    Consent,
    ConsentReading,
    HeldConsent,
    KeyRequest,
    KeyRevocation,
    StatusRequest,
    Withdrawal,
)
from gateway.uscc import sample_code
from keys import suite
from keys.envelope import Envelope, sign
from nodes.store import Scribe, Store

BANK = "320000-bank"
"""An agency of Jiangsu that asks for the purpose that wants an authorisation."""

STRANGER = sample_code("91", "310115", 77)
"""A subject that nobody registers."""

KEY = suite.signer(bytes([120]) * 32, owner=OWNER)
OTHER_KEY = suite.signer(bytes([121]) * 32, owner=OWNER)
VIEWER = suite.signer(bytes([122]) * 32, owner=OWNER)
IDENTITY = bytes(range(16))
ROLES = (KeyRole.VIEW, KeyRole.CONSENT)


def widen(found: dict[str, Any]) -> None:
    """Let the purpose want an authorisation, add two that want none, and an agency of Jiangsu."""
    wanted = next(each for each in found["purposes"] if each["code"] == PURPOSE)
    found["purposes"] += [{**wanted, "code": "FREE"}, {**wanted, "code": SELF_QUERY}]
    wanted |= {"authorisation": "SUBJECT", "authorisation_age_minutes": 60}
    jiangsu = next(each for each in found["members"] if each["id"] == JIANGSU)
    shanghai = next(each for each in found["members"] if each["id"] == SHANGHAI)
    shanghai["agencies"][0]["purposes"].append("FREE")
    jiangsu["agencies"] = [{**shanghai["agencies"][0], "id": BANK, "division": JIANGSU, "purposes": [PURPOSE]}]


DIRECTORY = signed_directory(widen)


def charter(member: str = SHANGHAI, *, limits: Mapping[str, int] | None = None) -> Charter:
    """Read the widened directory for a member."""
    if limits is None:
        return charter_of(member, DIRECTORY)

    def limit(found: dict[str, Any]) -> None:
        widen(found)
        found["limits"] = {**found["limits"], **limits}

    return charter_of(member, signed_directory(limit))


@dataclass(kw_only=True)
class Counter:
    """The counter of a home member; `now` is the test's."""

    folder: Path
    charter: Charter = field(default_factory=charter)
    now: datetime = NOW
    seals: Seals | None = None
    rows: dict[str, Any] = field(default_factory=lambda: {USCC: {"register": [register()]}})
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the store."""
        self.source = FakeSource(rows=self.rows)
        member = self.charter.me
        self.store = Store.open(
            self.folder / "node.db", bytes(32), Scribe(member=member, signer=lambda: LOGGERS[member])
        )
        self.authorising = self.worker()

    def worker(self) -> Authorising:
        """Give a service on this counter's store, as each of several workers has one."""
        return Authorising(
            Registry(
                charter=lambda: self.charter,
                signer=lambda: SIGNERS[self.charter.me],
                clock=lambda: self.now,
                source=self.source,
                book=self.store.consents,
                observe=self.events.append,
                seals=self.seals,
            )
        )

    async def enrolled(self, key: suite.Signer = KEY, **changes: Any) -> None:
        """Enrol a key."""
        await self.authorising.enrol(attested(key_request(key, **changes)), AGENCY)

    async def given(self, **changes: Any) -> HeldConsent:
        """Keep an authorisation given by the key of the subject."""
        return await self.authorising.give(by_key(consent(**changes)), AGENCY)


def signed(value: Any, *signers: suite.Signer) -> Envelope:
    """Sign any value of the model."""
    return sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), *signers)


def by_key(value: Any, key: suite.Signer = KEY) -> Envelope:
    """Sign with a subject's key."""
    return signed(value, key)


def key_request(key: suite.Signer = KEY, *, signer: suite.Signer | None = None, **changes: Any) -> Envelope:
    """Write a request for a key, signed by it."""
    return signed(asked_key(key, **changes), signer or key)


def asked_key(key: suite.Signer = KEY, **changes: Any) -> KeyRequest:
    """Write a request for a key."""
    wanted: dict[str, Any] = {
        "uscc": USCC,
        "home_member": SHANGHAI,
        "suite": key.suite,
        "public": key.public,
        "roles": ROLES,
        "valid_from_time": NOW - timedelta(minutes=1),
        "valid_until_time": NOW + timedelta(days=300),
        "request_time": NOW,
    }
    return KeyRequest(**{**wanted, **changes})


def attested(body: Any, *signers: suite.Signer, **changes: Any) -> Envelope:
    """Have two officers attest."""
    wanted: dict[str, Any] = {
        "agency": AGENCY,
        "officer": OFFICER,
        "approving_officer": SECOND,
        "attest_time": NOW,
        "scan_digest": bytes(32),
        "body": body,
    }
    return signed(Attestation(**{**wanted, **changes}), *(signers or OFFICERS.values()))


def consent(**changes: Any) -> Consent:
    """Write an authorisation of Shanghai's firm to the agency."""
    wanted: dict[str, Any] = {
        "authorisation_id": IDENTITY,
        "uscc": USCC,
        "home_member": SHANGHAI,
        "agency": AGENCY,
        "purposes": (PURPOSE,),
        "kinds": ("summary",),
        "members": tuple(MEMBERS),
        "valid_from_time": NOW - timedelta(hours=1),
        "valid_until_time": NOW + timedelta(days=30),
        "text_version": "sample-2026",
        "signature_class": SignatureClass.SUBJECT_KEY,
        "give_time": NOW,
    }
    return Consent(**{**wanted, **changes})


def on_paper(**changes: Any) -> Consent:
    """Write an authorisation that was signed on paper."""
    return consent(signature_class=SignatureClass.ATTESTED_SCAN, **changes)


def withdrawal(**changes: Any) -> Withdrawal:
    """Write the withdrawal of that authorisation."""
    wanted: dict[str, Any] = {
        "authorisation_id": IDENTITY,
        "uscc": USCC,
        "home_member": SHANGHAI,
        "signature_class": SignatureClass.SUBJECT_KEY,
        "withdraw_time": NOW,
    }
    return Withdrawal(**{**wanted, **changes})


def revocation(key: suite.Signer = KEY, **changes: Any) -> KeyRevocation:
    """Write the end of a key."""
    wanted: dict[str, Any] = {"uscc": USCC, "home_member": SHANGHAI, "key_id": key.id, "revoke_time": NOW}
    return KeyRevocation(**{**wanted, **changes})


def reading(**changes: Any) -> ConsentReading:
    """Write a reading by the subject's own key."""
    return ConsentReading(**{"uscc": USCC, "home_member": SHANGHAI, "read_time": NOW, **changes})


def status_request(**changes: Any) -> StatusRequest:
    """Write Jiangsu's request to Shanghai for its bank, for one question to each of two members."""
    wanted: dict[str, Any] = {
        "use_id": b"u" * 16,
        "asker_member": JIANGSU,
        "home_member": SHANGHAI,
        "ask_time": NOW,
        "agency": BANK,
        "purpose": PURPOSE,
        "kind": "summary",
        "subjects": (USCC,),
        "questions": (
            AskedQuestion(answerer_member=SHANGHAI, question_id=b"1" * 16),
            AskedQuestion(answerer_member=JIANGSU, question_id=b"2" * 16),
        ),
    }
    return StatusRequest(**{**wanted, **changes})


def requested(*, by: str = JIANGSU, **changes: Any) -> Envelope:
    """Sign a request as a member."""
    return write_request(status_request(**changes), SIGNERS[by])


def torn(envelope: Envelope) -> Envelope:
    """Change a signed payload after signing."""
    return replace(envelope, payload=envelope.payload[:-1] + bytes([envelope.payload[-1] ^ 1]))
