"""Turning keys over: what is made, what the entry says, which key signs when, and backups."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from keepers import ME, NOW, Desk, make_desk

from keys import custody, moments, suite
from keys.envelope import from_json
from keys.errors import CustodyError, KeyNotValid, KeyUnknown, PassphraseWrong, SignatureInvalid
from keys.possession import open_proof
from keys.suite import Signer
from nodes import backup
from nodes.keyring import Keyring
from nodes.lab import LIGHT
from nodes.setup import DESK

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
WORD = b"backup words"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a member of a federation whose clock stands."""
    return make_desk(tmp_path)


def ring(desk: Desk) -> Keyring:
    """Open the member's keyring."""
    return Keyring(ME, desk.keys, desk.passphrase)


def rows(desk: Desk, use: str) -> list[tuple[datetime, datetime]]:
    """Give begin and end of each key of a use in the entry."""
    found = [row for row in desk.entry.standing.keys if row["use"] == use]
    return [(moments.read(row["valid_from"]), moments.read(row["valid_until"])) for row in found]


def test_a_rotation_overlaps_by_the_rule(desk: Desk) -> None:
    """The successor begins a day ahead and lives a year; the old key ends thirty days after that."""
    ((first, _),) = rows(desk, "sign")
    desk.keeper.rotate("sign", None)
    assert rows(desk, "sign") == [(first, NOW + 31 * DAY), (NOW + DAY, NOW + 366 * DAY)]
    desk.now += 10 * DAY
    desk.keeper.rotate("sign", desk.now)
    assert [end for _, end in rows(desk, "sign")] == [NOW + 31 * DAY, NOW + 40 * DAY, NOW + 375 * DAY]


def test_no_gap_opens_before_a_late_successor(desk: Desk) -> None:
    """Where the last key ends before the lead is over the successor begins with its end; after it, at once."""
    ((_, end),) = rows(desk, "sign")
    desk.now = end - timedelta(hours=2)
    desk.keeper.rotate("sign", None)
    assert rows(desk, "sign")[1][0] == end
    desk.now = end + 400 * DAY
    desk.keeper.rotate("sign", None)
    assert rows(desk, "sign")[2][0] == desk.now


def test_the_bundle_says_which_key_signs(desk: Desk) -> None:
    """A new key signs once it is listed and valid by everybody's clock, the old one until then; no restart."""
    held, old = ring(desk), desk.entry.standing.keys[0]["id"]
    new = desk.keeper.rotate("sign", None)
    begins = NOW + DAY
    assert held.poll()
    assert not held.poll()
    assert held.signer(desk.charter.directory, begins + DAY).id == old  # not listed yet
    desk.publish()
    directory = desk.charter.directory
    moments_and_keys = [(begins - SECOND, old), (begins + SECOND, old), (begins + 31 * SECOND, new)]
    assert [held.signer(directory, at).id for at, _ in moments_and_keys] == [each for _, each in moments_and_keys]


def test_a_key_that_is_not_listed_signs_nothing(desk: Desk) -> None:
    """Whatever lies in the folder: with no listed key there is no signature; another member's is none of ours."""
    held, directory = ring(desk), desk.charter.directory
    listed = directory.member(ME).keys[0].id
    (desk.keys / "sign.key").unlink()
    seed = suite.generate_seed()
    custody.save_seed(desk.keys / "x.key", seed, desk.passphrase, owner="320000", suite=suite.INT_1, work=LIGHT)
    custody.save_seed(desk.keys / "y.key", seed, desk.passphrase, owner=ME, suite=suite.INT_1, work=LIGHT)
    assert held.poll()
    assert held.ids == {suite.key_id(ME, suite.signer(seed, owner=ME).public)}
    assert listed not in held.ids
    with pytest.raises(KeyNotValid, match="no key of 310000 for sign"):
        held.signer(directory, NOW)


def test_a_revoked_key_is_left_at_once(desk: Desk) -> None:
    """From the bundle that revokes the newest key on the one before it signs again; without one nothing does."""
    old = desk.entry.standing.keys[0]["id"]
    new = desk.keeper.rotate("sign", NOW)
    desk.publish()
    desk.now, held = NOW + DAY, ring(desk)
    assert held.signer(desk.charter.directory, desk.now).id == new
    desk.keeper.revoke(new, desk.now - timedelta(hours=3))
    desk.publish()
    assert held.signer(desk.charter.directory, desk.now).id == old
    key = next(each for each in desk.charter.directory.member(ME).keys if each.id == new)
    assert (key.revoked_time, key.suspect_from) == (desk.now, desk.now - timedelta(hours=3))
    desk.keeper.revoke(old, None)
    desk.publish()
    with pytest.raises(KeyNotValid):
        held.signer(desk.charter.directory, desk.now + SECOND)


