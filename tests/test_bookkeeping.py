"""The leading worker enters what commands did and what was changed by hand, and names whom evidence proves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from keepers import ME, NOW, make_desk
from offices import AGENCY, AUDITOR, MANAGER, SECURE, Office, config
from stores import exchange, question, rows

from gateway import wire
from gateway.model.ledger import LedgerPrivate
from keys.envelope import from_json, to_json
from nodes.acts import RoleMissing, check_role, judge
from nodes.bookkeeping import PATIENCE, Bookkeeping
from nodes.bundle.following import BundleMissing
from nodes.cli.backup import _secret
from nodes.copies import DATABASES, back_up
from nodes.store.doers import NOBODY


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give a member's books."""
    desk = make_desk(tmp_path)
    desk.lab._write_profiles(ME, "127.0.0.1:1")
    found = Office(desk)
    yield found
    found.close()


async def test_what_a_command_did_is_entered_with_its_officer(office: Office) -> None:
    """Role and officer are named, and what the command changed is not taken for a change by hand."""
    await office.rounds()
    profile = office.desk.lab.profile(SECURE)
    done = office.desk.run("generate", *config(office), "--use", "witness", "--profile", profile)
    assert done.exit_code == 0, done.output
    await office.rounds(PATIENCE + 2)
    assert office.acts() == [("KEYS_GENERATE", "secure", SECURE)]


async def test_without_a_profile_nobody_is_named(office: Office) -> None:
    """The act is entered all the same."""
    await office.rounds()
    assert office.desk.run("generate", *config(office), "--use", "witness").exit_code == 0
    await office.rounds()
    assert office.acts() == [("KEYS_GENERATE", "secure", "")]


def test_an_officer_without_the_role_does_nothing(office: Office) -> None:
    """The command ends before it acts, and says which role is missing."""
    before = sorted(each.name for each in office.desk.keys.iterdir())
    profile = office.desk.lab.profile(AUDITOR)
    done = office.desk.run("generate", *config(office), "--use", "witness", "--profile", profile)
    assert (done.exit_code, "has not the role secure" in done.output) == (2, True)
    assert sorted(each.name for each in office.desk.keys.iterdir()) == before


def test_a_profile_of_another_member_is_refused(office: Office) -> None:
    """Its officer is none of this node's."""
    desk = office.desk
    desk.lab._write_profiles("320000", "127.0.0.1:1")
    profile = desk.lab.profile("320000-credit/s1")
    done = desk.run("generate", *config(office), "--use", "witness", "--profile", profile)
    assert (done.exit_code, "another member" in done.output) == (2, True)


async def test_what_was_changed_by_hand_is_entered_once_it_stays(office: Office) -> None:
    """A key file that nobody announced: as done by nobody, after some rounds, and once."""
    await office.rounds(2)
    (office.desk.keys / "stray.key").write_text("{}", encoding="utf-8")
    await office.rounds(PATIENCE)
    assert office.acts() == []
    await office.rounds(3)
    assert office.acts() == [("KEYS", "secure", "")]


