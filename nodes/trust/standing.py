"""How far a draft is signed: each role's seats and each agreement's parties, counted by keys that verify."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from gateway.clocks import civil_day
from keys import suite
from keys.bundle import layout, rolekeys
from keys.bundle.agreements import AGREEMENT_TYPE
from keys.bundle.metadata import Seat
from keys.bundle.sheets import Sheet, read_sheet, signed_by
from keys.envelope import Envelope, Signature, from_json, pae
from keys.errors import SignatureInvalid
from keys.suite import PublicKey
from nodes.trust.draft import AGREEMENTS, STAGES, After, Draft
from nodes.trust.published import Published
from nodes.trust.requests import OFFICERS

EXPIRING: Mapping[str, timedelta] = {
    layout.ROOT: timedelta(days=30),
    layout.SNAPSHOT: timedelta(days=2),
    layout.TIMESTAMP: timedelta(hours=8),
}
"""How long before its end a role is called expiring; the others ten days before."""

_OTHERS = timedelta(days=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Who of those who may sign did; `of` is the party of an agreement, or "old" for a root's last holders."""

    name: str
    of: str
    wanted: int
    may: tuple[str, ...]
    signed: tuple[str, ...]

    @property
    def missing(self) -> int:
        """Give how many signatures are missing."""
        return max(0, self.wanted - len(self.signed))


def counts(draft: Draft, base: Published | None) -> tuple[Count, ...]:
    """Count the signatures of the officers' part of a draft."""
    after = After(draft=draft, base=base)
    sheets = after.sheets()
    return (*_roles(draft, base, sheets), *_agreements(after, sheets))


def seats(sheets: Mapping[str, Sheet]) -> dict[str, Seat]:
    """Give who may sign each role, the publishers' included."""
    return {role: seat for sheet in sheets.values() for role, seat in sheet.seats.items()}


def _roles(draft: Draft, base: Published | None, sheets: Mapping[str, Sheet]) -> Iterator[Count]:
    seated = seats(sheets)
    for role in draft.roles:
        sheet, given = sheets[role], draft.signed(role)
        yield _count(role, "", seated[role], signed_by(sheet, seated[role], given))
        if role == layout.ROOT and base is not None:
            old = base.sheet(layout.ROOT).seats[layout.ROOT]
            yield _count(role, "old", old, signed_by(sheet, old, given))


def _count(name: str, of: str, seat: Seat, signed: tuple[str, ...]) -> Count:
    return Count(name=name, of=of, wanted=seat.threshold, may=tuple(key.id for key in seat.keys), signed=signed)


def _agreements(after: After, sheets: Mapping[str, Sheet]) -> Iterator[Count]:
    """Count officers by party: two of one party are one party's (duty U9)."""
    seated = seats(sheets)
    for name, envelope in signed_agreements(after, after.draft.agreements).items():
        for party in parties(envelope):
            seat = seated.get(layout.member_role(party))
            signed = tuple(each.key_id for each in envelope.signatures if _good(envelope, each, seat))
            may = tuple(key.id for key in seat.keys) if seat else ()
            yield Count(name=f"{AGREEMENTS}{name}", of=party, wanted=OFFICERS, may=may, signed=signed)


def parties(envelope: Envelope) -> tuple[str, ...]:
    """Name the parties of an agreement."""
    return tuple(read_row(envelope)["parties"])


def read_row(envelope: Envelope) -> Mapping[str, Any]:
    """Read an agreement's row, signed or not."""
    row: Mapping[str, Any] = json.loads(envelope.payload)
    return row


def signed_agreements(after: After, names: Iterable[str]) -> dict[str, Envelope]:
    """Give agreements' envelopes by id, with the signatures that the draft's officers gave."""
    held = after.agreements()
    officers = {key.id: key for sheet in after.sheets().values() for seat in sheet.seats.values() for key in seat.keys}
    return {name: _signed(name, from_json(held[name]), after.draft, officers) for name in names}


