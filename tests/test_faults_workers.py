"""Two workers on one pair of ports and one store: one answer a question, one budget, and a killed worker replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from callers import DEADLINE, Caller, codes, outcome, rows, small_lab, summary, until

from gateway.client import RemoteMember, open_channel
from gateway.federation import request_bytes
from nodes.lab import Lab

pytestmark = pytest.mark.net
MEMBER, WORKERS, LIMIT = "320000", 2, 10
LISTENING, ESTABLISHED = "0A", "01"
SPENT = "SELECT coalesce(sum(spent), 0) FROM budget WHERE agency = ?"


def narrow(document: dict[str, Any]) -> None:
    """Let an agency reach few subjects a day."""
    next(each for each in document["purposes"] if each["code"] == "DAILY_SUPERVISION")["daily_subjects"] = LIMIT


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One member with two workers."""
    lab = small_lab(tmp_path_factory.mktemp("workers"), MEMBER, workers=WORKERS, edits=[narrow])
    lab.start(MEMBER)
    try:
        yield lab
    finally:
        lab.stop()


def workers(lab: Lab) -> tuple[int, ...]:
    """Name the crew's processes."""
    parent = lab.processes[MEMBER].pid
    return tuple(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()))


def sockets(lab: Lab, process: int, state: str) -> int:
    """Count a process's sockets of the exchange port that are in a state."""
    port, found = f"{lab.status(MEMBER)['exchange_port']:04X}", set()
    tables = (Path(f"/proc/net/{each}").read_text(encoding="ascii") for each in ("tcp", "tcp6"))
    for line in "".join(tables).splitlines():
        cells = line.split()
        if cells[1].endswith(f":{port}") and cells[3] == state:
            found.add(f"socket:[{cells[9]}]")
    held = set()
    for each in Path(f"/proc/{process}/fd").iterdir():
        try:
            held.add(str(each.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return len(found & held)


async def complete(lab: Lab, without: int = 0) -> tuple[int, ...]:
    """Wait until every worker listens, none of them the process that was killed."""

    async def listening() -> bool:
        try:
            found = workers(lab)
            heard = [sockets(lab, each, LISTENING) > 0 for each in found]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return without not in found and heard == [True] * WORKERS

    await until(listening, "every worker listens")
    return workers(lab)


@dataclass
class Spread:
    """An asker with connections to every worker."""

    lab: Lab
    caller: Caller
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    async def reach(self) -> None:
        """Open connections until every worker has one: the kernel spreads them by chance."""
        found = await complete(self.lab)
        roots = (self.lab.home(MEMBER) / "keys" / "ca.crt").read_bytes()
        endpoint = self.lab.standings[MEMBER].endpoint or ""

        async def spread() -> bool:
            self.channels.append(open_channel(MEMBER, endpoint, roots, self.caller.identity))
            await asyncio.wait_for(self.channels[-1].channel_ready(), DEADLINE)
            return all(sockets(self.lab, each, ESTABLISHED) for each in found)

        await until(spread, "every worker has a connection")

    async def ask(self, *requests: bytes) -> list[str]:
        """Send all at once, over the connections in turn; how each ended."""
        members = [RemoteMember(each) for each in self.channels]
        return await asyncio.gather(
            *(outcome(members[at % len(members)].ask(each, DEADLINE)) for at, each in enumerate(requests))
        )


@pytest.fixture
async def spread(crew: Lab) -> AsyncIterator[Spread]:
    """An asker with connections to both workers."""
    found = Spread(lab=crew, caller=Caller(lab=crew))
    await found.reach()
    yield found
    for each in found.channels:
        await each.close()


async def test_duplicates_at_two_workers_get_one_answer(spread: Spread) -> None:
    """One signed question at both workers, many times at once: byte-identical replies, one row, one charge."""
    agency, subject = "310107-market", codes(1, start=600_001)
    signed = spread.caller.compose(summary(*subject), agency=agency)
    members = [RemoteMember(each) for each in spread.channels] * 20
    replies = await asyncio.gather(*(each.ask(request_bytes(signed), DEADLINE) for each in members))
    claimed = "SELECT count(*) FROM journal WHERE question_id = ?"
    assert (len({each.payload for each in replies}), {each.refused for each in replies}) == (1, {False})
    assert rows(spread.lab, MEMBER, claimed, signed.question.header.question_id) == [(1,)]
    assert rows(spread.lab, MEMBER, SPENT, agency) == [(1,)]
    assert rows(spread.lab, MEMBER, "SELECT count(*) FROM disclosure WHERE uscc = ?", subject[0].uscc) == [(1,)]


async def test_workers_share_one_budget(spread: Spread) -> None:
    """Many questions about distinct subjects at once, at both workers: as many are answered as the day allows."""
    agency = "310115-market"
    questions = [spread.caller.compose(summary(each), agency=agency) for each in codes(4 * LIMIT, start=610_000)]
    heard = await spread.ask(*map(request_bytes, questions))
    again = await spread.ask(*map(request_bytes, questions))
    expected = {"ANSWERED": LIMIT, "BUDGET_EXHAUSTED": 3 * LIMIT}
    assert {each: heard.count(each) for each in set(heard)} == expected
    assert again == heard
    assert rows(spread.lab, MEMBER, SPENT, agency) == [(LIMIT,)]


async def test_a_killed_worker_is_replaced(spread: Spread) -> None:
    """After kill -9 of a worker another takes its place, and every connection is answered again."""
    agency, (killed, *_) = "310118-market", workers(spread.lab)
    signed = spread.caller.compose(summary(*codes(1, start=620_000)), agency=agency)
    await spread.ask(*[request_bytes(signed)] * len(spread.channels))
    os.kill(killed, signal.SIGKILL)
    await complete(spread.lab, without=killed)

    async def answered() -> bool:
        heard = await spread.ask(*[request_bytes(signed)] * len(spread.channels))
        return set(heard) == {"ANSWERED"}

    await until(answered, "answered")
    assert rows(spread.lab, MEMBER, SPENT, agency) == [(1,)]


def test_a_data_folder_is_served_by_one_node(crew: Lab) -> None:
    """A second node on the same folder ends with a plain text, and the first one's status file stays as it was."""
    before = crew.status(MEMBER)
    command = [sys.executable, "-P", "-m", "nodes.cli", "--lang", "en", "node", "serve"]
    config = str(crew.home(MEMBER) / "node.toml")
    done = subprocess.run([*command, config], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "another process serves" in done.stderr, crew.status(MEMBER)) == (2, True, before)
