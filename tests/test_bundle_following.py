"""How a node follows the bundle: several mirrors, none of them trusted; whatever fails, the last good bundle stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import SimpleHTTPRequestHandler
from itertools import combinations
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from bundles import NOW, SIGNERS, document
from hands import hands_of, root_of
from mirrors import answering, endless, hanging_up, served
from worlds_tables import MEMBERS, SHANGHAI

from gateway.charter import is_behind
from gateway.kinds import KINDS
from keys.bundle import layout, writing
from keys.directory import Stage, Stop
from keys.envelope import sign, to_json
from nodes import health
from nodes.bundle.client import Fault, Trusted, refresh
from nodes.bundle.fetching import SILENCE_SECONDS, VISIT_SECONDS
from nodes.bundle.following import JITTER, QUICK_SECONDS, BundleMissing, Following
from nodes.bundle.source import Source
from nodes.bundle.stops import STOPS, TYPE, OwnStop, StopsRefused, lifted, stopped, write_stops
from nodes.federation.signing import Hands, Lives, sign_bundle
from nodes.mirror import archive_path, publish
from nodes.polling import WATCH_SECONDS

DAY = timedelta(days=1)
ROOT = root_of(MEMBERS)
Edit = Callable[[dict[str, Any]], None]


@dataclass(kw_only=True)
class World:
    """A federation that publishes, mirrors that have what it published or not, and one node's clock."""

    folder: Path
    now: datetime = NOW
    version: int = 6
    hands: Hands = field(default_factory=lambda: hands_of(MEMBERS, MEMBERS))
    roots: list[bytes] = field(default_factory=lambda: [ROOT])
    following: list[Following] = field(default_factory=list)

    def files(self, edit: Edit | None = None, *, issued: datetime | None = None) -> dict[str, bytes]:
        """Sign the next version."""
        self.version += 1
        found = document(edit)
        for name in ("version", "issued_time", "expire_time"):
            del found[name]
        signed = sign_bundle(
            found, self.hands, root=ROOT, version=self.version, issued=issued or self.now, lives=Lives()
        )
        return signed | {f"metadata/{n}.root.json": each for n, each in enumerate(self.roots, 1)}

    def publish(self, *mirrors: str, edit: Edit | None = None, issued: datetime | None = None) -> None:
        """Publish the next version on some mirrors."""
        files = self.files(edit, issued=issued)
        for each in mirrors or ("a",):
            publish(self.folder / each, files)

    def address(self, mirror: str) -> str:
        """Give a mirror's address."""
        return f"{(self.folder / mirror).as_uri()}/"

    def follow(self, *mirrors: str, addresses: tuple[str, ...] = (), drawn: float = 0.5) -> Following:
        """Start a node that follows some mirrors."""
        source = Source(
            me=SHANGHAI, data=self.folder / "data", mirrors=addresses or tuple(map(self.address, mirrors or ("a",))),
            root=ROOT, kinds=KINDS, clock=lambda: self.now, poll_seconds=600,
        )  # fmt: skip
        found = Following(source, lambda: drawn)
        self.following.append(found)
        return found

    def restart(self, *mirrors: str) -> Following:
        """End every node and start one on the same disk."""
        self.stop()
        return self.follow(*mirrors)

    def stop(self) -> None:
        """End every node."""
        for each in self.following:
            each.close()
        self.following.clear()

    def turn_over(self, *members: str) -> None:
        """Give members new publisher keys in the next root, which the old ones sign."""
        old, new = self.hands, hands_of(MEMBERS, MEMBERS, "new").signers
        changed = {each: {**old.signers[each], "publisher": new[each]["publisher"]} for each in members or MEMBERS}
        self.hands = replace(old, signers={**old.signers, **changed})
        self._sign_root(old)

    def add_root(self, mirror: str) -> None:
        """Publish a further root alone, with the same keys."""
        self._sign_root(self.hands)
        (self.folder / mirror / "metadata" / f"{len(self.roots)}.root.json").write_bytes(self.roots[-1])

    def _sign_root(self, old: Hands) -> None:
        seats = self.hands.seats()
        named = {role: seats[role] for role in (layout.ROOT, layout.TARGETS, layout.SNAPSHOT, layout.TIMESTAMP)}
        root = writing.write_root(version=len(self.roots) + 1, expires=self.now + 365 * DAY, seats=named)
        self.roots.append(old.sign(root, old.seats()[layout.ROOT]))

    def renew(self, mirror: str, hands: Hands | None = None) -> None:
        """Publish a new timestamp of the newest snapshot, as publishers do each day."""
        path = self.folder / mirror / "metadata"
        snapshot = (path / f"{self.version}.snapshot.json").read_bytes()
        number = writing.version_of((path / "timestamp.json").read_bytes()) + 1
        content = writing.write_timestamp(version=number, expires=self.now + DAY, issued=self.now, snapshot=snapshot)
        signing = hands or self.hands
        (path / "timestamp.json").write_bytes(signing.sign(content, signing.seats()[layout.TIMESTAMP]))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Make a federation with one mirror that has a bundle."""
    found = World(folder=tmp_path)
    found.publish("a")
    yield found
    found.stop()


def version(following: Following) -> int:
    """Give the version in force."""
    return following.current.directory.version


def problems(following: Following) -> list[str]:
    """Name what was wrong with each mirror at the last poll."""
    return [each.fault.problem if each.fault else "" for each in following.mirrors]


def test_a_newer_bundle_takes_effect(world: World) -> None:
    """A poll without news changes nothing; the next bundle is in force after one poll, and the last one is kept."""
    following = world.follow()
    assert not following.poll()
    before = following.current.directory.archive
    world.publish()
    assert following.poll()
    assert version(following) == 8
    assert [following.kept(each, world.now) for each in (7, 8, 9)] == [before, following.current.directory.archive, b""]


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the mirrors whose metadata were walked through."""
    found: list[str] = []

    def walk(folder: Path, mirror: str, **named: Any) -> Trusted:
        found.append(mirror)
        return refresh(folder, mirror, **named)

    monkeypatch.setattr("nodes.bundle.following.refresh", walk)
    return found


