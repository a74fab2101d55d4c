"""`yrdx access`: what an enterprise reads, and programs, of who asked about it; and how officers delay a case."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
import worlds
from bundles import AGENCY, NOW
from consents import BANK, KEY, STRANGER, revocation
from consents import signed as sign_of
from test_cli import WORK, folder, run
from test_cli_words import described
from trackers import CASE, MONTH, World, previewed, response, withheld
from worlds_tables import AGREEMENT, ANHUI, JIANGSU, MATTER, MEMBERS, PURPOSE, SHANGHAI, USCC

from gateway import wire
from gateway.desk import parsed, signed
from gateway.errors import Refused
from gateway.exchange.handing import OWNER
from keys import custody
from keys.envelope import Envelope
from nodes.cli import desk_client, words
from nodes.cli.profile import Access
from nodes.cli.subjects import USE
from yrdx.exchange.v1 import access_pb2

__all__ = ["folder"]


class Desk:
    """A desk without a network."""

    def __init__(self, world: World) -> None:
        """Serve a world."""
        self.world = world
        self.answer = b""

    def call(self, access: Access, method: str, request: bytes) -> bytes:
        """Stand in for `desk_client.call`."""
        if self.answer:
            return self.answer
        try:
            return asyncio.run(self._served(method.rpartition("/")[2], request, access.profile.agency))
        except Refused as error:
            raise desk_client.refused(error.reason) from error

    async def _served(self, method: str, request: bytes, agency: str) -> bytes:
        if method == "ReadAccess":
            envelope = signed(parsed(access_pb2.ReadAccessRequest(), request).reading)
            return response(*await self.world.tracker.read(envelope, agency))
        if method == "ReadPreview":
            envelope = signed(parsed(access_pb2.ReadPreviewRequest(), request).reading)
            return previewed(*await self.world.tracker.preview(envelope, agency))
        order = signed(parsed(access_pb2.OrderDelayRequest(), request).order)
        taken = await self.world.tracker.order_delay(order, agency)
        found = access_pb2.OrderDelayResponse()
        found.members.extend(cast("access_pb2.AccessOutcome", wire.to_message(each)) for each in taken)
        return bytes(found.SerializeToString())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Put four members in the place of the network; the firm's key is enrolled, and Jiangsu's bank has asked."""
    for name in (*words.VARIABLES, "YRDX_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "stores").mkdir()
    world = World(folder=tmp_path / "stores")
    asyncio.run(world.counters[SHANGHAI].enrolled())
    asyncio.run(world.ask(JIANGSU, SHANGHAI))
    found = Desk(world)
    monkeypatch.setattr(desk_client, "call", found.call)
    yield found
    world.close()


@pytest.fixture
def by_key(tmp_path: Path, folder: Path) -> tuple[Any, ...]:
    """Give the options of the firm's own key, at the desk of an officer."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"a passphrase of a subject")
    secret.chmod(0o600)
    passphrase = custody.read_passphrase(secret)
    custody.save_seed(
        tmp_path / "own.key", bytes([120]) * 32, passphrase, owner=OWNER, suite=KEY.suite, use=USE, work=WORK
    )
    profile = folder / "profile.toml"
    return (USCC, "--key", tmp_path / "own.key", "--passphrase-file", secret, "--profile", profile)


def test_an_enterprise_reads_who_asked_in_both_languages(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """Agency, members, purpose, role, fields, outcome, proof and reference stand on the terminal; no officer does."""
    assert desk.answer == b""
    for language, texts in (
        ("en", ("Who asked about you", "in the ledger", "answered", "both", "reference to object to")),
        ("zh", ("谁查询过您", "账本已核验", "已答复", "双方", "异议编号")),
    ):
        shown = run("--lang", language, "access", "show", *by_key)
        flat = re.sub(r"\s+", "", shown.stdout)
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert [each for each in texts if re.sub(r"\s+", "", each) not in flat] == []
        assert (BANK in flat, f"{BANK}/o1" in flat, "penalty.band" in flat) == (True, False, True)


def test_the_json_is_what_the_page_says(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """Every field of the document and of an entry is described, in its order."""
    assert desk.answer == b""
    shown = run("access", "show", *by_key, "--json")
    found = json.loads(shown.stdout)
    assert (shown.exit_code, list(found)) == (0, described("access"))
    (entry,) = found["entries"]
    assert list(entry) == described("access entry")
    assert (entry["agency"], entry["proof"], entry["told_by"]) == (BANK, "LOGGED", [SHANGHAI, JIANGSU])
    assert [each["key_id"] for each in found["keys"]] == [KEY.id]


def test_a_member_that_was_not_heard_ends_with_another_code(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """Nobody is said to have asked in a month without entries, unless a member is silent: then that is said."""
    nobody = run("--lang", "en", "access", "show", *by_key, "--from", "2026-01", "--until", "2026-02")
    assert (nobody.exit_code, "No member that answered holds a question" in nobody.stdout) == (0, True)
    desk.world.bent[ANHUI] = withheld
    silent = run("--lang", "en", "access", "show", *by_key, "--from", "2026-01", "--until", "2026-02")
    assert (silent.exit_code, "NOT HEARD" in silent.stdout) == (3, True)
    assert "No member that answered" not in silent.stdout


def test_a_member_that_was_silent_on_one_page_is_not_heard(
    desk: Desk, by_key: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever page it is, its entries are missing: program and person are told so, and the rest is shown."""
    monkeypatch.setattr("gateway.exchange.tracking.ENTRIES", 1)
    monkeypatch.setattr(import_module("nodes.cli.access"), "ENTRIES", 1)
    asyncio.run(desk.world.ask(JIANGSU, SHANGHAI))
    for silent in (0, 1):
        pages = count()

        async def now_and_then(reply: Envelope, silent: int = silent, pages: Iterator[int] = pages) -> Envelope:
            return await withheld(reply) if next(pages) == silent else reply

        desk.world.bent[JIANGSU] = now_and_then
        shown = run("access", "show", *by_key, "--json")
        found = json.loads(shown.stdout)
        states = {each["member"]: each["state"] for each in found["members"]}
        assert (shown.exit_code, len(found["entries"]), next(pages)) == (3, 2, 2)
        assert states == {**dict.fromkeys(MEMBERS, "ANSWERED"), JIANGSU: "UNAVAILABLE"}


@pytest.mark.parametrize(
    "months", [("--from", "2026-13"), ("--from", "2026-04"), ("--until", "x"), ("--from", "1990-01")]
)
def test_months_are_written_as_such(desk: Desk, by_key: tuple[Any, ...], months: tuple[str, str]) -> None:
    """Whatever is no span of months is told, and nothing is sent."""
    desk.answer = b"never"
    ended = run("access", "show", *by_key, *months)
    assert (ended.exit_code, "2026-10" in ended.stderr) == (2, True)


def test_what_is_not_genuine_is_not_shown(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """Garbage from a desk ends with 1 and shows nothing; a refusal of the desk ends with 4."""
    desk.answer = b"\xff"
    ended = run("access", "show", *by_key)
    assert (ended.exit_code, ended.stdout) == (1, "")
    desk.answer = b""
    refused = run("access", "show", *by_key, now=NOW + timedelta(hours=1))
    assert (refused.exit_code, "EXPIRED" in refused.stderr) == (4, True)


@pytest.mark.parametrize("command", [("show",), ("preview", "measures")])
def test_a_key_of_another_is_named_as_the_fault(desk: Desk, by_key: tuple[Any, ...], command: tuple[str, ...]) -> None:
    """Not the profile's keys: the code is not the one that the key was enrolled for, or the key is enrolled no more."""
    rest = (*by_key[1:], *(AS_AGENCY if command[0] == "preview" else ()))
    other = run("--lang", "en", "access", *command, STRANGER, *rest)
    assert (other.exit_code, "--key" in other.stderr, "profile" in other.stderr) == (4, True, False)
    assert ("BAD_SIGNATURE" in other.stderr, STRANGER in other.stderr) == (True, False)
    asyncio.run(desk.world.counters[SHANGHAI].authorising.revoke(sign_of(revocation(), KEY), AGENCY))
    ended = run("--lang", "zh", "access", *command, USCC, *rest)
    assert (ended.exit_code, "--key" in ended.stderr, "KEY_NOT_VALID" in ended.stderr) == (4, True, True)


AS_AGENCY = ("--agency", AGENCY, "--purpose", PURPOSE, "--item", MATTER, "--agreement", AGREEMENT)


def test_an_enterprise_previews_in_both_languages(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """It reads what the agency's officer would, marked as no answer; a member that was not heard is named."""
    desk.world.counters[ANHUI].rows[USCC] = {"measure": [worlds.measure()]}
    for language, texts in (("en", ("PREVIEW of what", "no answer")), ("zh", ("预览", "不是答复"))):
        shown = run("--lang", language, "access", "preview", "measures", *by_key, *AS_AGENCY)
        flat = re.sub(r"\s+", "", shown.stdout)
        assert (shown.exit_code, shown.stderr, "MP01" in flat) == (3, "", True)
        assert [each for each in texts if re.sub(r"\s+", "", each) not in flat] == []
    desk.world.bent[ANHUI] = withheld
    silent = run("--lang", "en", "access", "preview", "measures", *by_key, *AS_AGENCY)
    assert (silent.exit_code, "NOT HEARD" in silent.stdout, "MP01" in silent.stdout) == (3, True, False)
    own = run("--lang", "en", "access", "show", *by_key)
    assert ("YOUR OWN PREVIEW" in own.stdout, KEY.id in re.sub(r"[\s│]+", "", own.stdout)) == (True, True)


def test_the_json_of_a_preview(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """Every field is described, in its order; each member's part holds head and item."""
    desk.world.counters[ANHUI].rows[USCC] = {"penalty": [worlds.penalty()]}
    shown = run("access", "preview", "summary", *by_key, *AS_AGENCY, "--window", "M12", "--json")
    found = json.loads(shown.stdout)
    assert (shown.exit_code, list(found)) == (3, described("preview"))
    assert {each["member"] for each in found["members"]} == {*MEMBERS}
    by_member = {each["member"]: each for each in found["told"]}
    assert [list(each) for each in by_member.values()] == [described("preview told")] * len(MEMBERS)
    assert by_member[ANHUI]["item"]["body"]["penalties"][0]["band"] == "ONE"
    assert (found["subject"]["state"], found["agency"]) == ("FOUND", AGENCY)


def test_what_the_agency_would_be_refused_is_told(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """A refusal ends with 4 and its reason, an option that the kind lacks with 2, garbage with 1."""
    refused = run("access", "preview", "measures", *by_key, *AS_AGENCY[:-1], "NONE")
    assert (refused.exit_code, "NO_AGREEMENT" in refused.stderr) == (4, True)
    assert run("access", "preview", "measures", *by_key, *AS_AGENCY, "--window", "M12").exit_code == 2
    desk.answer = b"\xff"
    ended = run("access", "preview", "measures", *by_key, *AS_AGENCY)
    assert (ended.exit_code, ended.stdout) == (1, "")


def test_two_officers_delay_a_case(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """Every member has taken it, or the one that has not is named with another exit code; then nothing shows."""
    asyncio.run(desk.world.open_case())
    terms = ("access", "delay", CASE, "--until", "2026-05-01", "--ground", "sample", *by_key[-2:])
    taken = run("--lang", "zh", *terms)
    assert (taken.exit_code, SHANGHAI in taken.stdout, "尚未生效" in taken.stdout) == (0, True, False)
    desk.world.bent[ANHUI] = withheld
    told = run("--lang", "en", *terms)
    assert (told.exit_code, "IT DOES NOT HOLD" in told.stdout) == (3, True)
    document = json.loads(run(*terms, "--json").stdout)
    assert (document["format"], {each["member"] for each in document["members"]}) == (
        "yrdx.access-delay.v1",
        {*MEMBERS},
    )
    del desk.world.bent[ANHUI]
    asyncio.run(desk.world.ask(SHANGHAI, JIANGSU, case_reference=CASE))
    assert len(json.loads(run("access", "show", *by_key, "--json").stdout)["entries"]) == 1
    desk.world.at(NOW + MONTH)
    later = run("--lang", "en", "access", "show", *by_key, now=NOW + MONTH)
    assert ("2026-03" in later.stdout, "Shown later" in later.stdout) == (True, True)


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        (("--until", "never", "--ground", "sample"), ("--until", "access_delay_days", "180")),
        (("--until", NOW.date().isoformat(), "--ground", "sample"), ("--until", "access_delay_days")),
        (("--until", "2026-05-01", "--ground", ""), ("--ground", "200")),
        (("--until", "2026-05-01", "--ground", "x" * 201), ("--ground", "200")),
    ],
)
def test_the_terms_of_a_delay_are_checked_before_signing(
    desk: Desk, by_key: tuple[Any, ...], terms: tuple[str, ...], told: tuple[str, ...]
) -> None:
    """The option at fault is named in both languages, and nothing is sent."""
    desk.answer = b"never"
    for language in ("en", "zh"):
        ended = run("--lang", language, "access", "delay", CASE, *terms, *by_key[-2:])
        assert (ended.exit_code, [each for each in told if each not in ended.stderr]) == (2, [])


def test_a_delay_that_is_too_long_is_told_so(desk: Desk, by_key: tuple[Any, ...]) -> None:
    """The desk's directory has the limit: its refusal names that first; another refusal stays what it is."""
    terms = ("access", "delay", CASE, "--ground", "sample", *by_key[-2:])
    missing = run("--lang", "en", *terms, "--until", "2026-05-01")
    assert (missing.exit_code, "CASE_MISSING" in missing.stderr) == (4, True)
    asyncio.run(desk.world.open_case())
    ended = run("--lang", "en", *terms, "--until", "2027-05-01")
    assert (ended.exit_code, "access_delay_days" in ended.stderr, "EXPIRED" in ended.stderr) == (4, True, True)
