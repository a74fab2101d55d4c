"""The members' ledgers after the demonstration: verified whole, and cosigned by the others."""

from __future__ import annotations

import json
import time
from typing import Any

from gateway.ledger import cosignature, dating, logs, quorum
from gateway.ledger.checkpoint import open_checkpoint
from nodes.bundle.following import current_charter
from nodes.config import DATABASE
from nodes.demo.shell import DemoError, Shell
from nodes.lab import Lab
from nodes.store.ledger_reading import LedgerFile

WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.2


def told(lab: Lab, shell: Shell, member: str) -> dict[str, Any]:
    """Verify every ledger through `yrdx ledger verify`, and wait until one is witnessed to its end.

    Raises:
        DemoError: when that does not come.
    """
    verified = [_verified(lab, shell, each) for each in lab.members]
    ends = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < ends:
        found = _witnessed(lab, member)
        if found is not None:
            size, cosignatures = found
            return {"size": size, "cosignatures": cosignatures, "verified": all(verified)}
        time.sleep(_LOOK_SECONDS)
    raise DemoError(f"the ledger of {member} was not cosigned in time; its log is {lab.home(member) / 'node.log'}")


def _verified(lab: Lab, shell: Shell, member: str) -> bool:
    done = shell.run("ledger", "verify", "--config", str(lab.home(member) / "node.toml"), "--json")
    return done.returncode == 0 and all(each["verified"] for each in json.loads(done.stdout)["logs"])


def _witnessed(lab: Lab, member: str) -> tuple[int, int] | None:
    """Give size and number of cosignatures, all verified, once a quorum has seen the last head."""
    config = lab.config(member)
    directory = current_charter(config).directory
    with LedgerFile.open(config.data / DATABASE) as file:
        log = file.logs()[-1]
        payload = file.cosigned(log)
    if payload is None:
        return None
    found = dating.witnessed_in(directory, open_checkpoint(payload, logs.listed_keys(directory, member))).checkpoint
    if found.head.size != log.size:
        return None
    keys = [key for each in quorum.witnesses(directory, member) for key in logs.listed_witness_keys(directory, each)]
    return found.head.size, len(cosignature.verify(found.note, keys))
