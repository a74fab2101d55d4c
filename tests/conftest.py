"""What many tests share: one federation of real processes a session, and a member that asks by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from callers import Caller
from hypothesis import settings
from populations import populate

from bench.populations import give_out
from nodes.lab import Lab, build

settings.register_profile("yrdx", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("yrdx")

SUSPENDED = "SUSPENDED-2026"


def add_suspended_agreement(document: dict[str, Any]) -> None:
    """Add an agreement of the four regions that is suspended, and a floor for the askers' directories."""
    first = next(each for each in document["agreements"] if each["id"] == "YRD-4-2026")
    document["agreements"].append({**first, "id": SUSPENDED, "suspended": True, "precedence": 900})
    document["minimum_version"] = 1


UNMEASURED = tuple(
    f"test_{each}"
    for each in (
        *("batch", "bookkeeping", "bundle_following", "cli_", "comparing", "config", "cosigning", "docs", "drill"),
        *("duties", "faults", "files", "hostile", "inbox", "ingest", "keeper", "keys_hardware", "leave", "logs"),
        *("markers", "metrics", "participants", "reconciling", "recovering", "restoring", "sample", "stops", "store"),
        *("trust", "watching"),
    )
)
MEASURED = ("test_cli_accounts",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of a node's rooms: what they reach of keys and gateway is measured by the other tests."""
    for each in items:
        if each.path.stem.startswith(UNMEASURED) and not each.path.stem.startswith(MEASURED):
            each.add_marker(pytest.mark.unmeasured)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run four members as processes, each with a small sample of facts."""
    built = build(tmp_path_factory.mktemp("federation"))
    built.edits.append(add_suspended_agreement)
    built.publish()  # before they start, so that it holds from the first question on
    for member in built.members:
        populate(built, member)
    give_out(built, *built.members)
    built.start(*built.members)
    try:
        yield built
    finally:
        built.stop()


@pytest.fixture
async def caller(lab: Lab) -> AsyncIterator[Caller]:
    """Give Shanghai's node as an asker by hand."""
    found = Caller(lab=lab)
    yield found
    await found.close()


@pytest.fixture
def vectors() -> Path:
    """Name the folder of public test figures."""
    return Path(__file__).parent / "vectors"
