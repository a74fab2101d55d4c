"""Whole answer files made by the pure steps of the exchange: a directory, signers, facts, and no network.

`make` gives the message of a complete file; a test tampers with it and `sealed` signs a part again where the
forger holds the key.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256, shake_256
from itertools import count
from pathlib import Path
from typing import Any

import worlds
from hands import archive_of, root_of
from receipts import LOGGERS, receipt
from worlds_tables import (
    AGREEMENT,
    JIANGSU,
    MATTER,
    MEMBERS,
    PURPOSE,
    SHANGHAI,
    USCC,
    sections,
)

from gateway import carriers, wire
from gateway.charter import Charter, charter, divisions
from gateway.clocks import civil_day
from gateway.combination import combine
from gateway.exchange.accept import accept, accept_refusal
from gateway.exchange.admit import authenticate, authorise
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.conclude import conclude, recognise_all
from gateway.exchange.permit import permit
from gateway.exchange.release import Home, refuse, release, setting, size_class
from gateway.federation import request_bytes
from gateway.kinds import KINDS
from gateway.kinds.row import Combining
from gateway.model.answer import Coverage
from gateway.model.codes import CoverageState, OutcomeState, RefusalReason
from gateway.model.combined import Attempt, Intent, MemberOutcome
from gateway.model.question import Authorisation, Body
from gateway.model.signed import Accepted, Signed
from gateway.ports import Facts
from keys import boxes, custody, suite
from keys.directory import open_bundle
from keys.envelope import Envelope, sign, to_json
from keys.tls import make_ca
from nodes.federation.signing import Lives
from yrdx.exchange.v1 import desk_pb2, envelope_pb2

NOW = worlds.NOON
AGENCY, OFFICER, SECOND = "310000-market", "310000-market/o1", "310000-market/o2"
ROOT = root_of(MEMBERS)
SIGNERS = {member: suite.signer(bytes([10 + n]) * 32, owner=member) for n, member in enumerate(MEMBERS)}
OFFICERS = {name: suite.signer(bytes([50 + n]) * 32, owner=name) for n, name in enumerate((OFFICER, SECOND))}
MEMBER_NAMES = {
    "310000": {"zh": "上海市", "en": "Shanghai"},
    "320000": {"zh": "江苏省", "en": "Jiangsu"},
    "330000": {"zh": "浙江省", "en": "Zhejiang"},
    "340000": {"zh": "安徽省", "en": "Anhui"},
}
_numbers = count(1)

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
Edit = Callable[[dict[str, Any]], None]


def entropy(size: int) -> bytes:
    """Give bytes that never come twice."""
    return shake_256(b"bundles %d" % next(_numbers)).digest(size)


def document(edit: Edit | None = None) -> dict[str, Any]:
    """Write the directory as one document: four members, one agency with two officers, and the tables of `worlds`."""
    found = {
        "version": 7,
        "minimum_version": 1,
        "issued_time": "2026-03-01T00:00:00Z",
        "expire_time": "2026-06-01T00:00:00Z",
        "suites": ["YRDX-INT-1"],
        "members": [_member(member) for member in MEMBERS],
        **sections(),
    }
    if edit is not None:
        edit(found)
    return found


def _member(member: str) -> dict[str, Any]:
    ours = member == SHANGHAI
    return {
        "id": member,
        "name": MEMBER_NAMES[member],
        "parent": None,
        "divisions": [member[:2]],
        "suspended": False,
        "endpoint": None,
        "ca_certificates": [],
        "issuing_certificates": [],
        "keys": [key_row(SIGNERS[member]), key_row(LOGGERS[member], use="ledger")],
        "agencies": [_agency()] if ours else [],
        "officers": [_officer(each) for each in OFFICERS] if ours else [],
    }


def key_row(signer: suite.Signer, **others: object) -> dict[str, Any]:
    """Give a key as the document lists it, valid for 2026."""
    return {
        "id": signer.id,
        "suite": signer.suite,
        "use": "sign",
        "public": base64.b64encode(signer.public).decode(),
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2027-01-01T00:00:00Z",
        "revoked_time": None,
        "suspect_from": None,
        **others,
    }


def _agency() -> dict[str, Any]:
    return {
        "id": AGENCY,
        "name": {"zh": "上海市市场监管局", "en": "Shanghai market regulator"},
        "division": SHANGHAI,
        "purposes": [PURPOSE],
        "active_from": "2024-01-01",
        "active_until": None,
        "suspended": False,
    }


def _officer(officer: str) -> dict[str, Any]:
    roles = [{"role": role, "from": "2025-01-01", "until": None} for role in ("ask", "approve")]
    public = base64.b64encode(OFFICERS[officer].public).decode()
    return {"id": officer, "agency": AGENCY, "public": public, "roles": roles}


def stopped(what: str, identity: str) -> Callable[[dict[str, Any]], None]:
    """Have the quorum quarantine one thing."""
    row = {"what": what, "id": identity, "ground": "a case of the tests"}
    return lambda document: document.setdefault("quarantine", []).append(row)


def signed_directory(edit: Edit | None = None, *, salt: str = "", lives: Lives | None = None) -> bytes:
    """Sign the directory as the archive of a bundle; another salt makes another federation's."""
    return archive_of(document(edit), tops=MEMBERS, salt=salt, lives=lives)


