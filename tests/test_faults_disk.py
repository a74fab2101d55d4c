"""A full disk and a bad or expired directory: nothing leaves that is not durable, health tells it, and both heal."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from callers import Caller, codes, directory_taken, health, outcome, rows, shift, shift_of, small_lab, summary, until

from gateway.server import SERVICE
from keys.bundle import archive
from keys.errors import BundleMalformed
from nodes.federation.signing import Lives, hands, sign_root
from nodes.lab import Edit, Lab
from nodes.mirror import archive_path, publish

pytestmark = pytest.mark.net
MEMBER = "320000"
SUSPENDED = "YRD-4-2026"


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One member that may be harmed, whose time the test moves."""
    lab = small_lab(tmp_path_factory.mktemp("disk"), MEMBER, shifted=True)
    lab.start(MEMBER)
    try:
        yield lab
    finally:
        lab.stop()


@pytest.fixture
async def asking(small: Lab) -> AsyncIterator[Caller]:
    """An asker of that member."""
    await directory_taken(small, MEMBER)
    found = Caller(lab=small)
    yield found
    await found.close()


@contextmanager
def full_disk(lab: Lab) -> Iterator[None]:
    """Let no file of the node grow beyond what it holds, as on a full disk; its log neither."""
    process = int(lab.status(MEMBER)["process_id"])
    resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def healthy(caller: Caller, wanted: str) -> None:
    """Wait until the node's health is as wanted."""

    async def found() -> bool:
        return [await health(caller.channel(MEMBER), each) for each in ("", SERVICE)] == [wanted] * 2

    await until(found, wanted)


async def fill_log(caller: Caller, lab: Lab) -> None:
    """Let the log grow beyond what the full disk allows."""
    log = lab.home(MEMBER) / "node.log"
    while log.stat().st_size < 8192:
        await caller.ask(caller.compose())


def counts(lab: Lab) -> list[tuple[Any, ...]]:
    """Count what exchanges leave behind."""
    tables = ("journal", "disclosure", "budget")
    return [rows(lab, MEMBER, f"SELECT count(*) FROM {each}")[0] for each in tables]


@pytest.mark.parametrize("log", ["short", "long"])
async def test_a_full_disk_lets_nothing_out(log: str, small: Lab, asking: Caller) -> None:
    """Every question is NOT_DURABLE, nothing is kept, health is NOT_SERVING; with room again the same bytes succeed."""
    if log == "long":
        await fill_log(asking, small)
    await healthy(asking, "SERVING")
    before, signed = counts(small), [asking.compose(summary(*codes(1, start=800_000 + each))) for each in range(3)]
    with full_disk(small):
        refused = [await outcome(asking.ask(each)) for each in signed]
        await healthy(asking, "NOT_SERVING")
        refused.append(await outcome(asking.ask(signed[0])))
    kept = counts(small)
    await healthy(asking, "SERVING")
    answered = [await outcome(asking.ask(each)) for each in signed]
    assert (refused, kept, answered) == (["NOT_DURABLE"] * 4, before, ["ANSWERED"] * 3)
    assert rows(small, MEMBER, "PRAGMA integrity_check") == [("ok",)]


async def test_a_directory_that_cannot_be_kept_is_taken_later(small: Lab, asking: Caller) -> None:
    """A newer directory that finds no room in the data folder takes effect once there is room."""
    obstacle = small.config(MEMBER).data / "bundle" / "archives" / str(small.version + 1)
    obstacle.touch()
    small.edits.append(suspend)
    small.publish()
    await until(lambda: logged(small, "mirror_failed", 0), "rejected")
    before = await outcome(asking.ask(asking.compose()))
    obstacle.unlink()
    await directory_taken(small, MEMBER)
    assert (before, await outcome(asking.ask(asking.compose()))) == ("ANSWERED", "SUSPENDED")


async def logged(lab: Lab, event: str, above: int) -> bool:
    """Say whether the node has logged an event more often than that."""
    return seen(lab, event) > above


def seen(lab: Lab, event: str) -> int:
    """Count an event in the node's log."""
    lines = (lab.home(MEMBER) / "node.log").read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line).get("event") == event for line in lines if line.startswith("{"))


