"""A member's own stops and the keys that sign them: turned over, revoked and gone, with the node up or down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from keepers import ME, Desk, make_desk

from keys import custody
from keys.envelope import from_json
from keys.suite import Signer
from nodes.bundle import stops
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.bundle.stops import STOPS, StopsRefused
from nodes.cli import main
from nodes.cli.session import Session
from nodes.credentials import open_keyring
from nodes.metrics import Metrics
from nodes.polling import Polling
from nodes.setup import ENTRY
from nodes.turnover import fingerprint

OTHER, THIRD = "330000", "340000"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give Shanghai's folder."""
    return make_desk(tmp_path)


def run(desk: Desk, command: str, identity: str = OTHER, what: str = "member") -> Result:
    """Run `yrdx stop` or `yrdx lift`."""
    more = ["--ground", "sample"] if command == "stop" else []
    texts = ["--lang", "en", command, what, identity, *more, "--config", str(desk.home / "node.toml")]
    done = CliRunner().invoke(main, texts, obj=Session(now=lambda: desk.now))
    assert done.exit_code == 0, done.output
    return done


def follow(desk: Desk) -> Following:
    """Start what a node does with its bundle, and end it: what is in force stays in it."""
    found = Following(Source.of(desk.lab.config(ME)))
    found.poll()
    found.close()
    return found


def stopped(following: Following) -> set[str]:
    """Name the members that are stopped."""
    directory = following.current.directory
    return {each.id for each in directory.members if directory.suspended(each.id, directory.issued_time)}


def file(desk: Desk) -> Path:
    """Give the file of stops."""
    return desk.lab.config(ME).data / STOPS


def signed_by(desk: Desk) -> str:
    """Name the key that signed the stops."""
    return from_json(file(desk).read_bytes()).signatures[0].key_id


def rotate(desk: Desk) -> str:
    """Turn the signing key over, until the new one signs; give the old one's id."""
    old = signer(desk).id
    desk.keeper.rotate("sign", desk.now)
    desk.now += timedelta(hours=1)
    desk.publish()
    assert signer(desk).id != old
    return old


def signer(desk: Desk) -> Signer:
    """Give the key that signs now."""
    return open_keyring(desk.lab.config(ME)).signer(desk.charter.directory, desk.now)


def drop(desk: Desk, key_id: str) -> None:
    """Take a key out of the entry, and publish."""
    entry = desk.entry
    kept = tuple(row for row in entry.standing.keys if row["id"] != key_id)
    changed = replace(entry, standing=replace(entry.standing, keys=kept))
    (desk.home / ENTRY).write_text(changed.to_json(), encoding="utf-8")
    desk.publish()


def renew(desk: Desk, following: Following, by: Signer | None = None) -> None:
    """Do what a running node does each second with its stops."""
    Polling(following, desk.lab.config(ME).data, Metrics()).renew_stops(by or signer(desk), desk.now)


@pytest.mark.parametrize("node", ["up", "down"])
def test_a_stop_outlives_its_key(node: str, desk: Desk) -> None:
    """Rotated away and out of the bundle: after a restart the stop is in force, and can be lifted."""
    run(desk, "stop")
    following, old = follow(desk), rotate(desk)
    following = follow(desk)
    if node == "up":
        renew(desk, following)
    assert (signed_by(desk) == old) is (node == "down")
    drop(desk, old)
    assert follow(desk).stops == following.stops
    assert stopped(follow(desk)) == {OTHER}
    run(desk, "stop", THIRD)
    assert signed_by(desk) == signer(desk).id
    assert stopped(follow(desk)) == {OTHER, THIRD}
    run(desk, "lift")
    assert stopped(follow(desk)) == {THIRD}


def test_a_running_node_keeps_its_stops_when_their_key_is_stolen(desk: Desk) -> None:
    """Suspicion reaches back behind the stop's signing: the node that knew it signs it anew."""
    run(desk, "stop")
    following, begun = follow(desk), desk.now
    old = rotate(desk)
    desk.keeper.revoke(old, begun - timedelta(minutes=1))
    own = signer(desk)
    desk.publish()
    following.poll()
    following.close()
    renew(desk, following, own)
    assert stopped(follow(desk)) == {OTHER}


def test_a_stolen_key_signs_no_stops(desk: Desk) -> None:
    """Signed when the key may have been stolen, and no node ran since: refused with what to do, in force or dropped."""
    run(desk, "stop")
    begun, old = desk.now, rotate(desk)
    desk.keeper.revoke(old, begun - timedelta(minutes=1))
    desk.publish()
    for _ in range(2):
        with pytest.raises(StopsRefused, match="read what it holds, remove it, and stop again"):
            restarted(desk)
        drop(desk, old)
    file(desk).unlink()
    assert stopped(follow(desk)) == set()


def restarted(desk: Desk) -> None:
    """Start a node twice: the newest bundle comes into force, and is what the next start begins with."""
    aside = file(desk).with_suffix(".aside")
    file(desk).rename(aside)
    follow(desk)
    aside.rename(file(desk))
    follow(desk)


def test_what_a_node_did_not_take_yet_it_does_not_sign(desk: Desk) -> None:
    """A file that says more, is torn, absent or refused is left as it is; what is signed well is not signed again."""
    following = follow(desk)
    rotated = rotate(desk)
    renew(desk, following)
    assert not file(desk).exists()
    run(desk, "stop")
    before = file(desk).read_bytes()
    renew(desk, following)
    assert file(desk).read_bytes() == before
    following = follow(desk)
    desk.now += timedelta(hours=1)
    renew(desk, following)
    assert file(desk).read_bytes() == before
    old = custody.load_signer(desk.keys / "sign.key", desk.passphrase)
    assert old.id == rotated
    following.stops_refused = True
    stops.write_stops(file(desk), ME, following.stops, signer=old, now=desk.now)
    renew(desk, following)
    assert signed_by(desk) == old.id
    following.stops_refused, own = False, signer(desk)
    file(desk).write_bytes(before[:-9])
    renew(desk, following, own)
    assert file(desk).read_bytes() == before[:-9]


def test_a_stop_of_ones_own_key_can_be_lifted(desk: Desk) -> None:
    """The key that signs is the bundle's, not what the member left of it."""
    own = signer(desk).id
    run(desk, "stop", own, "key")
    assert follow(desk).current.directory.member(ME).keys[0].revoked_time is not None
    run(desk, "lift", own, "key")
    assert follow(desk).stops == ()


def test_an_archive_that_does_not_open_is_passed_over(desk: Desk) -> None:
    """Another one tells whose key it was; where none lists it the stops are refused, and no key is named."""
    run(desk, "stop")
    follow(desk)
    old = rotate(desk)
    drop(desk, old)
    follow(desk)
    folder = desk.lab.config(ME).data / "bundle" / "archives"
    (folder / "0.tar").write_bytes(b"torn")
    assert stopped(follow(desk)) == {OTHER}
    newest = next((folder / str(desk.lab.version)).glob("*.tar")).read_bytes()
    for path in folder.rglob("*.tar"):
        path.write_bytes(newest)
    with pytest.raises(StopsRefused) as caught:
        follow(desk)
    assert fingerprint(old) not in str(caught.value)
