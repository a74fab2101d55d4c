"""A node that was cut off from every mirror: closed by its clock, and back by itself once one mirror is there."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest
from callers import Caller, outcome, read_charter, shift, shift_of, small_lab, until
from mirrors import served

from nodes.federation.signing import Lives
from nodes.health import read_health
from nodes.lab import Lab

pytestmark = pytest.mark.net
OTHER = "320000"
HOUR = timedelta(hours=1)
SHORT = Lives(timestamp=HOUR, snapshot=3 * HOUR)


def use_mirrors(lab: Lab, member: str, *mirrors: str, poll_seconds: int = 1) -> None:
    """Have a member follow these mirrors from its next start on."""
    path = lab.home(member) / "node.toml"
    listed = ", ".join(f'"{each}"' for each in mirrors)
    text = re.sub(r"mirrors = .*", f"mirrors = [{listed}]", path.read_text(encoding="utf-8"))
    path.write_text(re.sub(r"poll_seconds = .*", f"poll_seconds = {poll_seconds}", text), encoding="utf-8")


async def test_after_four_hours_without_a_mirror_a_node_finds_back_alone(tmp_path: Path) -> None:
    """Degraded it answers, closed it refuses; from the first good mirror on it serves again within half a minute.

    Its ordinary poll is ten minutes: it is the quick polls that bring it back, and nobody restarts it.
    """
    lab = small_lab(tmp_path, OTHER, shifted=True)
    caller = Caller(lab=lab)

    async def heard(*, expected: str) -> bool:
        return await outcome(caller.ask(caller.compose())) == expected

    async def problem(*, expected: str | None) -> bool:
        found = read_health(lab.config(OTHER).data)["mirrors"]
        return [each["problem"] for each in found] == [expected]

    try:
        with served(lab.mirror) as mirror:
            port = int(mirror.url.rpartition(":")[2].strip("/"))
            use_mirrors(lab, OTHER, mirror.url, poll_seconds=600)
            lab.publish(lives=SHORT)
            await asyncio.to_thread(lab.start, OTHER)
            assert await heard(expected="ANSWERED")
        shift(lab, shift_of(lab) + 2 * HOUR.total_seconds())
        await until(lambda: problem(expected="UNREACHABLE"), "health names the mirror's problem")
        assert await heard(expected="ANSWERED")
        shift(lab, shift_of(lab) + 2 * HOUR.total_seconds())
        assert await heard(expected="STALE_BUNDLE")
        await until(lambda: closed(lab), "health is closed")
        lab.publish()
        with served(lab.mirror, port):
            await until(lambda: heard(expected="ANSWERED"), "the node serves again")
            await until(lambda: problem(expected=None), "health names no problem")
        assert read_charter(lab, OTHER).directory.version == lab.version
    finally:
        await caller.close()
        await asyncio.to_thread(lab.stop)


async def closed(lab: Lab) -> bool:
    """Say whether a node tells that its bundle is closed."""
    found = read_health(lab.config(OTHER).data)
    return (found["serving"], found["faults"], found["bundle"]["stage"]) == (False, ["BundleExpired"], "CLOSED")
