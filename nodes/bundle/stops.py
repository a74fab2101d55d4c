"""A member's own stops: what it will have nothing to do with from now on, before the quorum says so (section 9).

One signed file holds those in force, each with its ground and time. They are applied as the quorum's quarantine is.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from gateway.kinds import KINDS
from keys import jsontext, moments
from keys.bundle.quarantine import held
from keys.directory import Directory, Stop
from keys.envelope import Envelope, from_json, open_envelope, sign, to_json
from keys.errors import KeysError, KeyUnknown, MemberUnknown
from keys.suite import PublicKey, Signer

STOPS, LOCK = "stops.json", ".stops.lock"
TYPE = "application/vnd.yrdx.stops.v1+json"
MANY = 1000
FIELDS = frozenset(name for kind in KINDS.values() for name in kind.fields)


class StopsRefused(KeysError):
    """The file of a member's own stops does not verify; nothing of it may be passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStop:
    """One thing that a member has stopped for itself, and since when."""

    stop: Stop
    time: datetime

    def row(self) -> dict[str, str]:
        """Give it as JSON has it."""
        return {**asdict(self.stop), "time": moments.write(self.time)}


def known(document: Mapping[str, Any], what: str, identity: str) -> bool:
    """Say whether a bundle's document holds such a thing: a slip of the pen would stop nothing and look as if it did.

    A field of a data item may be stopped by its name although it has no row of its own.
    """
    names = held(document, what)
    return identity in names or (what == "data_item" and identity in FIELDS and identity.partition(".")[0] in names)


def read_stops(path: Path, me: str, directory: Directory, earlier: Iterable[Directory] = ()) -> tuple[OwnStop, ...]:
    """Read what a member has stopped; none where there is no file.

    A key that the directory in force no longer lists is judged by the first of the `earlier` ones that does.

    Raises:
        OSError: when the file cannot be read.
        StopsRefused: when it is of another form, or not signed by a key that the member had at that time.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        envelope = from_json(content)
        part, stops = _read(envelope)
        at, known = part["time"].moment(), chain((directory,), earlier)
        opened = open_envelope(envelope, payload_type=TYPE, find=lambda key: _key(key, at, known))
        if {part["member"].text(), *(each.rpartition("/")[0] for each in opened.key_ids)} != {me}:
            part["member"].fail("is another member")
    except KeysError as error:
        why = f"{path.name} does not verify ({error})"
        raise StopsRefused(f"{why}; read what it holds, remove it, and stop again what shall stay stopped") from error
    return stops


def _read(envelope: Envelope) -> tuple[Mapping[str, jsontext.Place], tuple[OwnStop, ...]]:
    """Read what an envelope says, before anything of it is verified."""
    part = jsontext.load(envelope.payload, refuse=StopsRefused).members(("member", "time", "stops"))
    return part, tuple(_stop(each) for each in part["stops"].items(limit=MANY))


def _key(key_id: str, at: datetime, directories: Iterable[Directory]) -> PublicKey:
    """Give a signing key as the newest directory that lists it says of it: one that was revoked stays so."""
    for each in directories:
        with suppress(KeyUnknown, MemberUnknown):
            return each.key(key_id, use="sign", at=at)
    raise KeyUnknown("no bundle that was in force here lists the key that signed it")


def _stop(place: jsontext.Place) -> OwnStop:
    part = place.members(("what", "id", "ground", "time"))
    stop = place.build(Stop, what=part["what"].text(), id=part["id"].text(), ground=part["ground"].text())
    return OwnStop(stop=stop, time=part["time"].moment())


def stopped(stops: Iterable[OwnStop], stop: Stop, now: datetime) -> tuple[OwnStop, ...]:
    """Add a stop; one of the same thing is replaced."""
    return (*lifted(stops, stop.what, stop.id), OwnStop(stop=stop, time=now.replace(microsecond=0)))


def lifted(stops: Iterable[OwnStop], what: str, identity: str) -> tuple[OwnStop, ...]:
    """Take a stop out."""
    return tuple(each for each in stops if (each.stop.what, each.stop.id) != (what, identity))


def write_stops(path: Path, me: str, stops: Iterable[OwnStop], *, signer: Signer, now: datetime) -> None:
    """Sign what is stopped from now on, and put it in place at once; a node that runs sees it within a second.

    Raises:
        OSError: when the disk refuses; the file stays as it was.
    """
    rows, time = [each.row() for each in stops], moments.write(now.replace(microsecond=0))
    payload = json.dumps({"member": me, "time": time, "stops": rows}, ensure_ascii=False).encode()
    replace_file(path, to_json(sign(TYPE, payload, signer)))


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let nobody else change the file of stops until the block ends.

    Raises:
        OSError: when the folder cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def renew_stops(path: Path, me: str, stops: tuple[OwnStop, ...], *, signer: Signer, now: datetime) -> bool:
    """Sign the stops in force again when another key signed them: so they outlive it, revoked as stolen or gone.

    A file that says anything else has not been taken yet, or is not the member's own, and is left as it is.

    Raises:
        OSError, KeysError: when the file cannot be read or written, or is of another form.
    """
    if not path.exists():
        return False
    with alone(path):
        envelope = from_json(path.read_bytes())
        if {each.key_id for each in envelope.signatures} == {signer.id} or _read(envelope)[1] != stops:
            return False
        write_stops(path, me, stops, signer=signer, now=now)
        return True


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once: a reader meets the old one or the new one.

    Raises:
        OSError: when the disk refuses.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_bytes(content)
    new.replace(path)