def test_what_cannot_be_revoked_is_refused(desk: Desk) -> None:
    """A key of no row, and a suspicion of a time to come."""
    before = desk.entry
    with pytest.raises(KeyUnknown, match="lists no key of that id"):
        desk.keeper.revoke("310000/0000000000000000", None)
    with pytest.raises(CustodyError, match="has not come yet"):
        desk.keeper.revoke(before.standing.keys[0]["id"], NOW + SECOND)
    assert desk.entry == before


def test_each_signing_key_proves_that_it_is_held(desk: Desk) -> None:
    """The entry has for each key that signs a signature of its own; another's is refused (threat 9)."""
    desk.keeper.rotate("sign", None)
    desk.keeper.generate("ledger", None)
    desk.keeper.generate("seal", None)
    claims = [claim for each in desk.entry.proofs for claim in open_proof(from_json(each.encode()))]
    signing = [row for row in desk.entry.standing.keys if row["use"] != "seal"]
    assert [(each.id, each.use) for each in claims if each.use != DESK] == [(row["id"], row["use"]) for row in signing]
    mine, other = (json.loads(each) for each in desk.entry.proofs[-2:])
    with pytest.raises((SignatureInvalid, KeyUnknown)):
        open_proof(from_json(json.dumps(mine | {"signatures": other["signatures"]}).encode()))


def test_a_sealing_key_is_pre_published(desk: Desk) -> None:
    """A sealing key stands in the bundle before it begins, as X25519, and its file opens as an opener."""
    made = desk.keeper.generate("seal", NOW + DAY)
    desk.publish()
    (key,) = (each for each in desk.charter.directory.member(ME).keys if each.id == made)
    assert (key.use, key.valid_from, key.valid_until) == ("seal", NOW + DAY, NOW + 38 * DAY)
    path = desk.keys / f"seal-{made.rpartition('/')[2]}.key"
    assert custody.load_opener(path, desk.passphrase).public == key.public
    assert made not in ring(desk).ids


def test_a_file_that_does_not_open_is_left(desk: Desk) -> None:
    """A torn key file, or one that others may read, changes nothing; after a chmod it is taken."""
    held = ring(desk)
    made = desk.keeper.rotate("sign", NOW)
    path = desk.keys / f"sign-{made.rpartition('/')[2]}.key"
    path.chmod(0o644)
    (desk.keys / "torn.key").write_text("{", encoding="utf-8")
    (desk.keys / "torn.key").chmod(0o600)
    assert not held.poll()
    path.chmod(0o600)
    assert held.poll()
    assert made in held.ids


def test_a_token_that_cannot_be_reached_is_no_key(desk: Desk) -> None:
    """Keys on a token come and go with it; those in files stay."""
    seed = suite.generate_seed()
    there: list[Signer] = [suite.signer(seed, owner=ME)]

    def token() -> list[Signer]:
        if not there:
            raise CustodyError("gone")
        return there

    held = Keyring(ME, desk.keys, desk.passphrase, token=token)
    assert (there[0].id in held.ids, len(held.ids)) == (True, 2)
    there.clear()
    assert (held.poll(), len(held.ids)) == (True, 1)


def test_a_backup_brings_everything_back(desk: Desk, tmp_path: Path) -> None:
    """What was backed up is restored byte for byte, opens, and is for its owner alone."""
    desk.keeper.rotate("sign", None)
    files = {each.name: each.read_bytes() for each in desk.keys.iterdir()}
    out, folder = tmp_path / "b", tmp_path / "restored"
    assert backup.back_up(desk.keys, out, WORD, owner=ME, work=LIGHT) == len(files)
    assert set(backup.restore(out, folder, WORD, owner=ME)) == set(files)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == files
    assert {each.stat().st_mode & 0o777 for each in (out, *folder.iterdir())} == {0o600}
    assert Keyring(ME, folder, desk.passphrase).ids == ring(desk).ids