async def test_an_expired_directory_stops_new_exchanges(small: Lab, asking: Caller) -> None:
    """From its end on questions are STALE_BUNDLE and health NOT_SERVING; a newer directory heals without a restart."""
    small.publish(life=timedelta(minutes=5))
    await directory_taken(small, MEMBER)
    await healthy(asking, "SERVING")
    process, heard = small.status(MEMBER)["process_id"], [await outcome(asking.ask(asking.compose()))]
    shift(small, shift_of(small) + 300)
    heard.append(await outcome(asking.ask(asking.compose())))
    await healthy(asking, "NOT_SERVING")
    small.publish()
    await directory_taken(small, MEMBER)
    heard.append(await outcome(asking.ask(asking.compose())))
    await healthy(asking, "SERVING")
    assert heard == ["ANSWERED", "STALE_BUNDLE", "ANSWERED"]
    assert (small.status(MEMBER)["process_id"], small.processes[MEMBER].poll()) == (process, None)


def suspend(document: dict[str, Any]) -> None:
    """Suspend the agreement that questions name."""
    next(each for each in document["agreements"] if each["id"] == SUSPENDED).update(edition=2, suspended=True)


def rolled_back(_: Lab, old: bytes) -> bytes:
    """Give the bundle of before."""
    return old


def of_another_root(lab: Lab, _: bytes) -> bytes:
    """Sign a newer version by officers whose root nobody trusts."""
    signing = hands(lab.hands.tops, lab.hands.tops)
    root = sign_root(signing, issued=lab.clock(), lives=Lives())
    return packed(replace(lab, hands=signing, root=root))


def by_too_few(lab: Lab, _: bytes) -> bytes:
    """Sign a newer version by one publisher where two must."""
    files, name = lab.signed(lab.version + 1, Lives()), "metadata/timestamp.json"
    alone = json.loads(files[name])
    alone["signatures"] = alone["signatures"][:1]
    return archive.pack({**files, name: json.dumps(alone).encode()})


def senseless(lab: Lab, _: bytes) -> bytes:
    """Sign, by all who must, a newer version whose tables make no sense."""
    return packed(lab, lambda found: found.update(purposes=[{"code": 5}], limits=[]))


def without_members(lab: Lab, _: bytes) -> bytes:
    """Sign, by all who must, a newer version that does not know this member."""

    def leave(found: dict[str, Any]) -> None:
        for name in ("members", "clocks", "measure_lists", "inspection_rules", "write_rules"):
            found[name] = [each for each in found[name] if MEMBER not in (each.get("id"), each.get("member"))]

    return packed(lab, leave)


def torn(_: Lab, old: bytes) -> bytes:
    """Give half of a file."""
    return old[: len(old) // 2]


def empty(_: Lab, __: bytes) -> bytes:
    """Give an empty file."""
    return b""


def octets(_: Lab, __: bytes) -> bytes:
    """Give what is no text."""
    return bytes(range(256)) * 64


def packed(lab: Lab, *edits: Edit) -> bytes:
    """Sign the next version with further edits; give its archive."""
    return archive.pack(replace(lab, edits=[*lab.edits, *edits]).signed(lab.version + 1, Lives()))


FALSE = [rolled_back, of_another_root, by_too_few, senseless, without_members, torn, empty, octets]


def serve(lab: Lab, content: bytes) -> None:
    """Put a bundle on the mirror; what is no archive stands beside metadata that are all genuine."""
    try:
        publish(lab.mirror, archive.unpack(content))
    except BundleMalformed:
        publish(lab.mirror, lab.signed(lab.version + 1, Lives())).write_bytes(content)


async def test_a_false_bundle_is_not_taken(small: Lab, asking: Caller, tmp_path: Path) -> None:
    """What is older, signed by others or too few, torn or senseless changes nothing; the next genuine one is taken."""
    old = archive_path(small.mirror, small.version).read_bytes()
    small.edits.append(suspend)
    small.publish()
    await directory_taken(small, MEMBER)
    before, heard = tmp_path / "before", {}
    shutil.copytree(small.mirror, before)
    for make in FALSE:
        question, rejected = asking.compose(), seen(small, "mirror_failed")
        serve(small, make(small, old))
        await until(partial(logged, small, "mirror_failed", rejected + 1), "rejected, by a poll that began afterwards")
        heard[make.__name__] = await outcome(asking.ask(question))
        shutil.rmtree(small.mirror)
        shutil.copytree(before, small.mirror)
    small.edits.clear()
    small.version += 2  # what all signed was seen, though it made no sense: every role goes on from there
    publish(small.mirror, small.signed(small.version, Lives()))
    await directory_taken(small, MEMBER)
    assert heard == {each.__name__: "SUSPENDED" for each in FALSE}
    assert await outcome(asking.ask(asking.compose())) == "ANSWERED"