NEWS: dict[str, Callable[[World], None]] = {
    "none": lambda _: None,
    "a snapshot": lambda world: world.publish(),
    "a timestamp": lambda world: world.renew("a"),
    "a root": lambda world: world.add_root("a"),
    "an end of the timestamp": lambda world: setattr(world, "now", world.now + 2 * DAY),
    "a hole in what is trusted": lambda world: (world.folder / "data/bundle/trusted/timestamp.json").unlink(),
}


@pytest.mark.parametrize("news", NEWS.values(), ids=NEWS)
def test_only_news_are_walked_through(news: Callable[[World], None], walks: list[str], world: World) -> None:
    """While a mirror has what is held and nothing has ended, nothing is verified anew; whatever changes is walked."""
    following = world.follow()
    walks.clear()
    news(world)
    following.poll()
    assert set(walks) == {world.address("a")} - ({world.address("a")} if news is NEWS["none"] else set())
    walks.clear()
    world.restart().poll()
    assert bool(walks) == (following.current.directory.expire_time <= world.now)


def test_a_new_root_alone_is_taken(world: World) -> None:
    """A root without any other news is in force after one poll."""
    following = world.follow()
    world.add_root("a")
    assert following.poll()
    assert {each.version for each in following.current.directory.roles if each.name == layout.ROOT} == {2}


def test_an_end_is_named_without_any_news(world: World) -> None:
    """A mirror that has only the held timestamp is at fault from the moment that this ends."""
    following = world.follow()
    ends = following.current.directory.expire_time
    for now, fault in ((ends - timedelta(seconds=1), None), (ends, Fault(problem="EXPIRED", role="timestamp"))):
        world.now = now
        following.poll()
        assert [each.fault for each in following.mirrors] == [fault]


