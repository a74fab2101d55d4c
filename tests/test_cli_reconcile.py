"""`yrdx ledger reconcile` and `statement`: what differs, for people and programs, and a month that both signed."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
import stores
from bundles import NOW as ISSUED
from bundles import ROOT, SIGNERS, charter_of, signed_directory
from callers import rows
from click.testing import CliRunner, Result
from reconciled import ANSWERER, ASKER, PAIR, Two
from test_cli_words import described

from gateway import wire
from gateway.errors import Unavailable
from gateway.ledger.statement import PAYLOAD_TYPE
from gateway.ledger.statement import directions as both
from gateway.ledger.tally import NOTHING
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent
from gateway.model.reconciliation import PairDifference, PairSummary, Statement
from gateway.months import Month
from gateway.verification.statements import write_file
from keys.envelope import sign
from nodes.cli import main, reconcile
from nodes.cli.session import Session
from nodes.lab import Lab
from nodes.statements import Disagreed

CHARTER = charter_of(ASKER, signed_directory())


class _Config:
    """As much of a node's config as the commands look at."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clock = None


class _Clock:
    now = staticmethod(lambda: ISSUED)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the data folder of a node that lost one reply, and whose partner has lost an answer."""

    async def fill() -> None:
        two = Two(folder=tmp_path)
        for lost in ("", "reply", "", ""):
            await two.ask(lost=lost)
        two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq = 3")
        await two.reconcile()
        two.close()

    asyncio.run(fill())
    monkeypatch.setattr(reconcile, "checked_config", lambda _: _Config(tmp_path / ASKER))
    monkeypatch.setattr(reconcile, "current_charter", lambda _: CHARTER)
    monkeypatch.setattr(reconcile, "open_clock", lambda _: _Clock())
    return tmp_path / ASKER


def run(*arguments: object, lang: str = "en") -> Result:
    """Run the command line."""
    texts = ["--lang", lang, *map(str, arguments)]
    return CliRunner().invoke(
        main, texts, obj=Session(now=lambda: ISSUED), env={"COLUMNS": "200"}, catch_exceptions=False
    )


def reconciled(*arguments: object, lang: str = "en") -> Result:
    """Run `ledger reconcile`."""
    return run("ledger", "reconcile", "--config", "node.toml", *arguments, lang=lang)


@pytest.mark.usefixtures("data")
def test_each_difference_is_shown_with_who_lacks_what() -> None:
    """Number, day, difference, member and entries; a loss is no reason to end with 1, a missing answer is."""
    found = reconciled("--json")
    told = json.loads(found.stdout)
    assert (found.exit_code, told["format"]) == (1, "yrdx.reconciliation.v1")
    assert list(told["findings"][0]) == described("reconciled_finding")
    assert list(told["pairs"][0]) == described("reconciled_pair")
    named = [(each["number"], each["difference"], each["lacking_member"]) for each in told["findings"]]
    assert named == [(2, "LOST", None), (3, "ONE_SIDED", ANSWERER)]
    assert told["findings"][1] | {"found_time": ""} == {
        "asker_member": ASKER, "answerer_member": ANSWERER, "number": 3, "day": "2026-03-02",
        "difference": "ONE_SIDED", "lacking_member": ANSWERER, "asker_entries": [6, 7], "answerer_entries": [],
        "found_time": "",
    }  # fmt: skip
    counted = {(each["asker_member"], each["last_number"], each["findings"]) for each in told["pairs"]}
    assert counted == {(ASKER, 4, 2), (ANSWERER, 0, 0)}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("lang", "word"), [("en", "one ledger knows nothing of it"), ("zh", "一方账本全无记载")])
def test_people_read_it_in_their_language(lang: str, word: str) -> None:
    """A table of pairs, and one of numbers."""
    found = reconciled(lang=lang)
    assert (found.exit_code, word in found.stdout, "2026-03-02" in found.stdout) == (1, True, True)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--with", "330000"), 0, "Nothing was compared yet"),
        (("--from", "2026-03-03"), 0, "The ledgers agree"),
        (("--until", "2026-03-01", "--with", ANSWERER), 0, "The ledgers agree"),
        (("--from", "2026-03-02", "--until", "2026-03-02"), 1, "one ledger knows nothing of it"),
    ],
)
def test_it_is_narrowed_down(options: tuple[str, ...], code: int, said: str) -> None:
    """By partner and by day."""
    found = reconciled(*options)
    assert (found.exit_code, said in found.stdout) == (code, True)


def test_only_losses_are_no_difference(data: Path) -> None:
    """The asker's own ledger explains them."""
    stores.rows(data / "node.db", "DELETE FROM finding WHERE difference <> 'LOST'")
    found = reconciled()
    assert (found.exit_code, "lost on the way" in found.stdout, "The ledgers agree" in found.stdout) == (0, True, True)


