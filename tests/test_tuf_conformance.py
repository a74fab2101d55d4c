"""The command that the framework's conformance suite calls, and a static repository of that suite at its own time."""

from __future__ import annotations

from pathlib import Path

import pytest
import tuf_client
from mirrors import Mirror, served
from repositories import Repository

STATIC = Path(__file__).parents[2] / "shared" / "vectors" / "tuf" / "conformance_static"
REPOSITORIES = sorted(STATIC.glob("*/initial_root.json"))
pytestmark = pytest.mark.net


def command(folder: Path, mirror: Mirror, name: str = "", clock: str = "") -> list[str]:
    """Write the command's arguments as the suite does."""
    if clock:
        (folder / "clock").write_text(clock, encoding="ascii")
    given = ["--clock", str(folder / "clock"), "--metadata-dir", str(folder / "trusted")]
    given += ["--metadata-url", f"{mirror.url}metadata"]
    target = ["--target-name", name, "--target-base-url", f"{mirror.url}targets", "--target-dir", str(folder / "got")]
    return [*given, *target, "download"] if name else [*given, "refresh"]


def init(folder: Path, root: Path) -> int:
    """Initialise a client."""
    return tuf_client.main(["--metadata-dir", str(folder / "trusted"), "init", str(root)])


@pytest.mark.skipif(not REPOSITORIES, reason="the suite's static repositories are not at ../shared")
@pytest.mark.parametrize("root", REPOSITORIES, ids=lambda each: each.parent.name)
def test_a_static_repository_is_replayed(root: Path, tmp_path: Path) -> None:
    """A repository that others made and signed is refreshed and downloaded from at its recorded time, not later."""
    clock = (root.parent / "faketime").read_text(encoding="ascii").strip().replace(" ", "T").replace("+00:00", "Z")
    name = (root.parent / "targetpath").read_text(encoding="ascii").strip()
    with served(root.parent) as mirror:
        assert init(tmp_path, root) == 0
        assert tuf_client.main(command(tmp_path, mirror, clock=clock)) == 0
        assert tuf_client.main(command(tmp_path, mirror, name, clock=clock)) == 0
        (got,) = (tmp_path / "got").iterdir()
        (made,) = (each for each in (root.parent / "targets").rglob("*") if each.is_file())
        assert got.read_bytes() == made.read_bytes()
        assert tuf_client.main(command(tmp_path, mirror, clock="2100-01-01T00:00:00Z")) == 1


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Make a repository with one target, and its first root as a file."""
    found = Repository(folder=tmp_path / "repository")
    found.add_target("dir/a b.txt", b"one")
    found.publish()
    (tmp_path / "first.json").write_bytes(found.first)
    return found


NOW = "2026-07-01T10:00:00Z"


def test_a_refresh_asks_for_each_role_once(repository: Repository, tmp_path: Path) -> None:
    """The first refresh asks root, timestamp, snapshot and targets in order; one without news asks for two files."""
    with served(repository.folder) as mirror:
        assert init(tmp_path, tmp_path / "first.json") == 0
        assert mirror.asked == []
        assert tuf_client.main(command(tmp_path, mirror, clock=NOW)) == 0
        roles = ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"]
        assert mirror.asked == [f"/metadata/{each}" for each in roles]
        assert tuf_client.main(command(tmp_path, mirror)) == 0
        assert mirror.asked[4:] == [f"/metadata/{each}" for each in roles[:2]]
    names = sorted(each.name for each in (tmp_path / "trusted").glob("*.json"))
    assert names == ["root.json", "snapshot.json", "targets.json", "timestamp.json"]


def test_a_target_is_downloaded_once(repository: Repository, tmp_path: Path) -> None:
    """A file that is there with its hash is not asked for again; one that nobody lists is an error."""
    with served(repository.folder) as mirror:
        init(tmp_path, tmp_path / "first.json")
        for _ in range(2):
            assert tuf_client.main(command(tmp_path, mirror, "dir/a b.txt", clock=NOW)) == 0
        assert sum(each.startswith("/targets/") for each in mirror.asked) == 1
        assert tuf_client.main(command(tmp_path, mirror, "none.txt")) == 1


@pytest.mark.parametrize("content", [b"two", b"longer"], ids=["wrong hash", "wrong length"])
def test_another_target_is_refused(content: bytes, repository: Repository, tmp_path: Path) -> None:
    """A file whose hash or length is not the signed one is not kept."""
    (path,) = (each for each in (repository.folder / "targets").rglob("*") if each.is_file())
    path.write_bytes(content)
    with served(repository.folder) as mirror:
        init(tmp_path, tmp_path / "first.json")
        assert tuf_client.main(command(tmp_path, mirror, "dir/a b.txt", clock=NOW)) == 1
    assert not (tmp_path / "got").exists() or list((tmp_path / "got").iterdir()) == []


def test_what_cannot_be_initialised_exits_with_one(tmp_path: Path) -> None:
    """A root that is not there is an error with exit status 1, not a trace."""
    assert init(tmp_path, tmp_path / "none.json") == 1
