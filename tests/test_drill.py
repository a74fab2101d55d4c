"""The drill of keys on real processes: no call fails, everything is turned over, and every member refuses the thief."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from keys.directory import open_bundle
from nodes.cli import main
from nodes.drill import DrillError, KeysDrill, KeysStory
from nodes.lab import MIRROR, ROOT, build
from nodes.mirror import newest
from nodes.trust.errors import Ground, TrustRefused

pytestmark = pytest.mark.net
COMMAND = sys.modules["nodes.cli.drill"]  # the package's own name of it is the command
DRILL = sys.modules["nodes.drill.keys"]
ROLE_KEYS = ("root", "quorum", "publisher", "officer-1", "officer-2")


def test_every_key_is_turned_over_without_a_lost_call(tmp_path: Path) -> None:
    """Under load every kind of key of a member is turned over; a revoked key is refused by every other member."""
    story = KeysDrill(folder=tmp_path, say=lambda _: None).run()
    assert (story.failed, story.failures) == (0, {})
    assert story.calls > 40
    assert set(story.rotated) == {
        *("sign", "seal", "ledger", "witness", "issuing", "leaf"),
        *("root", "quorum", "publisher", "officer-1", "officer-2"),
    }
    assert _role_keys(tmp_path, "310000") == {story.rotated[each] for each in ROLE_KEYS}
    assert set(story.refused_after_seconds) == {"320000", "330000", "340000"}
    assert story.good


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (1, 1)])
def test_the_command_tells_what_happened(monkeypatch: pytest.MonkeyPatch, failed: int, code: int) -> None:
    """One JSON object on stdout, or sentences; a failed call is the command's failure."""
    story = KeysStory(calls=7, failed=failed, refused_after_seconds={"320000": 0.5})
    monkeypatch.setattr(COMMAND, "KeysDrill", lambda **_: _Told(story))
    told = CliRunner().invoke(main, ["drill", "keys", "--json"])
    document: dict[str, Any] = json.loads(told.stdout)
    assert (told.exit_code, document["calls"], document["failed"]) == (code, 7, failed)
    said = CliRunner().invoke(main, ["--lang", "en", "drill", "keys"])
    assert (said.exit_code, "320000 refuses the revoked key after 0.5 s" in said.stdout) == (code, True)


def test_a_drill_that_does_not_end_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that did not come is named."""
    monkeypatch.setattr(COMMAND, "KeysDrill", lambda **_: _Told(DrillError("the first answers did not come")))
    told = CliRunner().invoke(main, ["--lang", "en", "drill", "keys"])
    assert (told.exit_code, "the first answers did not come" in told.output) == (1, True)


def test_refused_role_keys_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the officers' tool refuses ends the drill with its ground."""

    def refuse(*_: object) -> None:
        raise TrustRefused(Ground.NOT_PROVEN, why="")

    monkeypatch.setattr(DRILL, "turn_over", refuse)
    drill = KeysDrill(folder=tmp_path, say=lambda _: None)
    drill.lab = build(tmp_path / "federation")
    with pytest.raises(DrillError, match="NOT_PROVEN"):
        asyncio.run(drill._rotate_roles(drill._load("310000", ("320000",))))


def _role_keys(folder: Path, member: str) -> set[str]:
    """Name the keys of a member that sign roles of the newest bundle, each of which counts in one at least."""
    root = folder / "federation" / ROOT
    roles = open_bundle(newest(folder / "federation" / MIRROR).read_bytes(), root=root.read_bytes()).roles
    return {key.id for role in roles for key in role.keys if key.id.startswith(f"{member}/")}


class _Told:
    """A drill that is over."""

    def __init__(self, outcome: KeysStory | DrillError) -> None:
        self._outcome = outcome

    def run(self) -> KeysStory:
        """Tell it, or fail."""
        if isinstance(self._outcome, DrillError):
            raise self._outcome
        return self._outcome