def test_a_mirror_behind_what_is_trusted_is_named(world: World) -> None:
    """What is held is older than what is trusted when an archive was false: a mirror of the held one lags."""
    shutil.copytree(world.folder / "a", world.folder / "old")
    following = world.follow("a", "old")
    world.publish("a")
    archive_path(world.folder / "a", 8).unlink()
    for _ in "12":
        following.poll()
    assert (version(following), problems(following)) == (7, ["NOT_SERVED", "ROLLED_BACK"])


def test_the_next_mirror_is_asked_when_one_is_down(world: World) -> None:
    """A mirror that is not there costs nothing but its name in the health."""
    following = world.follow("none", "a")
    assert version(following) == 7
    assert problems(following) == ["NOT_SERVED", ""]


def test_every_mirror_is_asked(world: World) -> None:
    """A mirror that is frozen while its timestamp still counts does not hide what another one has."""
    world.publish("a", "b")
    following = world.follow("a", "b")
    world.publish("b")
    assert following.poll()
    assert version(following) == 9
    assert not following.poll()
    assert problems(following) == ["ROLLED_BACK", ""]


def test_without_a_mirror_nothing_begins(world: World) -> None:
    """A node that never had a bundle does not start without one, and says what is wrong with each mirror."""
    with pytest.raises(BundleMissing, match="NOT_SERVED timestamp, NOT_SERVED timestamp"):
        world.follow("x", "y")


def test_another_federations_mirror_is_refused(world: World) -> None:
    """A mirror whose roots do not follow the node's own root is refused, though all its signatures are good."""
    world.hands = hands_of(MEMBERS, MEMBERS, "other")
    world.publish("other")
    with pytest.raises(BundleMissing, match="SIGNATURES_MISSING timestamp"):
        world.follow("other")


def test_a_restart_goes_on_with_the_kept_bundle(world: World) -> None:
    """After a restart without any mirror the last bundle is in force."""
    world.follow()
    shutil.rmtree(world.folder / "a")
    following = world.restart()
    assert version(following) == 7
    following.poll()
    assert (version(following), problems(following)) == (7, ["NOT_SERVED"])


def test_a_restart_is_no_way_back(world: World) -> None:
    """A mirror that was rolled back is refused after a restart too."""
    shutil.copytree(world.folder / "a", world.folder / "old")
    world.publish()
    world.follow()
    following = world.restart("old")
    following.poll()
    assert (version(following), problems(following)) == (8, ["ROLLED_BACK"])


def torn(path: Path) -> None:
    """Cut an archive short."""
    path.write_bytes(path.read_bytes()[:-2000])


def octets(path: Path) -> None:
    """Serve something else."""
    path.write_bytes(b"<html>not here</html>")


def older(path: Path) -> None:
    """Serve the archive of the snapshot before."""
    shutil.copy(path.with_name(f"{int(path.stem) - 1}.tar"), path)


def flipped(path: Path) -> None:
    """Change one octet of a file that no signature of the four top roles binds."""
    content = bytearray(path.read_bytes())
    at = content.index(b'"endpoint"')
    content[at + 1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [torn, octets, older, flipped, Path.unlink])
def test_a_false_archive_changes_nothing(harm: Callable[[Path], None], world: World) -> None:
    """Signed metadata with another archive beside them: the last bundle stays until a mirror has the genuine one."""
    following = world.follow("a", "b")
    world.publish("a", "b")
    harm(archive_path(world.folder / "a", 8))
    shutil.copytree(world.folder / "b", world.folder / "kept")
    shutil.rmtree(world.folder / "b")
    following.poll()
    assert version(following) == 7
    assert "" not in problems(following)
    (world.folder / "kept").rename(world.folder / "b")
    assert following.poll()
    assert version(following) == 8


def test_a_bundle_that_contradicts_itself_is_not_taken(world: World) -> None:
    """Enough signatures do not make a senseless table law: the last bundle stays, and health says so."""
    following = world.follow()
    world.publish(edit=lambda found: found.update(limits={"subjects": 0}))
    following.poll()
    assert version(following) == 7
    assert [each.fault for each in following.mirrors] == [Fault(problem="TABLES_REFUSED", role="limits")]