def _signed(name: str, envelope: Envelope, draft: Draft, officers: Mapping[str, PublicKey]) -> Envelope:
    given = draft.signed(f"{AGREEMENTS}{name}") if name in draft.agreements else {}
    more = (Signature(key_id=key_id, signature=each) for key_id, each in sorted(given.items()))
    known = {each.key_id for each in envelope.signatures}
    new = tuple(each for each in more if each.key_id not in known and _by(envelope, each, officers.get(each.key_id)))
    return Envelope(
        payload_type=envelope.payload_type, payload=envelope.payload, signatures=(*envelope.signatures, *new)
    )


def _good(envelope: Envelope, signature: Signature, seat: Seat | None) -> bool:
    keys = {key.id: key for key in seat.keys} if seat else {}
    return _by(envelope, signature, keys.get(signature.key_id))


def _by(envelope: Envelope, signature: Signature, key: PublicKey | None) -> bool:
    if key is None:
        return False
    try:
        suite.verify(key, pae(AGREEMENT_TYPE, envelope.payload), signature.signature)
    except SignatureInvalid:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A published role and when it ends."""

    role: str
    version: int
    expire_time: datetime
    threshold: int
    signed_by: tuple[str, ...]
    expiring: bool


def endings(base: Published, now: datetime) -> tuple[Ending, ...]:
    """Tell of each published role when it ends, and whether that is soon."""
    return tuple(
        Ending(
            role=each.name,
            version=each.version,
            expire_time=each.expire_time,
            threshold=each.threshold,
            signed_by=each.signed_by,
            expiring=each.expire_time <= now + EXPIRING.get(each.name, _OTHERS),
        )
        for each in base.opened.roles
    )


def _duty(document: Mapping[str, Any], on: date) -> str:
    """Name who is on duty by what is published, whose rota may be senseless: nobody then."""
    try:
        return on_duty(document, on)
    except (KeyError, ValueError, TypeError, ArithmeticError):
        return ""


def on_duty(document: Mapping[str, Any], on: date) -> str:
    """Name the member whose publisher is on duty on a day; "" where the federation has no rota."""
    rota = document.get("rota")
    if not rota:
        return ""
    turn = (on - date.fromisoformat(rota["from"])).days // int(rota["days"])
    return str(rota["order"][turn % len(rota["order"])])


def may_sign(found: Iterable[Count], key_id: str) -> tuple[str, ...]:
    """Name what of a draft, as it was counted, a key may sign and has not signed yet."""
    return tuple(dict.fromkeys(each.name for each in found if key_id in each.may and key_id not in each.signed))


def member_of(key_id: str) -> str:
    """Name the member whose role key this is."""
    return rolekeys.name_of(key_id).member


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a bundle and its draft stand: what ends when, who has signed, who has to, and who is on duty.

    `unread` names files among the draft's signatures that were passed over.
    """

    version: int
    on_duty: str
    published: tuple[Ending, ...]
    draft: str
    counts: tuple[Count, ...]
    publishing: tuple[Count, ...]
    unread: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Say whether nothing is missing and nothing ends soon."""
        waiting = [each for each in (*self.counts, *self.publishing) if each.missing]
        return bool(self.version or self.draft) and not waiting and not any(each.expiring for each in self.published)


def standing(base: Published | None, draft: Draft | None, *, now: datetime) -> Standing:
    """Say where a published bundle stands, and a draft where there is one."""
    document = base.opened.document if base else {}
    return Standing(
        version=base.version if base else 0,
        on_duty=_duty(document, civil_day(now)),
        published=endings(base, now) if base else (),
        draft=draft.digest if draft else "",
        counts=counts(draft, base) if draft else (),
        publishing=tuple(_publishing(draft, base)) if draft else (),
        unread=draft.unread if draft else (),
    )


def _publishing(draft: Draft, base: Published | None) -> Iterator[Count]:
    """Count publishers; what none of them has made yet lacks all."""
    seated = seats(After(draft=draft, base=base).sheets())
    for role in STAGES if draft.stage else (layout.TIMESTAMP,):
        content = draft.stage.get(role)
        if content is not None or role == layout.TIMESTAMP:
            signed = signed_by(read_sheet(content, role), seated[role], draft.signed(role)) if content else ()
            yield _count(role, "", seated[role], signed)
