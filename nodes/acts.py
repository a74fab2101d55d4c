"""Statements of administrative acts: an officer signs who did what in which role, and the node checks it (duty U32)."""

from __future__ import annotations

import json
from datetime import datetime

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import GatewayError
from keys import moments
from keys.directory import Directory
from keys.envelope import from_json, open_envelope, sign, to_json
from keys.errors import KeysError, KeyUnknown
from keys.suite import PublicKey, Signer
from nodes.store.acts import Act
from nodes.store.doers import Doer, Done
from nodes.store.outbox import nameless

TYPE = "application/vnd.yrdx.act.v1+json"


class RoleMissing(GatewayError):
    """An officer does not have the role that an act wants; the text names both."""


def doer(officer: str, agency: str, signer: Signer) -> Doer:
    """Give an officer who signs what is done with this key."""
    return Doer(officer=officer, agency=agency, sign=lambda done: to_json(sign(TYPE, _said(done), signer)))


def check_role(charter: Charter, who: Doer, role: str, now: datetime) -> None:
    """Check before anything is done that a named officer is this member's and has the role today.

    Raises:
        RoleMissing: otherwise.
    """
    if who.officer and not _may(charter, who.officer, who.agency, role, now):
        raise RoleMissing(f"the officer {who.officer} has not the role {role} at this member today; have another act")


def judge(charter: Charter, done: Done) -> Act:
    """Give an act as it is to be entered: the officer is named whose own key signed it and who had the role then."""
    act = done.act
    if not act.officer:
        return act
    try:
        envelope = from_json(done.evidence)
        opened = open_envelope(envelope, payload_type=TYPE, find=lambda key_id: _key(charter.directory, key_id))
    except KeysError:
        return nameless(done)
    signed = [each.rpartition("/")[0] for each in opened.key_ids] == [act.officer] and opened.payload == _said(done)
    return act if signed and _may(charter, act.officer, act.agency, act.role, done.time) else nameless(done)


def _may(charter: Charter, officer_id: str, agency_id: str, role: str, at: datetime) -> bool:
    officer, agency = charter.directory.officer(officer_id), charter.directory.agency(agency_id)
    if officer is None or agency is None or (officer.agency, agency.member) != (agency_id, charter.me):
        return False
    return agency.active(civil_day(at)) and officer.holds(role, civil_day(at))


def _said(done: Done) -> bytes:
    act = done.act
    said = {
        "act": act.name,
        "role": act.role,
        "officer": act.officer,
        "agency": act.agency,
        "digest": act.digest.hex(),
        "time": moments.write(done.time),
    }
    return json.dumps(said, ensure_ascii=False).encode()


def _key(directory: Directory, key_id: str) -> PublicKey:
    officer = directory.officer(key_id.rpartition("/")[0])
    if officer is None or officer.key().id != key_id:
        raise KeyUnknown("no officer of the directory has this key")
    return officer.key()
