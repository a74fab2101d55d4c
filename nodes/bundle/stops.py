"""A member's own stops: what it will have nothing to do with from now on, before the quorum says so (section 9).

One signed file holds those in force, each with its ground and time. They are applied as the quorum's quarantine is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from keys import jsontext, moments
from keys.directory import Directory, Stop
from keys.envelope import from_json, open_envelope, sign, to_json
from keys.errors import KeysError
from keys.suite import Signer

STOPS = "stops.json"
TYPE = "application/vnd.yrdx.stops.v1+json"
MANY = 1000


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


def read_stops(path: Path, me: str, directory: Directory) -> tuple[OwnStop, ...]:
    """Read what a member has stopped; none where there is no file.

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
        part = jsontext.load(envelope.payload, refuse=StopsRefused).members(("member", "time", "stops"))
        at = part["time"].moment()
        opened = open_envelope(envelope, payload_type=TYPE, find=lambda key: directory.key(key, use="sign", at=at))
        if {part["member"].text(), *map(directory.key_owner, opened.key_ids)} != {me}:
            part["member"].fail("is another member")
        return tuple(_stop(each) for each in part["stops"].items(limit=MANY))
    except StopsRefused:
        raise
    except KeysError as error:
        raise StopsRefused(f"{path.name} does not verify ({error}); remove it and stop again what it held") from error


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


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once: a reader meets the old one or the new one.

    Raises:
        OSError: when the disk refuses.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_bytes(content)
    new.replace(path)
