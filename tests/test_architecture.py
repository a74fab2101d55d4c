"""Who may import whom: the import graph of the house, proved by reading every module's syntax tree.

Nothing is imported and nothing is run, so a broken or half-written module cannot hide a breach.
A name matches itself and everything below it: `gateway.wire` also speaks for `gateway.wire.answers`.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bench", "gateway", "keys", "nodes", "tests")
OURS = (*ROOMS, "yrdx")

# Which of our rooms a room may see. Most specific name first.
ROOM_SEES: dict[str, tuple[str, ...]] = {
    "keys": ("keys",),
    "gateway.wire": ("gateway", "keys", "yrdx"),
    "gateway.carriers": ("gateway", "keys", "yrdx"),
    "gateway.server": ("gateway", "keys", "yrdx"),
    "gateway.client": ("gateway", "keys", "yrdx"),
    "gateway.consents": ("gateway", "keys", "yrdx"),
    "gateway.desk": ("gateway", "keys", "yrdx"),
    "gateway.accounts_door": ("gateway", "keys", "yrdx"),
    "gateway.reconciliations": ("gateway", "keys", "yrdx"),
    "gateway.tracking_door": ("gateway", "keys", "yrdx"),
    "gateway.statuses": ("gateway", "keys", "yrdx"),
    "gateway.witness_door": ("gateway", "keys", "yrdx"),
    "gateway.evidence_door": ("gateway", "keys", "yrdx"),
    "gateway.verification": ("gateway", "keys", "yrdx"),
    "gateway": ("gateway", "keys"),
    "nodes": ("gateway", "keys", "nodes", "yrdx"),
    "bench": ("bench", "gateway", "keys", "nodes", "yrdx"),
    "tests": OURS,
}

DOORS = (
    "gateway.accounts",
    "gateway.accounts_door",
    "gateway.answering",
    "gateway.underway",
    "gateway.asking",
    "gateway.authorising",
    "gateway.calls",
    "gateway.cases",
    "gateway.client",
    "gateway.consents",
    "gateway.counter",
    "gateway.desk",
    "gateway.evidence",
    "gateway.evidence_door",
    "gateway.federation",
    "gateway.fetching",
    "gateway.hearing",
    "gateway.hops",
    "gateway.office",
    "gateway.peers",
    "gateway.reconciliations",
    "gateway.relay",
    "gateway.server",
    "gateway.statuses",
    "gateway.witness",
    "gateway.witness_client",
    "gateway.witness_door",
    "gateway.tracker",
    "gateway.tracking",
    "gateway.tracking_door",
)

# Where each third-party package is at home. The tests and the bench may use them all.
GRPC_DOORS = (
    "gateway.accounts_door",
    "gateway.calls",
    *("gateway.client", "gateway.consents", "gateway.counter", "gateway.desk", "gateway.hops", "gateway.peers"),
    "gateway.reconciliations",
    "gateway.server",
    "gateway.statuses",
    "gateway.evidence_door",
    "gateway.witness_client",
    "gateway.witness_door",
    "gateway.tracking_door",
)
GRPC_HOMES = (
    *GRPC_DOORS,
    "nodes.evidence",
    "nodes.hub",
    "nodes.listening",
    "nodes.node",
    "nodes.witnessing",
    "nodes.cli",
)
HOMES: dict[str, tuple[str, ...]] = {
    "nacl": ("keys",),
    "pkcs11": ("keys.hardware",),
    "cryptography": ("keys",),
    "securesystemslib": ("keys.bundle",),
    "tuf.api.exceptions": ("keys.bundle", "nodes.bundle"),
    "tuf.ngclient": ("nodes.bundle",),
    "tuf.api": ("keys.bundle",),
    "grpc": GRPC_HOMES,
    "grpc_health": GRPC_HOMES,
    "grpc_reflection": GRPC_HOMES,
    "grpc_status": GRPC_HOMES,
    "google.rpc": GRPC_HOMES,
    "google.protobuf": (*GRPC_HOMES, "gateway.wire"),
    "openpyxl": ("nodes.files",),
    "defusedxml": ("nodes.files",),
    "sqlite3": ("nodes.store",),
    "sqlite_utils": ("nodes.store",),
    "structlog": (*DOORS, "nodes"),
    "prometheus_client": ("nodes.metrics",),
    "click": ("nodes.cli",),
    "rich": ("nodes.cli",),
}
GUESTS = ("tests", "bench")
STRUCTLOG_SET_UP = ("structlog.configure", "structlog.configure_once")  # only nodes: others fetch a logger

# The floors of the gateway, bottom first: a module sees its own floor and those below.
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "gateway.model",
        "gateway.errors",
        "gateway.limits",
        "gateway.ports",
        "gateway.books",
        "gateway.event",
        "gateway.tables",
    ),
    (
        "gateway.uscc",
        "gateway.alike",
        "gateway.amendments",
        "gateway.catalogue",
        "gateway.calendar",
        "gateway.classification",
        "gateway.deciding",
        "gateway.divisions",
        "gateway.references",
        "gateway.participants",
        "gateway.writing",
        "gateway.registration",
        "gateway.policy",
        "gateway.precedence",
        "gateway.authorisation",
        "gateway.charter",
        "gateway.clocks",
        "gateway.combination",
        "gateway.coverage",
        "gateway.kinds",
        "gateway.gaps",
        "gateway.inspection",
        "gateway.lifetimes",
        "gateway.lights",
        "gateway.pace",
        "gateway.months",
        "gateway.purposes",
        "gateway.quality",
        "gateway.retention",
        "gateway.recognition",
        "gateway.verdicts",
        "gateway.watching",
        "gateway.ledger",
        "gateway.wire",
        "gateway.carriers",
    ),
    ("gateway.exchange",),
    ("gateway.verification",),
    DOORS,
)

# The pure heart is handed bytes, keys and a clock value: it fetches nothing itself.
IMPURE_MODULES = ("keys.custody", "keys.files", "keys.hardware", *DOORS)
IMPURE_IMPORTS = (
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "socket",
    "sqlite3",
    "structlog",
    "threading",
    "time",
)
IMPURE_CALLS = ("open", "print", "input")
CLOCK_READS = (
    "now",
    "utcnow",
    "today",
)  # whatever they are called on: a clock by another name is still a clock


def within(name: str, homes: Iterable[str]) -> bool:
    """Whether a dotted name is one of the homes or lies below one."""
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def imports(module: str, tree: ast.AST, *, package: bool = False) -> Iterator[str]:
    """Every dotted name that a module imports, relative ones resolved, `from a import b` as `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                above = above[: len(above) - node.level + package]
                base = ".".join([*above, base] if base else above)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def calls(tree: ast.AST) -> Iterator[str]:
    """The last two parts of every called name: `datetime.datetime.now()` is `datetime.now`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ".".join(ast.unparse(node.func).split(".")[-2:])


def floor(name: str) -> int | None:
    """The floor of the gateway that a name stands on, or None for a name outside them."""
    return next((level for level, names in enumerate(FLOORS) if within(name, names)), None)


def is_pure(module: str) -> bool:
    """Whether a module belongs to the heart that touches no outside world."""
    return within(module, ("keys", "gateway")) and not within(module, IMPURE_MODULES)


def breaches(module: str, source: str, *, package: bool = False) -> list[str]:
    """Every rule of the house that a module's source breaks, as readable lines."""
    tree = ast.parse(source)
    found = []
    sees = next(rooms for room, rooms in ROOM_SEES.items() if within(module, (room,)))
    for name in imports(module, tree, package=package):
        if within(name, OURS) and not within(name, sees):
            found.append(f"{module} may not import {name}: it sees {', '.join(sees)}")
        home = next((homes for third, homes in HOMES.items() if within(name, (third,))), None)
        if home is not None and not within(module, (*home, *GUESTS)):
            found.append(f"{module} may not import {name}: it is at home in {', '.join(home)}")
        here, there = floor(module), floor(name)
        if here is not None and there is not None and there > here:
            found.append(f"{module} may not import {name}: that is a floor above")
        if is_pure(module) and within(name, IMPURE_IMPORTS):
            found.append(f"{module} is pure and may not import {name}")
    for call in calls(tree):
        reads_clock = "." in call and call.split(".")[-1] in CLOCK_READS
        if is_pure(module) and (reads_clock or call in IMPURE_CALLS):
            found.append(f"{module} is pure and may not call {call}()")
        if call in STRUCTLOG_SET_UP and not within(module, ("nodes", "tests")):
            found.append(f"{module} may not set up structlog: nodes does")
    return found


def modules() -> list[tuple[str, Path]]:
    """Every module written by hand, by its dotted name."""
    return [
        (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path)
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
    ]


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_a_module_keeps_the_house_rules(module: str, path: Path) -> None:
    """A module imports and calls only what its place in the house allows."""
    source = path.read_text(encoding="utf-8")
    assert breaches(module, source, package=path.stem == "__init__") == []


def test_every_gateway_module_stands_on_a_floor() -> None:
    """A new gateway module must be given a floor, or the layering would not see it."""
    homeless = [m for m, _ in modules() if m.startswith("gateway.") and floor(m) is None]
    assert homeless == []


@pytest.mark.parametrize("room", ["proto", "proto/yrdx"])
def test_the_word_root_is_no_package(room: str) -> None:
    """`proto` belongs to another project on the registry, so ours is only a source root."""
    assert not (ROOT / "proto" / "__init__.py").exists(), room


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("keys.seal", "from gateway import model"),
        ("keys.seal", "import nodes.run"),
        ("keys.seal", "from yrdx.exchange.v1 import envelope_pb2"),
        ("gateway.model", "import nodes"),
        ("gateway.policy", "from yrdx.exchange.v1 import answer_pb2"),
        ("gateway.server", "from nodes import store"),
        ("nodes.run", "from tests import fakes"),
        ("bench.load", "from tests import fakes"),
        ("gateway.policy", "from cryptography.hazmat.primitives import hashes"),
        ("keys.directory", "from tuf.api.metadata import Root"),
        ("nodes.lab", "from securesystemslib.signer import Key"),
        ("nodes.run", "import nacl.signing"),
        ("gateway.exchange", "import grpc.aio"),
        ("gateway.wire", "from google.rpc import status_pb2"),
        ("gateway.wire", "from google import rpc"),
        ("gateway.policy", "from google.protobuf import timestamp_pb2"),
        ("nodes.config", "import sqlite3"),
        ("nodes.run", "from sqlite_utils import Database"),
        ("nodes.run", "import prometheus_client"),
        ("nodes.run", "import click"),
        ("gateway.server", "from rich.console import Console"),
        ("gateway.server", "import structlog\nstructlog.configure()"),
        ("gateway.model", "from gateway.policy import Policy"),
        ("gateway.model.subject", "from gateway.exchange import admit"),
        ("gateway.kinds.rating", "from gateway import exchange"),
        ("gateway.kinds.rating", "from ..exchange import admit"),
        ("gateway.exchange", "from .server import serve"),
        ("gateway.policy", "import os.path"),
        ("keys.suite", "from pathlib import Path"),
        ("gateway.exchange", "import asyncio"),
        ("gateway.budget", "def f():\n    import time\n    return time.time()"),
        ("gateway.clocks", "import datetime\ndatetime.datetime.now(datetime.UTC)"),
        ("gateway.clocks", "from datetime import date\ndate.today()"),
        ("gateway.clocks", "from datetime import datetime as dt\ndt.utcnow()"),
        ("gateway.clocks", "from time import time"),
        ("keys.directory", "open('members.json')"),
    ],
)
def test_a_breach_is_found(module: str, source: str) -> None:
    """The checker itself can fail: each known breach is seen exactly where it stands."""
    assert breaches(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("keys.seal", "import nacl.public\nfrom keys.errors import SealError"),
        ("keys.custody", "from pathlib import Path\nPath('member.key').read_bytes()"),
        (
            "gateway.wire",
            "from google.protobuf import timestamp_pb2\nfrom yrdx.exchange.v1 import answer_pb2",
        ),
        ("gateway.exchange", "from gateway import kinds, model, wire\nfrom keys import envelope"),
        ("gateway.exchange.admit", "from .release import release"),
        ("gateway.kinds", "from .rating import RATING"),
        ("gateway.server", "import grpc\nimport structlog\nlog = structlog.get_logger()"),
        ("gateway.clocks", "def open_until(self, now):\n    return self.calendar.after(now)"),
        ("nodes.store.facts", "import sqlite3"),
        ("nodes.node", "from gateway.server import serve\nfrom nodes import store\nimport grpc"),
        ("tests.test_store", "import sqlite3\nfrom nodes.store import Store\nfrom tests import fakes"),
        ("bench", "import grpc\nfrom nodes.run import Node"),
    ],
)
def test_a_clean_module_passes(module: str, source: str) -> None:
    """The checker does not forbid what the house allows."""
    assert breaches(module, source, package=module in {"gateway.kinds", "bench"}) == []