def test_a_backup_shows_nothing_of_its_files(desk: Desk, tmp_path: Path) -> None:
    """Neither names nor content stand in it, and a wrong passphrase opens nothing."""
    out = tmp_path / "b"
    backup.back_up(desk.keys, out, WORD, owner=ME, work=LIGHT)
    content = out.read_bytes()
    assert not any(word in content for word in (b"sign", b"ENCRYPTED", desk.passphrase))
    with pytest.raises(PassphraseWrong):
        backup.restore(out, tmp_path / "r", b"other", owner=ME)
    assert not (tmp_path / "r").exists()


def test_a_restore_writes_over_nothing(desk: Desk, tmp_path: Path) -> None:
    """One file of the folder is there already: none is written; nor is another member's backup."""
    out, folder = tmp_path / "b", tmp_path / "r"
    backup.back_up(desk.keys, out, WORD, owner=ME, work=LIGHT)
    folder.mkdir()
    (folder / "sign.key").write_text("mine", encoding="utf-8")
    with pytest.raises(CustodyError, match="never written over"):
        backup.restore(out, folder, WORD, owner=ME)
    with pytest.raises(CustodyError, match="of the member 310000"):
        backup.restore(out, tmp_path / "other", WORD, owner="320000")
    assert [each.name for each in folder.iterdir()] == ["sign.key"]


def test_an_open_key_file_is_not_backed_up(desk: Desk, tmp_path: Path) -> None:
    """A key that others may read is told, not copied."""
    (desk.keys / "sign.key").chmod(0o640)
    with pytest.raises(CustodyError, match=r"sign\.key"):
        backup.back_up(desk.keys, tmp_path / "b", WORD, owner=ME, work=LIGHT)


def test_names_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    """A backup that was made by hand cannot write elsewhere."""
    custody.save_backup(tmp_path / "b", b'{"../x": "AAAA"}', WORD, owner=ME, work=LIGHT)
    with pytest.raises(CustodyError, match="plain name"):
        backup.restore(tmp_path / "b", tmp_path / "r", WORD, owner=ME)
    assert not (tmp_path / "x").exists()


def test_a_wrong_use_is_no_backup(desk: Desk) -> None:
    """A key file is not taken for a backup."""
    with pytest.raises(CustodyError, match="not for 'backup'"):
        custody.load_backup(desk.keys / "sign.key", desk.passphrase)


def test_a_successor_begins_neither_in_the_past_nor_after_a_gap(desk: Desk) -> None:
    """Either would leave an entry that no bundle takes, or a time without a key; the entry stays as it was."""
    before, ((_, end),) = desk.entry, rows(desk, "sign")
    files = sorted(desk.keys.iterdir())
    with pytest.raises(CustodyError, match="cannot begin in the past"):
        desk.keeper.rotate("sign", NOW - DAY)
    with pytest.raises(CustodyError, match="end before that"):
        desk.keeper.rotate("sign", end + SECOND)
    assert desk.entry == before
    assert sorted(desk.keys.iterdir()) == files


def test_a_second_revocation_takes_nothing_back(desk: Desk) -> None:
    """The earlier revocation and the earlier suspicion stand, whichever was told last."""
    key = desk.entry.standing.keys[0]["id"]
    desk.keeper.revoke(key, NOW - DAY)
    desk.now = NOW + DAY
    desk.keeper.revoke(key, None)
    desk.keeper.revoke(key, NOW)
    row = desk.entry.standing.keys[0]
    assert (moments.read(row["revoked_time"]), moments.read(row["suspect_from"])) == (NOW, NOW - DAY)
    desk.keeper.revoke(key, NOW - 2 * DAY)
    assert moments.read(desk.entry.standing.keys[0]["suspect_from"]) == NOW - 2 * DAY


def test_each_use_has_a_ring_of_its_own(desk: Desk) -> None:
    """A new member has a key for messages and one for its ledger; neither ring holds or gives the other's."""
    directory = desk.charter.directory
    rings = {use: Keyring(ME, desk.keys, desk.passphrase, use=use) for use in ("sign", "ledger", "witness")}
    found = {use: ring.signer(directory, NOW).id for use, ring in rings.items()}
    assert {use: directory.key(key, use=use, at=NOW).id for use, key in found.items()} == found
    assert [ring.ids for ring in rings.values()] == [{key} for key in found.values()]
