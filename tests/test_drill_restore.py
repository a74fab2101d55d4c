"""Threat 23 on real processes: yesterday's backup is restored, and nothing is served, forked or numbered twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from callers import rows
from click.testing import CliRunner
from ledgered import wounds
from test_cli_words import described

from gateway.ledger.checkpoint import read_head
from gateway.ledger.note import read_note
from nodes.cli import main
from nodes.drill import DrillError, RestoreDrill, RestoreStory
from nodes.health import read_health

COMMAND = sys.modules["nodes.cli.drill"]  # the package's own name of it is the command


@pytest.mark.net
@pytest.mark.timeout(400)
def test_a_day_old_copy_serves_nothing_before_it_recovered(tmp_path: Path) -> None:
    """Nothing is entered early, every loss is explained, no number stands twice, and nobody has evidence of a fork."""
    drill = RestoreDrill(folder=tmp_path, say=lambda _: None)
    story = drill.run()
    assert (story.early, story.one_sided, story.repeated) == (0, 0, 0)
    assert story.lost > 0
    assert story.recovered > 0
    assert story.log == "yrdx/ledger/310000/2"
    lab = drill.lab
    for member in lab.members:
        assert wounds(lab, member) == []
        assert read_health(lab.config(member).data)["ledger"]["forks"] == 0
    numbers = rows(lab, "310000", "SELECT member, pair_sequence, count(*) FROM sent GROUP BY 1, 2 HAVING count(*) > 1")
    assert numbers == []
    held = [row[0] for row in rows(lab, "320000", "SELECT checkpoint FROM held_head WHERE origin LIKE '%/310000/_'")]
    heads = {head.origin: head for head in (read_head(read_note(each).text) for each in held)}
    opened = rows(lab, "310000", "SELECT hex(previous) FROM ledger_log WHERE number = 2")[0][0].lower()
    gaps = drill.lab.document()["gaps"]
    assert [each["follows"] for each in gaps] == [opened]
    assert gaps[0]["size"] == heads["yrdx/ledger/310000/1"].size == gaps[0]["kept"] + story.lost


class _Told:
    """A drill that is over."""

    def __init__(self, outcome: RestoreStory | DrillError) -> None:
        self._outcome = outcome

    def run(self) -> RestoreStory:
        """Tell it, or fail."""
        if isinstance(self._outcome, DrillError):
            raise self._outcome
        return self._outcome


@pytest.mark.parametrize(("one_sided", "code"), [(0, 0), (1, 1)])
def test_the_command_tells_what_happened(monkeypatch: pytest.MonkeyPatch, one_sided: int, code: int) -> None:
    """One JSON object on stdout, or a sentence; what stays unexplained is the command's failure."""
    story = RestoreStory(lost=7, recovered=6, one_sided=one_sided)
    monkeypatch.setattr(COMMAND, "RestoreDrill", lambda **_: _Told(story))
    told = CliRunner().invoke(main, ["drill", "restore", "--json"])
    document = json.loads(told.stdout)
    assert (told.exit_code, list(document)) == (code, described("drill_restore"))
    said = CliRunner().invoke(main, ["--lang", "en", "drill", "restore"])
    assert (said.exit_code, "7 entries lost, 6 taken back" in said.stdout) == (code, True)


def test_a_drill_that_does_not_end_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that did not come is named."""
    monkeypatch.setattr(COMMAND, "RestoreDrill", lambda **_: _Told(DrillError("the gap written: did not come")))
    told = CliRunner().invoke(main, ["--lang", "en", "drill", "restore"])
    assert (told.exit_code, "the gap written" in told.output) == (1, True)
