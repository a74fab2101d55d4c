"""A second person's leave: what it must say, who may give it, for how long, and for which file (U15)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from desks import in_session
from labs import build
from populations import load
from test_ingest import GOOD, listings, write

from keys import custody, suite
from keys.envelope import sign, to_json
from nodes.cli import main
from nodes.cli.session import Session
from nodes.ingest import Fault
from nodes.intake import Delivery, Loaded
from nodes.lab import Lab
from nodes.leave import LEAVE_TYPE, Leave, file_sha256, write_leave
from nodes.store import Mode

MEMBER, FEED, SECOND = "310000", "310000-MARKET_REG-listing", "310118-market/o2"
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A federation whose Shanghai has a hundred entries in a list."""
    found = build(tmp_path / "lab")
    found.clock = lambda: NOW
    found.publish()
    load(found, MEMBER, [file(found, 100)])
    return found


def file(lab: Lab, count: int, name: str = FEED) -> Path:
    """Write a file of so many entries."""
    columns = dict.fromkeys(GOOD["listing"])
    return write(lab.folder / f"{name}.csv", [{**GOOD["listing"], **row} for row in listings(count)], columns)


def signer(lab: Lab, officer: str) -> suite.Signer:
    """Open an officer's key."""
    desk = lab.desk_of(officer)
    return custody.load_signer(desk / "officer.key", custody.read_passphrase(desk / "passphrase"))


def allowed(path: Path, **changes: Any) -> Leave:
    """Give a leave that fits a file which withdraws half of the feed."""
    said = Leave(feed=FEED, file_sha256=file_sha256(path), withdrawals=50, officer=SECOND, time=NOW)
    return replace(said, **changes)


def snapshot(lab: Lab, path: Path, *leaves: bytes) -> Loaded:
    """Load half of the entries as everything, with leaves."""
    paths = []
    for number, text in enumerate(leaves):
        paths.append(lab.folder / f"{number}.leave")
        paths[-1].write_bytes(text)
    delivery = Delivery(mode=Mode.SNAPSHOT, leaves=tuple(paths))
    (found,) = [each for each in load(lab, MEMBER, [path], delivery) if each.path is not None]
    return found


def fault(loaded: Loaded) -> Fault | None:
    """Give why a file was refused."""
    return loaded.refused.fault if loaded.refused else None


def test_without_a_leave_the_refusal_tells_counts(lab: Lab) -> None:
    """How many, of how many, and the share that is allowed."""
    found = snapshot(lab, file(lab, 50))
    assert found.refused is not None
    assert found.refused.fault is Fault.WITHDRAWS_TOO_MUCH
    assert dict(found.refused.arguments) == {"absent": 50, "known": 100, "percent": 2}


@pytest.mark.parametrize(
    ("changes", "officer", "wanted"),
    [
        ({"feed": "310000-TAX-listing"}, SECOND, Fault.LEAVE_OTHER_FILE),
        ({"file_sha256": "0" * 64}, SECOND, Fault.LEAVE_OTHER_FILE),
        ({"withdrawals": 49}, SECOND, Fault.LEAVE_EXCEEDED),
        ({"time": NOW - timedelta(hours=24)}, SECOND, Fault.LEAVE_EXPIRED),
        ({"time": NOW + timedelta(minutes=5)}, SECOND, Fault.LEAVE_EXPIRED),
        ({"officer": "310118-market/o1"}, "310118-market/o1", Fault.LEAVE_ROLE),
        ({"officer": "320509-market/o2"}, "320509-market/o2", Fault.LEAVE_SIGNER),
        ({}, "310118-market/o1", Fault.LEAVE_SIGNER),
        ({"officer": "310118-market/nobody"}, SECOND, Fault.LEAVE_SIGNER),
    ],
)
def test_a_leave_that_does_not_fit_is_refused(lab: Lab, changes: dict[str, Any], officer: str, wanted: Fault) -> None:
    """Another feed or file, too few, too old, from the future, by who may not or is another's: nothing is withdrawn."""
    path = file(lab, 50)
    assert fault(snapshot(lab, path, write_leave(allowed(path, **changes), signer(lab, officer)))) is wanted


