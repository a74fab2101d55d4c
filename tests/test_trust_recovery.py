"""After a senseless bundle that enough keys signed: honest officers go on from it, and the nodes follow them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from councils import LATER, MEMBERS, Edit, council, first, signer, tables
from test_cli_trust import NOW, ROOT_FILE, Desk, held, said

from gateway.charter import is_behind
from gateway.kinds import KINDS
from keys.bundle import layout
from keys.directory import Stage
from keys.suite import Signer
from nodes import mirror
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.federation.signing import Hands, Lives, sign_bundle
from nodes.trust import requests
from nodes.trust.ceremony import hold
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.published import FIRST_ROOT, read_published

__all__ = ["held"]
HOUR = timedelta(hours=1)
MOST = 2**53 - 1


@pytest.fixture
def desk(held: tuple[Path, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Sit down where the first ceremony was held, in a copy."""
    shutil.copytree(held[0], tmp_path / "office")
    monkeypatch.chdir(tmp_path / "office")
    return Desk(now=NOW + HOUR)


@pytest.fixture
def node(desk: Desk, tmp_path: Path) -> Iterator[Following]:
    """Let a node follow what is published."""
    found = following(tmp_path, Path("bundle"), lambda: desk.now)
    yield found
    found.close()


def following(folder: Path, bundle: Path, clock: Callable[[], Any]) -> Following:
    """Start a node that follows a folder."""
    source = Source(
        me="310000", data=folder / "data", mirrors=(f"{bundle.absolute().as_uri()}/",),
        root=(bundle / FIRST_ROOT).read_bytes(), kinds=KINDS, clock=clock,
    )  # fmt: skip
    return Following(source)


def officers() -> Hands:
    """Take all officers' keys into one hand: whoever does this is a thief of a quorum."""
    found: dict[str, dict[str, tuple[Signer, ...]]] = {}
    for member in MEMBERS:
        for name, use in requests.names(requests.USES):
            path = Path("officers") / member / name
            key = requests.load(path.with_suffix(".key"), path.with_suffix(".passphrase"))
            uses = found.setdefault(member, {})
            uses[use] = (*uses.get(use, ()), key)
    return Hands(tops=MEMBERS, signers=found)


def publish_senseless(
    desk: Desk,
    *,
    version: int = 2,
    lives: Lives | None = None,
    edit: Edit | None = None,
    ahead: timedelta = timedelta(),
) -> None:
    """Sign a whole bundle of any versions and lives, past the tool and its checks, and publish it."""
    root = (Path("bundle") / FIRST_ROOT).read_bytes()
    signed = sign_bundle(
        tables(edit), officers(), root=root, version=version, issued=desk.now + ahead, lives=lives or Lives()
    )
    mirror.publish(Path("bundle"), signed)


def recover(desk: Desk, *more: str) -> None:
    """Propose the federation's folder, have it signed by whoever may, and publish it, all with `yrdx trust`."""
    done = desk.run(" ".join(("yrdx trust propose fix --published bundle", *more)))
    assert done.exit_code == 0, done.output
    digest = desk.run("yrdx trust show fix --published bundle --digest").output.strip()
    for member in MEMBERS:
        for name, _ in requests.names(requests.USES):
            pair = f"--key officers/{member}/{name}.key --passphrase-file officers/{member}/{name}.passphrase"
            desk.run(f"yrdx trust sign fix --published bundle --root {ROOT_FILE} {pair} --yes {digest}")
    for member in ("310000", "340000", "310000", "340000"):
        pair = f"--key officers/{member}/publisher.key --passphrase-file officers/{member}/publisher.passphrase"
        done = desk.run(f"yrdx trust publish fix --published bundle --root {ROOT_FILE} {pair} --stand-in")
        if done.exit_code == 0:
            return
    raise AssertionError(done.output)


LONG = Lives.of(timedelta(days=365 * 900))
SHORT = Lives.of(timedelta(minutes=5))
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "versions far ahead, counting for centuries": ({"version": 999_999_999, "lives": LONG}, True),
    "over at once": ({"lives": SHORT}, True),
    "tables without sense": ({"edit": lambda found: found.update(purposes=[])}, False),
    "a version that nothing has": ({"edit": lambda found: found.update(minimum_version=10**9)}, False),
}


