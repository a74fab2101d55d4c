"""A second person's leave for a snapshot that withdraws much (duty U15): one file, one feed, so many records, one day.

It is signed by an officer of this member who approves or administers; whoever loads cannot make it.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.charter import Charter
from gateway.clocks import civil_day
from keys import jsontext, moments
from keys.directory import Directory, Officer
from keys.envelope import from_json, open_envelope, sign, to_json
from keys.errors import EnvelopeMalformed, KeysError, KeyUnknown
from keys.suite import PublicKey, Signer
from nodes.ingest import Fault, FileRefused

LEAVE_TYPE = "application/vnd.yrdx.leave.v1+json"
ROLES = ("approve", "administer")
_CLOSENESS = {Fault.LEAVE_UNREADABLE: 1, Fault.LEAVE_OTHER_FILE: 2}
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """What an officer allows: the file of this digest may withdraw at most so many records of the feed."""

    feed: str
    file_sha256: str
    withdrawals: int
    officer: str
    time: datetime


def write_leave(leave: Leave, signer: Signer) -> bytes:
    """Give the leave as DSSE JSON, signed with the officer's key."""
    said = {
        "feed": leave.feed,
        "file_sha256": leave.file_sha256,
        "withdrawals": leave.withdrawals,
        "officer": leave.officer,
        "time": moments.write(leave.time),
    }
    return to_json(sign(LEAVE_TYPE, json.dumps(said, ensure_ascii=False).encode(), signer))


def file_sha256(path: Path) -> str:
    """Give the digest by which a leave names a file.

    Raises:
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """The leaves that came with a run, at least one; callable as the guard asks."""

    paths: Sequence[Path]
    charter: Charter
    now: datetime

    def __call__(self, feed: str, digest: bytes, withdrawals: int) -> None:
        """Return when any of the leaves covers these withdrawals, whatever the others are.

        Raises:
            FileRefused: when none does, for what is wrong with the one that comes closest.
        """
        refused = []
        for path in self.paths:
            try:
                self._check(_opened(path, self.charter.directory), feed, digest.hex(), withdrawals)
            except FileRefused as error:
                refused.append(error)
            else:
                return
        raise min(refused, key=lambda each: _CLOSENESS.get(each.fault, 0))

    def _check(self, leave: Leave, feed: str, digest: str, withdrawals: int) -> None:
        if (leave.feed, leave.file_sha256) != (feed, digest):
            raise FileRefused(Fault.LEAVE_OTHER_FILE, absent=withdrawals)
        self._check_signer(leave)
        if withdrawals > leave.withdrawals:
            raise FileRefused(Fault.LEAVE_EXCEEDED, absent=withdrawals, allowed=leave.withdrawals)

    def _check_signer(self, leave: Leave) -> None:
        life = timedelta(hours=self.charter.catalogue.limits.leave_hours)
        skew = timedelta(seconds=self.charter.catalogue.limits.clock_skew)
        if not leave.time - skew <= self.now < leave.time + life:
            raise FileRefused(Fault.LEAVE_EXPIRED)
        officer = self.charter.directory.officer(leave.officer)
        agency = None if officer is None else self.charter.directory.agency(officer.agency)
        today = civil_day(self.now)
        if officer is None or agency is None or agency.member != self.charter.me:
            raise FileRefused(Fault.LEAVE_SIGNER)
        if not agency.active(today) or not any(officer.holds(role, today) for role in ROLES):
            raise FileRefused(Fault.LEAVE_ROLE)


def _opened(path: Path, directory: Directory) -> Leave:
    """Read a leave whose signature is the named officer's."""
    try:
        envelope = from_json(path.read_bytes())
        opened = open_envelope(envelope, payload_type=LEAVE_TYPE, find=lambda key: _key(directory, key))
        leave = _read(opened.payload)
    except KeyUnknown:
        raise FileRefused(Fault.LEAVE_SIGNER) from None
    except (OSError, KeysError):
        raise FileRefused(Fault.LEAVE_UNREADABLE) from None
    if [each.rpartition("/")[0] for each in opened.key_ids] != [leave.officer]:
        raise FileRefused(Fault.LEAVE_SIGNER)
    return leave


def _read(payload: bytes) -> Leave:
    part = jsontext.load(payload, refuse=EnvelopeMalformed).members(Leave.__slots__)
    return Leave(
        feed=part["feed"].text(),
        file_sha256=part["file_sha256"].text(_DIGEST),
        withdrawals=part["withdrawals"].integer(least=1),
        officer=part["officer"].text(),
        time=part["time"].moment(),
    )


def _key(directory: Directory, key_id: str) -> PublicKey:
    officer: Officer | None = directory.officer(key_id.rpartition("/")[0])
    if officer is None or officer.key().id != key_id:
        raise KeyUnknown("no officer of the directory has this key")
    return officer.key()
