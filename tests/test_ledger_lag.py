"""An answerer whose ledger has long waited for witnesses says so in what it signs, and officers see it."""

from __future__ import annotations

from functools import partial
from io import StringIO

import bundles
import pytest
from bundles import NOW, ROOT, make, plot
from rich.console import Console
from worlds_tables import MEMBERS

from gateway.exchange.release import Home
from gateway.verification import Content, verify
from nodes.cli import tables
from nodes.cli.words import Words


def content() -> Content:
    """Make an answer file and verify it."""
    found = verify(make(plot("summary")).SerializeToString(), root=ROOT, now=NOW).content
    assert isinstance(found, Content)
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_officer_sees_that_the_ledger_lags(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer is genuine and marked, and each member's line says it; of a ledger that is seen nothing is said."""
    words, shown = Words(language=language), []
    for lags in (False, True):
        monkeypatch.setattr(bundles, "Home", partial(Home, lagging=partial(bool, lags)))
        found = content()
        assert [each.accepted.answer.ledger_lagging for each in found.exchanges if each.accepted] == [lags] * 4
        out = StringIO()
        tables.show_content(Console(file=out, width=1000), found, words)
        shown.append(out.getvalue().count(words.say("ledger.lagging")))
    assert shown == [0, len(MEMBERS)]