def test_a_new_timestamp_alone_is_taken_without_an_archive(world: World) -> None:
    """While nothing but the timestamp is new no archive is fetched; what is kept has the new timestamp."""
    following = world.follow()
    world.now += DAY / 2
    world.renew("a")
    archive_path(world.folder / "a", 7).unlink()
    assert following.poll()
    directory = following.current.directory
    assert (directory.version, directory.issued_time, directory.expire_time) == (7, world.now, world.now + DAY)
    assert following.kept(7, world.now) == directory.archive


def test_a_frozen_federation_is_degraded_then_closed(world: World) -> None:
    """The stages follow the clock; polls are quick while the bundle is not current, and all ends by itself."""
    following = world.follow()
    found = [(Stage.NORMAL, 600.0), (Stage.DEGRADED, QUICK_SECONDS), (Stage.CLOSED, QUICK_SECONDS)]
    for span, expected in zip((0 * DAY, 2 * DAY, 8 * DAY), found, strict=True):
        world.now = NOW + span
        following.poll()
        assert (health.stage(following.current, world.now), following.pause()) == expected
    assert problems(following) == ["EXPIRED"]
    world.publish()
    assert following.poll()
    assert health.stage(following.current, world.now) is Stage.NORMAL


def test_pauses_differ_by_a_quarter(world: World) -> None:
    """Two members do not ask at the same moment for ever."""
    followings = [world.follow(drawn=value) for value in (0.0, 0.5, 1.0)]
    for each in followings:
        each.poll()
    pauses = [each.pause() for each in followings]
    assert pauses == [600 * (1 - JITTER), 600, 600 * (1 + JITTER)]


def test_finding_back_takes_less_than_half_a_minute() -> None:
    """The longest pause, the second at which it is looked at, a silent mirror and a visit fit into thirty seconds."""
    assert QUICK_SECONDS * (1 + JITTER) + WATCH_SECONDS + SILENCE_SECONDS + VISIT_SECONDS <= 30


def test_a_root_counts_whatever_else_its_mirror_lacks(world: World) -> None:
    """New publisher keys in the root end the old ones, though the mirror that shows them has nothing else to take."""
    following = world.follow()
    world.now += DAY / 4
    old = world.hands
    world.turn_over()
    (world.folder / "a" / "metadata" / "2.root.json").write_bytes(world.roots[-1])
    following.poll()
    assert problems(following) == ["SIGNATURES_MISSING"]
    (world.folder / "a" / "metadata" / "2.root.json").unlink()
    world.renew("a", old)
    following = world.restart()
    following.poll()
    assert (version(following), problems(following)) == (7, ["SIGNATURES_MISSING"])


def test_a_clock_set_back_is_found_out(world: World) -> None:
    """A clock behind what the quorum signed closes the bundle, after a restart too; set right, all goes on."""
    following = world.follow()
    assert not is_behind(following.current, world.now - timedelta(seconds=30))
    world.now -= timedelta(seconds=31)
    assert health.stage(following.current, world.now) is Stage.CLOSED
    world.publish(issued=NOW + timedelta(minutes=1))
    assert not following.poll()
    assert following.pause() == QUICK_SECONDS
    following = world.restart()
    assert health.stage(following.current, world.now) is Stage.CLOSED
    world.now = NOW + timedelta(minutes=2)
    assert following.poll()
    assert health.stage(following.current, world.now) is Stage.NORMAL


def test_evidence_outlives_a_recovery(world: World) -> None:
    """When versions begin anew, a result is read with the bundle of its number that was in force at its time."""
    following = world.follow()
    old, times = following.current.directory.archive, [world.now - DAY, world.now]
    world.turn_over()
    world.version = 6
    world.now += DAY / 4
    times += [world.now - timedelta(seconds=1), world.now, world.now + DAY]
    shutil.rmtree(world.folder / "a")
    world.publish()
    assert following.poll()
    new = following.current.directory.archive
    assert [following.kept(7, each) for each in times] == [old, old, old, new, new]
    world.now += DAY / 4
    world.renew("a")
    assert following.poll()
    new = following.current.directory.archive
    assert [following.kept(7, each) for each in times] == [old, old, old, new, new]
    assert world.restart().current.directory.archive == new