def test_any_leave_that_fits_suffices(lab: Lab) -> None:
    """One that is unreadable, too old, of another file or too small beside it spoils nothing; the closest tells."""
    path = file(lab, 50)

    def made(**changes: Any) -> bytes:
        return write_leave(allowed(path, **changes), signer(lab, SECOND))

    other, few, old = (
        made(file_sha256="0" * 64),
        made(withdrawals=49),
        made(time=NOW - timedelta(days=9), withdrawals=99),
    )
    assert fault(snapshot(lab, path, other, b"no leave")) is Fault.LEAVE_UNREADABLE
    assert fault(snapshot(lab, path, other, b"no leave", few)) is Fault.LEAVE_EXCEEDED
    found = snapshot(lab, path, b"no leave", old, other, few, made())
    assert found.report is not None
    assert found.report.withdrawn == 50


def other_type(lab: Lab, leave: Leave) -> bytes:
    """Sign the same words as another sort of message."""
    return to_json(sign("application/x-other", _payload(lab, leave), signer(lab, SECOND)))


def altered(lab: Lab, leave: Leave) -> bytes:
    """Change the words after they were signed."""
    document = json.loads(write_leave(leave, signer(lab, SECOND)))
    document["signatures"][0]["sig"] = "AAAA" + document["signatures"][0]["sig"][4:]
    return json.dumps(document).encode()


def malformed(lab: Lab, leave: Leave) -> bytes:
    """Sign words that are no leave."""
    return to_json(sign(LEAVE_TYPE, _payload(lab, leave)[:-1] + b',"more":1}', signer(lab, SECOND)))


def of_a_stranger(_: Lab, leave: Leave) -> bytes:
    """Sign by a key that the directory does not know, under a name that it does."""
    return write_leave(leave, suite.signer(suite.generate_seed(), owner=SECOND))


def two(lab: Lab, leave: Leave) -> bytes:
    """Have two officers sign one leave."""
    return to_json(sign(LEAVE_TYPE, _payload(lab, leave), signer(lab, SECOND), signer(lab, "310118-market/o1")))


def _payload(lab: Lab, leave: Leave) -> bytes:
    return base64.b64decode(json.loads(write_leave(leave, signer(lab, SECOND)))["payload"])


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (other_type, Fault.LEAVE_UNREADABLE),
        (altered, Fault.LEAVE_UNREADABLE),
        (malformed, Fault.LEAVE_UNREADABLE),
        (of_a_stranger, Fault.LEAVE_SIGNER),
        (two, Fault.LEAVE_SIGNER),
        (lambda *_: b"{}", Fault.LEAVE_UNREADABLE),
    ],
)
def test_a_forged_leave_is_refused(lab: Lab, make: Callable[[Lab, Leave], bytes], wanted: Fault) -> None:
    """Another type, altered bytes, other fields, an unknown key, two signers, no envelope at all."""
    path = file(lab, 50)
    assert fault(snapshot(lab, path, make(lab, allowed(path)))) is wanted


def test_a_role_that_ended_gives_no_leave(lab: Lab) -> None:
    """The directory of the day of loading decides."""
    path = file(lab, 50)

    def end(document: dict[str, Any]) -> None:
        officers = [each for member in document["members"] for each in member["officers"] if each["id"] == SECOND]
        for role in officers[0]["roles"]:
            role["until"] = "2026-11-20"

    lab.edits.append(end)
    lab.publish()
    try:
        found = fault(snapshot(lab, path, write_leave(allowed(path), signer(lab, SECOND))))
    finally:
        lab.edits.clear()
        lab.publish()
    assert found is Fault.LEAVE_ROLE


def test_the_command_makes_a_leave_that_is_taken(lab: Lab) -> None:
    """By the second officer, in a session too; the name to write must be free; the snapshot then passes."""
    path, out = file(lab, 50), lab.folder / "made.leave"
    lab._write_profiles(MEMBER, "127.0.0.1:1")
    told = ["leave", str(path), "--feed", FEED, "--withdrawals", "50", "--out", str(out)]
    told += ["--profile", str(lab.profile(SECOND))]
    with in_session(lab.profile(SECOND).parent, signer(lab, SECOND), NOW + timedelta(hours=1)):
        done = [CliRunner().invoke(main, told, obj=Session(now=lambda: NOW), env={"YRDX_LANG": "en"}) for _ in range(2)]
    assert [each.exit_code for each in done] == [0, 2]
    assert "must not be taken" in done[1].output
    other = write_leave(allowed(path, feed="310000-TAX-listing"), signer(lab, SECOND))
    found = snapshot(lab, path, other, out.read_bytes())
    assert (found.report and found.report.withdrawn, fault(found)) == (50, None)
