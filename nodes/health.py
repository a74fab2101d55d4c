"""How a node is: `health.json` in the data folder, for the operator's tools and `yrdx node status`.

It names what is missing, and nothing of what the node was asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.charter import Charter, is_behind
from keys import moments
from keys.directory import Directory, Stage
from nodes.bundle.following import Following, Mirror
from nodes.bundle.stops import replace_file

HEALTH = "health.json"
FORMAT = "yrdx.health.v1"


def stage(charter: Charter, now: datetime) -> Stage:
    """Give the stage of the bundle in force; on a clock that is behind nothing is current."""
    return Stage.CLOSED if is_behind(charter, now) else charter.directory.stage(now)


NO_LEDGER: Mapping[str, Any] = {"ledger": None, "reconciliation": None, "alarms": []}
"""What a hub says of the parts that it has not."""


def document(
    following: Following, faults: tuple[str, ...], now: datetime, more: Mapping[str, Any] = NO_LEDGER
) -> dict[str, Any]:
    """Say how a node is; `more` is what each part that a hub has not says of itself."""
    charter = following.current
    return {
        "format": FORMAT,
        "member": charter.me,
        "time": moments.write(now.replace(microsecond=0)),
        "serving": not faults,
        "faults": list(faults),
        "bundle": _bundle(charter.directory, stage(charter, now)),
        "expired": _expired(charter.directory, now),
        "mirrors": [_mirror(each) for each in following.mirrors],
        "stops": [each.row() for each in following.stops],
        **more,
    }


def write_health(data: Path, found: Mapping[str, Any]) -> None:
    """Put the document in place at once.

    Raises:
        OSError: when the disk refuses.
    """
    replace_file(data / HEALTH, json.dumps(found, ensure_ascii=False).encode())


def read_health(data: Path) -> Mapping[str, Any]:
    """Read the document that a node wrote last.

    Raises:
        OSError, ValueError: when there is none.
    """
    found: Mapping[str, Any] = json.loads((data / HEALTH).read_text(encoding="utf-8"))
    return found


def _bundle(directory: Directory, found: Stage) -> dict[str, Any]:
    return {
        "version": directory.version,
        "stage": found.value,
        "issued_time": moments.write(directory.issued_time),
        "expire_time": moments.write(directory.expire_time),
        "close_time": moments.write(directory.close_time),
    }


def _expired(directory: Directory, now: datetime) -> list[dict[str, Any]]:
    """Name the roles that nobody signed anew in time, and how many must: what a person must go after."""
    return [
        {"role": each.name, "expire_time": moments.write(each.expire_time), "need": each.threshold}
        for each in directory.roles
        if each.expire_time <= now
    ]


def _mirror(found: Mirror) -> dict[str, Any]:
    fault = found.fault
    return {
        "mirror": _place(found.address),
        "visit_time": moments.write(found.visit_time.replace(microsecond=0)),
        "problem": fault.problem if fault else None,
        "role": fault.role if fault else "",
        "have": fault.have if fault else None,
        "need": fault.need if fault else None,
    }


def _place(address: str) -> str:
    """Name a mirror by its host, or as a folder: paths of this machine are nobody's business."""
    parts = urlsplit(address)
    return parts.netloc if parts.scheme != "file" else "file"