@pytest.mark.parametrize("ahead", [timedelta(seconds=31), DAY / 2, 3650 * DAY], ids=str)
def test_a_timestamp_from_the_future_is_not_kept(ahead: timedelta, world: World) -> None:
    """Two publishers' keys may sign any time: what is ahead of the clock closes no node and hides no honest bundle."""
    following = world.follow()
    world.publish(issued=world.now + ahead)
    assert not following.poll()
    assert [each.fault for each in following.mirrors] == [Fault(problem="AHEAD", role="timestamp")]
    assert health.stage(world.restart().current, world.now) is Stage.NORMAL
    world.publish(issued=world.now + timedelta(seconds=30))
    following = world.restart()
    assert following.poll()
    assert (version(following), health.stage(following.current, world.now)) == (9, Stage.NORMAL)


def test_a_node_does_not_begin_in_the_future(tmp_path: Path) -> None:
    """A first timestamp that is ahead of the clock is not kept either: the honest one of the same number is taken."""
    world = World(folder=tmp_path)
    world.publish(issued=NOW + DAY)
    with pytest.raises(BundleMissing, match="AHEAD timestamp"):
        world.follow()
    world.version = 6
    shutil.rmtree(world.folder / "a")
    world.publish()
    following = world.follow()
    assert health.stage(following.current, world.now) is Stage.NORMAL
    world.stop()


@pytest.mark.parametrize("replaced", [MEMBERS, MEMBERS[:3]], ids=len)
def test_the_time_floor_ends_with_the_keys_that_said_it(replaced: tuple[str, ...], world: World) -> None:
    """A time taken far ahead closes the node, restarts included, until the root drops those who signed it."""
    world.now += 300 * DAY
    world.publish()
    following = world.follow()
    world.now = NOW
    world.publish()
    following.poll()
    following = world.restart()
    assert health.stage(following.current, world.now) is Stage.CLOSED
    world.turn_over(*replaced)
    world.publish()
    assert following.poll()
    assert health.stage(following.current, world.now) is Stage.NORMAL
    assert health.stage(world.restart().current, world.now) is Stage.NORMAL


def test_the_time_floor_stays_while_its_keys_count(world: World) -> None:
    """One publisher's new key takes nothing back: two of those who said the time still sit in the root."""
    world.follow()
    world.turn_over(MEMBERS[0])
    world.now += DAY
    world.publish()
    following = world.restart()
    assert following.poll()
    floor = world.folder / "data" / "bundle" / "time.floor"
    time, *hands = floor.read_text(encoding="ascii").split()
    assert (time, len(hands)) == ("2026-03-11T04:00:00Z", 2)
    floor.write_text(" ".join(["2026-12-01T00:00:00Z", *hands]), encoding="ascii")
    assert world.restart().current.time_floor == datetime.fromisoformat("2026-12-01T00:00:00+00:00")
    floor.write_text(" ".join(["2026-12-01T00:00:00Z", *hands[:1], "320000/publisher/none"]), encoding="ascii")
    assert world.restart().current.time_floor == world.now


def test_one_worker_asks_and_the_others_take_from_the_disk(world: World) -> None:
    """Workers share the folder: the one that leads polls, another takes what it found; when it ends another leads."""
    first, second = world.follow(), world.follow()
    assert (first.leads(), second.leads()) == (True, False)
    world.publish()
    assert not second.poll()
    assert not second.look()
    assert first.poll()
    assert second.look()
    assert (version(second), first.look()) == (8, False)
    first.close()
    assert second.leads()