@pytest.mark.parametrize(("senseless", "taken"), CASES.values(), ids=CASES)
def test_honest_officers_go_on_from_it(senseless: dict[str, Any], taken: bool, desk: Desk, node: Following) -> None:  # noqa: FBT001  a case, not a switch
    """The next bundle follows its versions, ends when it should, says what the folder says, and every node takes it."""
    before = node.current.directory.sections["purposes"]
    publish_senseless(desk, **senseless)
    assert node.poll() is taken
    desk.now += HOUR
    recover(desk)
    assert node.poll()
    directory, version = node.current.directory, senseless.get("version", 2) + 1
    assert (directory.version, directory.stage(desk.now)) == (version, Stage.NORMAL)
    assert directory.sections["purposes"] == before
    roles = {each.name: each for each in directory.roles}
    lives = {layout.TIMESTAMP: 1, layout.SNAPSHOT: 7, layout.MAPPINGS: 90, layout.AGREEMENTS: 90, layout.TARGETS: 90}
    assert all(roles[name].expire_time <= desk.now + timedelta(days=days) for name, days in lives.items())
    assert all(each.expire_time > desk.now for each in roles.values())
    again = desk.run("yrdx trust propose again --published bundle")
    assert "nothing to propose" in again.stderr
    assert said(desk, "yrdx trust status --published bundle")["complete"]


def test_senseless_tables_are_told_before_anybody_signs(desk: Desk) -> None:
    """What was seen before is unknown, and so all is shown as gained; the status still tells what ends when."""
    publish_senseless(desk, edit=lambda found: found.update(purposes=[], rota={"days": 0}))
    assert said(desk, "yrdx trust status --published bundle")["on_duty"] == ""
    done = desk.run("yrdx trust propose fix --published bundle")
    assert done.exit_code == 0, done.output
    told = said(desk, "yrdx trust show fix --published bundle")
    changes = [each for sight in told["sights"][:1] for each in sight["changes"]]
    assert (told["senseless"], all(each["gained"] for each in changes)) == (True, True)
    assert "No node can read version 2" in desk.run("yrdx trust show fix --published bundle").output.replace("\n", " ")


def test_mappings_beside_senseless_tables_stay_law(desk: Desk, tmp_path: Path) -> None:
    """A bundle that nobody can read is no way around the rule that a mapping in force never changes (duty U20)."""
    publish_senseless(desk, edit=lambda found: found.update(purposes=[]))
    folder = tmp_path / "tables"
    shutil.copytree(Path(mirror.__file__).parent / "federation", folder, ignore=shutil.ignore_patterns("*.py"))
    path = folder / "ratings.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"A" = "A", "B" = "B"', '"A" = "A", "B" = "C"', 1), encoding="utf-8")
    done = desk.run(f"yrdx trust propose fix --published bundle --federation {folder}")
    assert (done.exit_code, "never changes" in done.stderr) == (2, True), done.output


def test_versions_that_cannot_grow_begin_anew_under_new_publishers(tmp_path: Path) -> None:
    """At the last version there is none to follow: from the last good bundle on, three new publisher keys lead back."""
    now = LATER
    bundle = tmp_path / "bundle"
    mirror.publish(bundle, first().parts)
    node = following(tmp_path, bundle, lambda: now)
    lost = sign_bundle(tables(), council(), root=first().roots[0], version=MOST, issued=now, lives=Lives())
    mirror.publish(bundle, lost)
    assert node.poll()
    assert node.current.directory.version == MOST
    held_by = {
        member: {**uses, "publisher": (signer(f"new {member}", f"{member}/publisher"),)}
        for member, uses in council().signers.items()
    }
    found = hold(tables(), Hands(tops=MEMBERS, signers=held_by), first(), now=now + HOUR)
    now += HOUR
    mirror.publish(bundle, found.parts)
    assert node.poll()
    assert (node.current.directory.version, len(found.roots)) == (2, 2)
    node.close()


def test_a_signed_time_far_ahead_is_left(desk: Desk, node: Following) -> None:
    """A node takes no timestamp from the future, and goes on with the next that is honest."""
    before = node.current
    publish_senseless(desk, ahead=timedelta(days=40_000))
    assert (node.poll(), node.current) == (False, before)
    desk.now += HOUR
    recover(desk)
    assert (node.poll(), is_behind(node.current, desk.now)) == (True, False)
    assert node.current.directory.version == 3


def test_what_does_not_belong_together_is_no_base(desk: Desk) -> None:
    """Signatures and files are checked as ever: only what they say may be senseless."""
    path = Path("bundle/archives/1.tar")
    path.write_bytes(path.read_bytes().replace(b'"endpoint"', b'"endpoinT"', 1))
    with pytest.raises(TrustRefused, match=Ground.BUNDLE_REFUSED.value):
        read_published(Path("bundle"))
