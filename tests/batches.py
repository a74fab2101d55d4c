"""Batches without a network: lists of sample codes, and a desk that answers by the pure steps or fails when told."""

from __future__ import annotations

import asyncio
import csv
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import worlds
from bundles import OFFICERS, Rows, make, plot, register
from worlds_tables import JIANGSU, SHANGHAI

from gateway import carriers, uscc, wire
from gateway.kinds import KINDS
from gateway.model.combined import Allowance, AllowanceReading, Intent
from keys.envelope import open_envelope
from nodes.cli.desk_client import Send
from nodes.cli.profile import Access
from yrdx.exchange.v1 import desk_pb2, envelope_pb2

RESTRICTED_EVERY = 7
UNKNOWN_EVERY = 11
NAME = "某企业"


def codes(count: int, *, prefix: str = "91", first: int = 0) -> list[str]:
    """Make codes of nobody."""
    return [uscc.sample_code(prefix, "310115", number) for number in range(first, first + count)]


def double(count: int = 1) -> list[str]:
    """Make codes of agencies that are well-formed resident IDs of nobody as well: region 113101, born in 1990."""
    bodies = (f"9001{day:02}{serial:02}" for day in range(1, 29) for serial in range(100))
    firsts = (f"11310119{body}{uscc.organisation_check(body)}" for body in bodies)
    made = (first + uscc.check_character(first) for first in firsts if first.isdigit())
    return list(islice((each for each in made if uscc.looks_like_person(each)), count))


def write_list(path: Path, rows: Iterable[Sequence[str]], header: Sequence[str] = ("uscc",)) -> Path:
    """Write a list as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read_result(path: Path) -> list[dict[str, str]]:
    """Read a result as a spreadsheet would."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def facts(asked: Iterable[str]) -> Mapping[str, Mapping[str, Rows]]:
    """Shanghai registers all codes but some, under one name; Jiangsu has a penalty against some."""
    listed = list(asked)
    known = [code for code in listed if int(sha256(code.encode()).hexdigest(), 16) % UNKNOWN_EVERY]
    bad = [code for code in listed if int(sha256(code.encode()).hexdigest(), 16) % RESTRICTED_EVERY == 0]
    return {
        SHANGHAI: {code: {"register": [register(name_digest=_name(code, NAME))]} for code in known},
        JIANGSU: {code: {"penalty": [worlds.penalty()], "measure": [worlds.measure()]} for code in bad},
    }


def _name(code: str, name: str) -> bytes:
    return sha256(f"{code}{name}".encode()).digest()


@dataclass
class BatchDesk:
    """A desk that answers messages by the pure steps; `fail` is asked before each whether to raise."""

    change: dict[str, Any] = field(default_factory=dict)
    limit: int = 1_000_000
    spent: int = 0
    fail: Callable[[int], BaseException | None] = lambda _number: None
    tamper: Callable[[desk_pb2.AskMembersResponse], object] = lambda _: None
    intents: list[Intent] = field(default_factory=list)
    calls: int = 0

    @asynccontextmanager
    async def connected(self, access: Access) -> AsyncIterator[Send]:
        """Stand in for `desk_client.connected`."""
        assert access.profile.member == SHANGHAI

        async def send(method: str, request: bytes) -> bytes:
            if method == "GetAllowance":
                return self._allowance(request)
            self.calls += 1
            error = self.fail(self.calls)
            if isinstance(error, KeyboardInterrupt):  # as a terminal sends it: the loop ends what is on its way
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(3_600)
            if error is not None:
                raise error
            return self._ask(request)

        yield send

    @property
    def asked(self) -> list[str]:
        """Every code that was asked about, as often as it was."""
        return [each.uscc for intent in self.intents for each in subjects(intent)]

    def _ask(self, request: bytes) -> bytes:
        intent = opened(desk_pb2.AskMembersRequest.FromString(request).intent, Intent)
        self.intents.append(intent)
        kind = next(each.name for each in KINDS.values() if each.question is type(intent.body))
        known = facts(each.uscc for each in subjects(intent))
        made = make(replace(plot(kind, body=intent.body), intent=intent, **{"facts": known, **self.change}))
        self.tamper(made)
        return made.SerializeToString()

    def _allowance(self, request: bytes) -> bytes:
        opened(desk_pb2.GetAllowanceRequest.FromString(request).reading, AllowanceReading)
        found = wire.to_message(
            Allowance(
                date="2026-03-10", subject_limit=self.limit, subjects_spent=self.spent,
                subjects_per_question=1_000, question_bytes=64 << 10,
            )
        )  # fmt: skip
        assert isinstance(found, desk_pb2.Allowance)
        return desk_pb2.GetAllowanceResponse(allowance=found).SerializeToString()


def subjects(intent: Intent) -> Any:
    """Give the subjects of an intent."""
    return getattr(intent.body, "subjects")  # noqa: B009  a probe has none


def opened(message: envelope_pb2.Envelope, kind: type[Any]) -> Any:
    """Verify a request by exactly the officers that it names."""
    envelope = carriers.envelope_from_message(message)
    keys = {each.id: each.public_key() for each in OFFICERS.values()}
    found = open_envelope(envelope, payload_type=wire.PAYLOAD_TYPES[kind], find=keys.__getitem__)
    value = wire.decode(kind, found.payload)
    named = {value.officer, getattr(value, "approving_officer", "")} - {""}
    assert {each.rpartition("/")[0] for each in found.key_ids} == named
    return value