async def test_a_round_that_fails_is_told_once_and_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the kind of the error alone."""
    calls = []

    async def fails(self: Bookkeeping) -> None:
        calls.append(self)
        raise OSError("secret path")

    monkeypatch.setattr(Bookkeeping, "round", fails)
    for _ in range(2):
        await office.books._try()
    told = capsys.readouterr().out
    assert (len(calls), told.count("acts_not_entered"), "secret" in told) == (2, 1, False)


CLAIMS: dict[str, Any] = {
    "another's key": lambda office: office.doer(AUDITOR).sign,
    "nothing": lambda _: NOBODY.sign,
    "no envelope": lambda _: lambda _: b"{}",
    "another act": lambda office: lambda done: office.doer(SECURE).sign(replace(done, time=NOW - timedelta(1))),
    "a stranger's key": lambda office: lambda done: _renamed(office.doer(SECURE).sign(done)),
}


def _renamed(evidence: bytes) -> bytes:
    envelope = from_json(evidence)
    (signature,) = envelope.signatures
    return to_json(replace(envelope, signatures=(replace(signature, key_id=f"{ME}-x/y/0000000000000000"),)))


@pytest.mark.parametrize("claim", CLAIMS)
def test_whom_the_evidence_does_not_prove_is_not_named(claim: str, office: Office) -> None:
    """A name alone is no evidence: an innocent officer would be named."""
    honest = office.doer(SECURE)
    charter = office.following.current
    assert judge(charter, honest.done("KEYS", "secure", b"d", NOW)).officer == SECURE
    forged = replace(honest, sign=CLAIMS[claim](office)).done("KEYS", "secure", b"d", NOW)
    assert judge(charter, forged).officer == ""


def test_an_officer_is_named_only_for_a_role_of_the_day(office: Office) -> None:
    """Another role, another member's agency, or nobody at all."""
    charter, honest = office.following.current, office.doer(SECURE)
    assert judge(charter, honest.done("INGEST", "administer", b"d", NOW)).officer == ""
    assert judge(charter, NOBODY.done("INGEST", "administer", b"d", NOW)).name == "INGEST"
    for who in (replace(honest, agency="320000-credit"), replace(honest, officer=f"{AGENCY}/nobody")):
        with pytest.raises(RoleMissing):
            check_role(charter, who, "secure", NOW)
    check_role(charter, NOBODY, "secure", NOW)


def test_a_deletion_names_the_officer_who_had_it_done(office: Office) -> None:
    """Nothing goes without the role; with it the statement is kept, and without a profile nobody is named."""

    async def answer(number: int) -> None:
        at = NOW - timedelta(days=8_000 + number)
        asked = exchange(number, received_time=at, day=at.date(), question=question(number, purpose="procurement"))
        await office.store.journal.commit(asked)

    keys = "SELECT count(*) FROM storage_key WHERE destroyed IS NULL"
    asyncio.run(office.rounds())
    asyncio.run(answer(1))
    refused = office.retain("--profile", office.desk.lab.profile(AUDITOR))
    assert (refused.exit_code, "has not the role administer" in refused.output) == (2, True)
    assert rows(office.path, keys) == [(1,)]
    assert office.retain("--profile", office.desk.lab.profile(MANAGER)).exit_code == 0
    asyncio.run(answer(2))
    assert office.retain().exit_code == 0
    assert rows(office.path, keys) == [(0,)]
    told = [each for each in office.acts() if each[0]]
    assert told == [("DELETION", "administer", MANAGER)] * 4 + [("DELETION", "administer", "")] * 4
    evidence = rows(office.path, "SELECT evidence FROM act_entered WHERE source = 'retention'")
    assert [len(from_json(each).signatures) for (each,) in evidence] == [1] * 4


def restored(office: Office, officer: str) -> list[tuple[str, str]]:
    """Lose everything, restore as an officer, recover, and give role and officer of the restores in the ledger."""
    assert office.restore(officer).exit_code == 0
    rows(office.path, "UPDATE restoration SET recovered_time = restored_time")
    reopened = Office(office.desk)
    asyncio.run(reopened.rounds())
    reopened.close()
    found = [wire.decode(LedgerPrivate, row[0]) for row in rows(office.path, "SELECT private FROM ledger_entry")]
    return [(each.role, each.officer) for each in found if each.act == "RESTORE"]


def lose(office: Office) -> None:
    """Take a backup, and lose the databases."""
    back_up(office.config.data, office.desk.home / "backup", ME, _secret(office.config), NOW)
    office.close()
    for name in DATABASES:
        (office.config.data / name).unlink()


def test_a_restore_names_the_officer_who_had_the_role(office: Office) -> None:
    """Without the role nothing is put in place; the statement outlives the recovery, and is judged after it."""
    lose(office)
    refused = office.restore(AUDITOR)
    assert (refused.exit_code, "has not the role administer" in refused.output) == (2, True)
    assert not office.path.exists()
    assert restored(office, MANAGER) == [("administer", MANAGER)]


def test_on_a_machine_without_a_bundle_the_node_judges_who_restored(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restore goes on, and an officer without the role is not named for it."""

    def missing(_: object) -> None:
        raise BundleMissing("none yet")

    lose(office)
    monkeypatch.setattr(sys.modules["nodes.cli.backup"], "current_charter", missing)
    assert restored(office, AUDITOR) == [("administer", "")]