@pytest.mark.usefixtures("data")
def test_what_cannot_be_read_or_reached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, and exit code 2."""

    async def silent(*_: object) -> None:
        raise Unavailable("UNAVAILABLE")

    monkeypatch.setattr(reconcile, "_signed", silent)
    found = stated("--month", "2026-02")
    assert (found.exit_code, "UNAVAILABLE" in found.stderr) == (2, True)
    for month, said in (("2026-03", "not over"), ("March", "Month")):
        ended = stated("--month", month)
        assert (ended.exit_code, bool(ended.stderr), said) == (2, True, said)


def stated(*arguments: object) -> Result:
    """Run `ledger statement` into a file of no folder."""
    return run("ledger", "statement", "--config", "node.toml", "--with", ANSWERER, "--out", "/nowhere/x", *arguments)


def statement() -> Statement:
    """Write a statement of February with a difference."""
    first, second = (PairSummary(asker_member=one, answerer_member=other, digest=NOTHING) for one, other in both(PAIR))
    lost = PairDifference(pair_sequence=7, difference="HOLE")
    differing = PairSummary(
        asker_member=first.asker_member, answerer_member=first.answerer_member, first_number=1, last_number=9,
        answered_count=8, digest=NOTHING, difference_count=1, differences=(lost,),
    )  # fmt: skip
    return Statement(members=(ANSWERER, ASKER), month="2026-02", issued_time=ISSUED, pairs=(differing, second))


@pytest.mark.usefixtures("data")
def test_a_partner_that_disagrees_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has found is shown; nothing is written."""

    async def other(*_: object) -> None:
        raise Disagreed(statement())

    monkeypatch.setattr(reconcile, "_signed", other)
    found = stated("--month", "2026-02")
    assert (found.exit_code, "neither ledger knows the number" in found.stderr) == (1, True)


def test_a_file_is_verified_and_shown(tmp_path: Path) -> None:
    """With the root alone; what is not genuine ends with 1 and says which check failed."""
    good = write_file(sign(PAYLOAD_TYPE, wire.encode(statement()), *(SIGNERS[each] for each in PAIR)),
                      signed_directory())  # fmt: skip
    bad = write_file(sign(PAYLOAD_TYPE, wire.encode(statement()), SIGNERS[ASKER]), signed_directory())
    (tmp_path / "root.json").write_bytes(ROOT)
    for content, code, word in ((good, 0, "GENUINE: 310000 and 320000"), (bad, 1, "SIGNATURE")):
        (tmp_path / "file").write_bytes(content)
        arguments = ("verify", tmp_path / "file", "--root", tmp_path / "root.json")
        found = run(*arguments)
        assert (found.exit_code, word in found.stdout) == (code, True)
        told = json.loads(run(*arguments, "--json").stdout)
        assert list(told) == described("statement")
        assert (told["genuine"], told["statement"] is None) == (code == 0, code == 1)


@pytest.mark.net
def test_a_month_is_signed_by_two_running_nodes_and_verified_offline(lab: Lab, tmp_path: Path) -> None:
    """From the command line to the partner's door and back; both enter it, and the file needs nothing but the root."""
    mine, partner = "330000", "340000"
    month = Month.before(lab.clock().date()).text
    since = "SELECT count(*) FROM reconciled_day WHERE time IS NOT NULL AND ? IN (asker, answerer)"
    ends = time.monotonic() + 60
    while any(rows(lab, one, since, other)[0][0] < 2 for one, other in ((mine, partner), (partner, mine))):
        assert time.monotonic() < ends
        time.sleep(0.2)
    config, out = lab.home(mine) / "node.toml", tmp_path / "month.statement"
    arguments = ("ledger", "statement", "--config", config, "--with", partner, "--month", month)
    found = run(*arguments, "--out", out)
    assert (found.exit_code, month in found.stderr) == (0, True), found.output
    (tmp_path / "root.json").write_bytes(lab.root)
    assert run("verify", out, "--root", tmp_path / "root.json").exit_code == 0
    events = [
        [wire.decode(LedgerEvent, shared) for (shared,) in rows(lab, each, "SELECT shared FROM ledger_entry")]
        for each in (mine, partner)
    ]
    digests = [{each.reply_digest for each in found if each.kind is LedgerEventKind.RECONCILED} for found in events]
    assert (len(digests[0]), digests[0]) == (1, digests[1])
    again = run("ledger", "reconcile", "--config", config, "--again", "--json")
    assert (again.exit_code, json.loads(again.stdout)["findings"]) == (0, [])
    nobody = run(*arguments[:5], mine, *arguments[6:], "--out", tmp_path / "other")
    assert (nobody.exit_code, "--with" in nobody.stderr) == (2, True)