@lru_cache(maxsize=64)
def charter_of(member: str, directory: bytes) -> Charter:
    """Read a directory for a member, once: thousands of tests begin with it."""
    return charter(member, open_bundle(directory, root=ROOT), KINDS)


def register(**changes: object) -> dict[str, Any]:
    """A register entry in force at Shanghai."""
    return {
        "lifecycle": "ACTIVE",
        "division": "310115",
        "valid_from": "2010-01-01",
        "valid_until": None,
        "predecessor": None,
        "successor": None,
        "branch_of": None,
        "name_digest": None,
        "digest": worlds.digest(),
        **changes,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a file is about; every default is harmless."""

    body: Body
    members: tuple[str, ...] = MEMBERS
    facts: Mapping[str, Mapping[str, Rows]] | None = None
    silent: tuple[str, ...] = ()
    refusing: Mapping[str, RefusalReason] | None = None
    partial: tuple[str, ...] = ()
    edit: Edit | None = None
    now: datetime = NOW
    intent: Intent | None = None
    lives: Lives | None = None


def plot(kind: str, *, body: Body | None = None, **changes: object) -> Plot:
    """Plot a question of a kind about one enterprise of Shanghai; Jiangsu has a fact of each sort about it."""
    body = body or worlds.question(kind)
    facts = {
        SHANGHAI: {USCC: {"register": [register()], "rating": [worlds.rating()]}},
        JIANGSU: {USCC: {"penalty": [worlds.penalty()], "measure": measures()}},
    }
    wanted: dict[str, Any] = {"body": body, "facts": facts, **changes}
    return Plot(**wanted)


def measures() -> list[dict[str, Any]]:
    """One measure that Shanghai may apply, and one that holds in Jiangsu only."""
    return [worlds.measure(), worlds.measure(measure_code="MP09", territory="320000")]


def intent_of(plot: Plot) -> Intent:
    """Write the officer's intent."""
    return plot.intent or Intent(
        intent_id=bytes(16),
        agency=AGENCY,
        officer=OFFICER,
        intend_time=plot.now,
        purpose=PURPOSE,
        application_item=MATTER,
        case_reference="C-1",
        agreement_id=AGREEMENT,
        members=plot.members,
        body=plot.body,
    )


def make(plot: Plot) -> desk_pb2.AskMembersResponse:
    """Run every step of the exchange and give the file's message."""
    directory = signed_directory(plot.edit, lives=plot.lives)
    asker, intent = charter_of(SHANGHAI, directory), intent_of(plot)
    digest = sign(wire.PAYLOAD_TYPES[Intent], wire.encode(intent), OFFICERS[OFFICER]).digest()
    inquiry = Inquiry(
        intent=intent, intent_digest=digest, agreement_id=intent.agreement_id or AGREEMENT, case_subject_count=0
    )
    message = desk_pb2.AskMembersResponse(bundle=directory)
    outcomes: list[MemberOutcome] = []
    accepted: dict[str, Accepted] = {}
    for number, member in enumerate(plot.members, 1):
        outcome, found = _exchange(message, inquiry, plot, member, number, asker)
        outcomes.append(outcome)
        if found is not None:
            accepted[member] = found
    _conclude(message, inquiry, plot, asker, tuple(outcomes), accepted)
    return message


def _exchange(
    message: desk_pb2.AskMembersResponse,
    inquiry: Inquiry,
    plot: Plot,
    member: str,
    number: int,
    asker: Charter,
) -> tuple[MemberOutcome, Accepted | None]:
    signed = compose(
        inquiry, member, number, question_id=entropy(16), charter=asker, signer=SIGNERS[SHANGHAI], now=plot.now
    )
    exchange = message.exchanges.add(member=member, question=carriers.envelope_to_message(signed.envelope))
    ended = OutcomeState.ANSWERED
    fields: dict[str, Any] = {}
    found = None
    if member in plot.silent:
        ended, named = OutcomeState.UNAVAILABLE, "UNAVAILABLE"
    elif member in (plot.refusing or {}):
        ended, named = OutcomeState.REFUSED, "REFUSED"
        envelope = refuse(
            signed.digest, (plot.refusing or {})[member], number, me=member, signer=SIGNERS[member], now=plot.now
        )
        fields["reason"] = accept_refusal(wire.encode(envelope), signed, asker, plot.now).reason
        exchange.refusal.CopyFrom(carriers.envelope_to_message(envelope))
    else:
        named = "ANSWERED"
        payload = _answer(signed, plot, member, message.bundle)
        granted = permit(signed.question, charter=asker, now=plot.now).grant
        found = accept(payload, signed, granted, asker, plot.now)
        fields |= {"answer_digest": found.digest, "bundle_stage": found.answer.bundle_stage}
        exchange.answer.MergeFromString(payload)
        exchange.answer.ClearField("padding")
    attempts = (Attempt(send_time=plot.now, outcome=named),)
    outcome = MemberOutcome(member=member, state=ended, attempts=attempts, pair_sequence=number, **fields)
    return outcome, found


def _answer(signed: Signed, plot: Plot, member: str, directory: bytes) -> bytes:
    me = charter_of(member, directory)
    genuine = authenticate(request_bytes(signed), peer=SHANGHAI, charter=me, now=plot.now)
    admitted = authorise(genuine, charter=me, now=plot.now)
    state = CoverageState.PARTIAL if member in plot.partial else CoverageState.COMPLETE
    kind = admitted.permit.kind
    names = {*kind.needs(admitted.permit.grant, me.catalogue), *({"REGISTER"} if kind.name != "probe" else ())}
    home = Home(entropy=entropy, name_digest=lambda code, name: sha256(f"{code}{name}".encode()).digest())
    scene = setting(admitted.permit, (), me, home).scene
    released = release(
        admitted,
        Facts(version=1, rows=(plot.facts or {}).get(member, {})),
        replace(scene, coverage={name: _coverage(name, state) for name in names}),
        charter=me,
        home=home,
        signer=SIGNERS[member],
        now=plot.now,
    )
    proof = receipt(signed.question.header, signed.digest, released.digest)
    return carriers.complete_response(released.payload, proof, size_class)


def _coverage(name: str, state: CoverageState) -> Coverage:
    return Coverage(domain=name, state=state, data_through_date="2026-03-09", history_from_date="2015-01-01")


def _conclude(
    message: desk_pb2.AskMembersResponse,
    inquiry: Inquiry,
    plot: Plot,
    asker: Charter,
    outcomes: tuple[MemberOutcome, ...],
    accepted: Mapping[str, Accepted],
) -> None:
    kind = next(each for each in KINDS.values() if each.question is type(plot.body))
    combining = Combining(
        asker=SHANGHAI,
        application_item=MATTER,
        today=civil_day(plot.now),
        catalogue=asker.catalogue,
        asked=plot.members,
        accepted=accepted,
        divisions=divisions(asker),
    )
    subjects = combine(kind, plot.body, combining, {each.member: each.state for each in outcomes})
    signer = SIGNERS[SHANGHAI]
    result = conclude(inquiry, kind.name, outcomes, subjects, charter=asker, signer=signer, now=plot.now)
    issued = recognise_all(
        inquiry,
        subjects,
        accepted,
        charter=asker,
        signer=signer,
        now=plot.now,
        entropy=entropy,
        previous=lambda _: b"",
    )
    message.result.CopyFrom(carriers.envelope_to_message(result))
    message.recognitions.extend(carriers.envelope_to_message(each.envelope) for each in issued)


def resigned(
    message: envelope_pb2.Envelope, kind: type[Any], signer: suite.Signer, **changes: object
) -> envelope_pb2.Envelope:
    """Change fields of a signed value and sign it again, as a forger with a key would."""
    value = wire.decode(kind, message.payload)
    envelope: Envelope = sign(wire.PAYLOAD_TYPES[kind], wire.encode(replace(value, **changes)), signer)
    return carriers.envelope_to_message(envelope)


def later(**spans: float) -> datetime:
    """Give a time after NOW."""
    return NOW + timedelta(**spans)


def officers_folder(folder: Path, work: boxes.Work) -> Path:
    """Make what an officer has: keys of both, the agency's leaf, the desk's CA, the root, and a profile."""
    secret = b"a passphrase of the tests"
    now = datetime.now(UTC)
    ca = make_ca(SHANGHAI, now=now)
    leaf = ca.issue_intermediate(SHANGHAI, now).issue_leaf(member=SHANGHAI, role="agency", name=AGENCY, now=now)
    for name, seed in (("o1", 50), ("o2", 51)):
        custody.save_seed(
            folder / f"{name}.key", bytes([seed]) * 32, secret, owner=f"{AGENCY}/{name}", suite=suite.INT_1, work=work
        )
    custody.save_leaf(folder / "leaf.pem", leaf, secret)
    custody.save_issuer(folder / "ca.key", ca, secret)
    (folder / "passphrase").write_bytes(secret)
    (folder / "passphrase").chmod(0o600)
    (folder / "ca.crt").write_bytes(ca.certificate_pem)
    (folder / "root.json").write_bytes(ROOT)
    (folder / "profile.toml").write_text(profile_text(), encoding="utf-8")
    return folder


def profile_text(**changes: str) -> str:
    """Write a profile."""
    lines = {
        "desk": "127.0.0.1:1",
        "member": SHANGHAI,
        "agency": AGENCY,
        "officer": OFFICER,
        "officer_key": "o1.key",
        "passphrase_file": "passphrase",
        "leaf": "leaf.pem",
        "desk_ca": "ca.crt",
        "root": "root.json",
        "approving_officer": SECOND,
        "approving_officer_key": "o2.key",
        **changes,
    }
    return "".join(f'{key} = "{value}"\n' for key, value in lines.items())


def authorisation(path: Path) -> Envelope:
    """Write a signed envelope that passes for an authorisation's file."""
    envelope = sign(wire.PAYLOAD_TYPES[Authorisation], b"consent", SIGNERS[SHANGHAI])
    path.write_bytes(to_json(envelope))
    return envelope