def test_one_stolen_publisher_key_publishes_nothing(world: World) -> None:
    """Of two publishers' signatures that are needed a thief has one."""
    following = world.follow()
    path = world.folder / "a" / "metadata" / "timestamp.json"
    snapshot = (world.folder / "a" / "metadata" / "7.snapshot.json").read_bytes()
    content = writing.write_timestamp(version=8, expires=world.now + DAY, issued=world.now, snapshot=snapshot)
    (thief,) = world.hands.signers[MEMBERS[2]]["publisher"]
    path.write_bytes(writing.add_signature(content, thief))
    following.poll()
    assert [each.fault for each in following.mirrors] == [
        Fault(problem="SIGNATURES_MISSING", role="timestamp", have=1, need=2)
    ]


@pytest.mark.parametrize("down", list(combinations(MEMBERS, 2)), ids="-".join)
def test_any_two_publishers_may_be_down(down: tuple[str, str], world: World) -> None:
    """The other two publish, whichever they are."""
    following = world.follow()
    world.now += DAY / 2
    world.renew("a", replace(world.hands, tops=(*(each for each in MEMBERS if each not in down), *down)))
    assert following.poll()
    assert following.current.directory.issued_time == world.now


def test_keys_that_were_turned_over_let_versions_begin_anew(world: World) -> None:
    """After a thief set the version far ahead, new publisher keys in the next root bring the node back by itself."""
    following = world.follow()
    world.version = 999_999
    world.publish()
    following.poll()
    assert version(following) == 1_000_000
    world.turn_over()
    world.version = 8
    shutil.rmtree(world.folder / "a")
    world.publish()
    assert following.poll()
    assert version(following) == 9
    assert version(world.restart()) == 9


def stop(world: World, *stops: OwnStop) -> Path:
    """Sign what the member stops."""
    path = world.folder / "data" / STOPS
    write_stops(path, SHANGHAI, stops, signer=SIGNERS[SHANGHAI], now=world.now)
    return path


def own(what: str, identity: str) -> OwnStop:
    """Stop one thing."""
    (found,) = stopped((), Stop(what=what, id=identity, ground="g"), NOW)
    return found


def test_a_members_own_stop_holds_until_it_is_lifted(world: World) -> None:
    """A signed entry takes effect at the next look, over every later bundle and restart, and ends when it is lifted."""
    following = world.follow()
    jiangsu, zhejiang = own("member", MEMBERS[1]), own("member", MEMBERS[2])
    stop(world, jiangsu, zhejiang)
    assert following.look()
    assert not following.look()
    world.publish()
    following.poll()
    following = world.restart()
    directory = following.current.directory
    assert [directory.suspended(each, world.now) for each in MEMBERS] == [False, True, True, False]
    assert following.kept(8, world.now) == directory.archive
    stop(world, *lifted(following.stops, "member", MEMBERS[1]))
    assert following.look()
    assert [following.current.directory.suspended(each, world.now) for each in MEMBERS] == [False, False, True, False]
    assert health.document(following, (), world.now)["stops"] == [zhejiang.row()]


FORGED: dict[str, Callable[[Path], object]] = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "of another member": lambda path: write_stops(path, MEMBERS[1], (), signer=SIGNERS[MEMBERS[1]], now=NOW),
    "signed by another": lambda path: write_stops(path, SHANGHAI, (), signer=SIGNERS[MEMBERS[1]], now=NOW),
    "of no known thing": lambda path: path.write_bytes(
        to_json(sign(TYPE, path.read_bytes() and _unknown(), SIGNERS[SHANGHAI]))
    ),
    "before the key was": lambda path: write_stops(
        path, SHANGHAI, (), signer=SIGNERS[SHANGHAI], now=NOW - timedelta(days=365)
    ),
}


def _unknown() -> bytes:
    rows = [{"what": "planet", "id": "1", "ground": "g", "time": "2026-03-10T00:00:00Z"}]
    return json.dumps({"member": SHANGHAI, "time": "2026-03-10T00:00:00Z", "stops": rows}).encode()


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_stops_that_do_not_verify_leave_those_before_in_force(forge: Callable[[Path], object], world: World) -> None:
    """A file of stops that is not the member's own lifts nothing, health says so, and no restart gets past it."""
    following = world.follow()
    path = stop(world, own("member", MEMBERS[1]))
    following.look()
    forge(path)
    assert not following.look()
    assert following.stops_refused
    assert following.current.directory.suspended(MEMBERS[1], world.now)
    with pytest.raises(StopsRefused):
        world.restart()


@pytest.mark.net
def test_every_mirror_hostile_leaves_the_last_bundle(world: World) -> None:
    """Endless, torn and redirecting mirrors are each named; nothing changes until an honest one is back."""
    tricks = {
        "TOO_LARGE": endless, "MALFORMED": hanging_up, "NOT_SERVED": answering(302, Location="http://127.0.0.1:1/")
    }  # fmt: skip
    with served(world.folder / "a") as first, served(world.folder / "a") as second, served(world.folder / "a") as third:
        mirrors = (first, second, third)
        following = world.follow(addresses=tuple(each.url for each in mirrors))
        world.publish()
        for mirror, trick in zip(mirrors, tricks.values(), strict=True):
            mirror.tricks["timestamp.json"] = trick
        assert not following.poll()
        assert problems(following) == list(tricks)
        assert version(following) == 7
        third.tricks.clear()
        assert following.poll()
        assert version(following) == 8


@pytest.mark.net
def test_mirrors_are_asked_at_once(world: World) -> None:
    """Three mirrors that each wait until all three are asked all answer: none waits for another's silence to end."""
    meeting = Barrier(3)

    def meet(handler: SimpleHTTPRequestHandler) -> None:
        meeting.wait(timeout=60)
        handler.send_error(500)

    with served(world.folder / "a") as first, served(world.folder / "a") as second, served(world.folder / "a") as third:
        mirrors = (first, second, third)
        following = world.follow(addresses=tuple(each.url for each in mirrors))
        for each in mirrors:
            each.tricks["timestamp.json"] = meet
        following.poll()
    assert problems(following) == ["NOT_SERVED"] * 3


@pytest.mark.net
def test_a_slow_mirror_holds_up_no_news(world: World) -> None:
    """What a quick mirror has is in force while a slow one still keeps the poll waiting."""
    with served(world.folder / "b") as slow:
        following = world.follow(addresses=(slow.url, world.address("a")))
        world.publish("a")

        def wait(handler: SimpleHTTPRequestHandler) -> None:
            while version(following) == 7 and not slow.ended.wait(0.02):
                continue
            handler.send_error(500)

        slow.tricks["2.root.json"] = wait
        assert following.poll()
    assert (version(following), problems(following)) == (8, ["NOT_SERVED", ""])


@pytest.mark.net
def test_an_archive_is_asked_for_once_a_snapshot(world: World) -> None:
    """A poll without news asks each mirror for the next root and the timestamp, and for nothing else."""
    with served(world.folder / "a") as mirror:
        following = world.follow(addresses=(mirror.url,))
        asked = len(mirror.asked)
        assert sum("archives" in each for each in mirror.asked) == 1
        following.poll()
        assert mirror.asked[asked:] == ["/metadata/2.root.json", "/metadata/timestamp.json"]


def test_health_says_what_is_missing(world: World) -> None:
    """The document names stage, roles that nobody signed anew, and how each mirror failed; paths it does not."""
    following = world.follow("x", "a")
    world.now += 2 * DAY
    following.poll()
    found = health.document(following, ("BundleExpired",), world.now)
    health.write_health(world.folder, found)
    assert health.read_health(world.folder) == found
    assert (found["serving"], found["faults"]) == (False, ["BundleExpired"])
    assert (found["bundle"]["version"], found["bundle"]["stage"]) == (7, "DEGRADED")
    assert [(each["role"], each["need"]) for each in found["expired"]] == [("timestamp", 2)]
    assert {(each["mirror"], each["problem"]) for each in found["mirrors"]} == {
        ("file", "NOT_SERVED"),
        ("file", "EXPIRED"),
    }
    assert str(world.folder) not in str(found)


def test_the_document_of_health_is_described(world: World) -> None:
    """docs/json.md names the fields of the document, in order."""
    page = (Path(__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
    rows = page.partition("<!-- table: health -->\n")[2].split("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(health.document(world.follow(), (), world.now))
