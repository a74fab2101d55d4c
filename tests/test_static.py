"""A ledger as static files: any reader of C2SP tlog-tiles can verify it, and no copy believes what is not proven."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from bundles import NOW, charter_of, signed_directory
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from ledgers import Shelf, head, leaves
from receipts import LOGGERS
from stores import KEY, exchange, rows
from test_cli_words import described
from worlds_tables import SHANGHAI

from gateway.ledger import static, tiles
from gateway.ledger.errors import BundleMalformed, CheckpointMalformed, LedgerError, ProofInvalid, TileDamaged
from gateway.ledger.tiles import Tile
from nodes.cli import main
from nodes.cli.ledger import heads_of
from nodes.cli.session import Session
from nodes.config import DATABASE
from nodes.static import export, held_entries, held_head
from nodes.store import Scribe, Store

CHARTER = charter_of(SHANGHAI, signed_directory())
OPENED = heads_of(CHARTER)
COMMAND = sys.modules["nodes.cli.ledger"]  # the package's own name of it is the command


def grow(data: Path, first: int, last: int) -> None:
    """Answer questions, each an entry."""

    async def fill() -> None:
        store = Store.open(data / DATABASE, KEY, Scribe(member=SHANGHAI, signer=lambda: LOGGERS[SHANGHAI]))
        await asyncio.gather(*(store.journal.commit(exchange(each, charge_limit=9_999)) for each in range(first, last)))
        store.close()

    asyncio.run(fill())


class Reader:
    """Another program: it knows the published formats and a public key, and nothing of this project's code."""

    def __init__(self, folder: Path, public: bytes) -> None:
        self.folder = folder
        text, _, signatures = (folder / "checkpoint").read_text(encoding="utf-8").partition("\n\n")
        origin, size, root = text.split("\n")
        name, signature = signatures.splitlines()[0].removeprefix("— ").split(" ")
        raw = base64.b64decode(signature)
        assert name == origin
        assert raw[:4] == hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
        Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], f"{text}\n".encode())
        self.size, self.root = int(size), base64.b64decode(root)

    def entries(self) -> list[bytes]:
        """Read all entries."""
        found = []
        for place in range(-(-self.size // 256)):
            octets = self._resource("tile/entries", place, self.size - place * 256)
            while octets:
                length = int.from_bytes(octets[:2], "big")
                found.append(octets[2 : 2 + length])
                octets = octets[2 + length :]
        return found

    def tile(self, level: int, place: int) -> list[bytes]:
        """Read a tile's hashes."""
        octets = self._resource(f"tile/{level}", place, (self.size >> 8 * level) - place * 256)
        return [octets[at : at + 32] for at in range(0, len(octets), 32)]

    def _resource(self, kind: str, place: int, left: int) -> bytes:
        groups = f"{place:09d}" if place >= 1_000_000 else f"{place:06d}" if place >= 1_000 else f"{place:03d}"
        parts = [groups[at : at + 3] for at in range(0, len(groups), 3)]
        name = "/".join([*(f"x{each}" for each in parts[:-1]), parts[-1]])
        return (self.folder / f"{kind}/{name}{'' if left >= 256 else f'.p/{left}'}").read_bytes()


def merkle(hashes: Sequence[bytes]) -> bytes:
    """Hash a list as RFC 6962, section 2.1 says it."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + merkle(hashes[:split]) + merkle(hashes[split:])).digest()


def check_independently(folder: Path) -> Reader:
    """Verify a folder to the last entry and tile, as a stranger would."""
    reader = Reader(folder, LOGGERS[SHANGHAI].public_key().raw)
    hashes = [hashlib.sha256(b"\x00" + each).digest() for each in reader.entries()]
    assert (len(hashes), merkle(hashes)) == (reader.size, reader.root)
    level = 0
    while hashes:
        found = [each for place in range(-(-len(hashes) // 256)) for each in reader.tile(level, place)]
        assert found == hashes
        whole = len(hashes) // 256 * 256
        hashes, level = [merkle(hashes[at : at + 256]) for at in range(0, whole, 256)], level + 1
    return reader


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the data folder of a node with 600 entries: two full tiles and a partial one, two levels."""
    data = tmp_path_factory.mktemp("data")
    grow(data, 0, 600)
    return data


def test_a_stranger_verifies_what_was_exported(filled: Path, tmp_path: Path) -> None:
    """Head, tiles on every level, partial ones too, and entry bundles agree by the published formats alone."""
    told: list[tuple[int, int]] = []
    (copied,) = export(filled / DATABASE, tmp_path, OPENED, lambda *at: told.append(at))
    assert (copied.log, copied.size, copied.added) == ("yrdx/ledger/310000/1", 600, 600)
    assert check_independently(tmp_path / "1").size == 600
    assert told == [(each, 7) for each in range(1, 8)]  # 4 tiles and 3 bundles
    (again,) = export(filled / DATABASE, tmp_path, OPENED)
    assert again.added == 0


@pytest.mark.parametrize("sizes", [(1, 255, 256), (257, 512, 513)])
def test_an_export_goes_on_where_the_folder_ends(sizes: tuple[int, ...], tmp_path: Path) -> None:
    """Whatever the widths before and after, the folder is whole, and no partial tile is left beside its full one."""
    before = 0
    for size in sizes:
        grow(tmp_path / "data", before, size)
        (copied,) = export(tmp_path / "data" / DATABASE, tmp_path / "out", OPENED)
        assert (copied.size, copied.added) == (size, size - before)
        check_independently(tmp_path / "out/1")
        before = size
    full = [each for each in (tmp_path / "out/1").rglob("*.p") if each.with_suffix("").exists()]
    assert full == []


@pytest.mark.parametrize("kept", [0, 3, 6])
def test_an_interrupted_copy_goes_on(kept: int, filled: Path, tmp_path: Path) -> None:
    """Without a head nobody takes half a folder for a ledger; what lay there is proven and not fetched again."""

    def stop(passed: int, _: int) -> None:
        if passed == kept:
            raise KeyboardInterrupt

    if kept:
        with pytest.raises(KeyboardInterrupt):
            export(filled / DATABASE, tmp_path, OPENED, stop)
    assert held_head(tmp_path / "1", OPENED) is None
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    export(filled / DATABASE, tmp_path, OPENED)
    check_independently(tmp_path / "1")
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_entries_are_read_back_from_any_place(filled: Path, tmp_path: Path) -> None:
    """What a mirror holds can be given back to whoever lost it."""
    export(filled / DATABASE, tmp_path, OPENED)
    found = held_head(tmp_path / "1", OPENED)
    assert found is not None
    held = [data for (data,) in rows(filled / DATABASE, "SELECT data FROM ledger_entry ORDER BY seq")]
    for first in (0, 255, 256, 599, 600):
        assert list(held_entries(tmp_path / "1", found, first)) == held[first:]


def run(*arguments: object) -> Result:
    """Run the command."""
    texts = ["--lang", "en", "ledger", *map(str, arguments), "--config", "node.toml"]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: NOW))


@pytest.fixture
def served(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that was exported by the command."""
    monkeypatch.setattr(COMMAND, "checked_config", lambda _: _Config(filled))
    monkeypatch.setattr(COMMAND, "current_charter", lambda _: CHARTER)
    found = run("export", "--out", tmp_path / "served")
    assert (found.exit_code, found.stdout.partition(".")[0]) == (
        0,
        "COPIED: yrdx/ledger/310000/1, 600 entries, 600 of them new",
    )
    return tmp_path / "served/1"


class _Config:
    def __init__(self, data: Path) -> None:
        self.data = data


def mirror(source: object, out: Path, *more: str, member: str = SHANGHAI) -> Result:
    """Run the mirror command."""
    return run("mirror", source, "--member", member, "--out", out, *more)


@pytest.mark.net
def test_a_mirror_of_a_web_server_is_the_same_to_the_byte(served: Path, tmp_path: Path) -> None:
    """Plain static files over http are enough; each is proven, and the copy verifies like its origin."""
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(served)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split("port ")[1].split()[0]
        found = mirror(f"http://127.0.0.1:{port}/", tmp_path / "copy", "--json")
    finally:
        server.kill()
        server.communicate()
    document = json.loads(found.stdout)
    assert list(document["logs"][0]) == described("ledger_copied")
    assert document == {
        "format": "yrdx.ledger-copy.v1",
        "logs": [{"log": "yrdx/ledger/310000/1", "size": 600, "added": 600, "witnessed": False}],
    }
    names = {path.relative_to(served) for path in served.rglob("*") if path.is_file()}
    assert names == {path.relative_to(tmp_path / "copy") for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert all((served / name).read_bytes() == (tmp_path / "copy" / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tile/0/001", "tile/0/001 is not that of this ledger"),
        ("tile/0/002.p/88", "do not lead to the head"),
        ("tile/1/000.p/2", "do not lead to the head"),
        ("tile/entries/001", "entry 256 is another"),
        ("checkpoint", "not copied"),
    ],
)
def test_a_mirror_that_was_changed_is_named_and_not_copied(name: str, why: str, served: Path, tmp_path: Path) -> None:
    """Whichever file was touched, the command names it, and no head comes to lie in the copy."""
    content = bytearray((served / name).read_bytes())
    content[2] ^= 1
    (served / name).write_bytes(content)
    found = mirror(served, tmp_path / "copy")
    assert (found.exit_code, why in found.stderr) == (1, True)
    assert not (tmp_path / "copy/checkpoint").exists()


def test_what_is_gone_is_told_apart_from_what_was_changed(served: Path, tmp_path: Path) -> None:
    """A file that does not come is no damage: exit 2, and run again with it there the copy is made."""
    held = (served / "tile/0/001").rename(served / "elsewhere")
    found = mirror(served, tmp_path / "copy")
    assert (found.exit_code, "tile/0/001 was not fetched" in found.stderr) == (2, True)
    held.rename(served / "tile/0/001")
    assert mirror(served, tmp_path / "copy").exit_code == 0


def test_another_members_mirror_is_refused(served: Path, tmp_path: Path) -> None:
    """A head counts for the member only whose log it names."""
    found = mirror(served, tmp_path / "copy", member="320000")
    assert (found.exit_code, list(tmp_path.glob("copy/*"))) == (1, [])


@pytest.mark.parametrize(("first", "last"), [(0, 300), (0, 600), (0, 700)])
def test_a_folder_is_never_taken_back(first: int, last: int, served: Path, tmp_path: Path) -> None:
    """A smaller head and another history, of whatever size, leave the folder as it was (threats 12, 23)."""
    grow(tmp_path / "other", first, last)  # fresh salts: another history from the first entry on
    before = {path: path.read_bytes() for path in served.rglob("*") if path.is_file()}
    with pytest.raises(ProofInvalid):
        export(tmp_path / "other" / DATABASE, served.parent, OPENED)
    assert {path: path.read_bytes() for path in served.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        ("UPDATE ledger_entry SET data = zeroblob(64) WHERE seq = 301", "entry 300 is another"),
        ("DELETE FROM ledger_entry WHERE seq = 301", "entry 300 is another"),
        ("DELETE FROM ledger_entry WHERE seq = 600", "has 87 entries"),
        ("UPDATE ledger_tile SET hashes = zeroblob(8192) WHERE level = 0 AND place = 1", "tile/0/001 is not"),
        ("DELETE FROM ledger_tile WHERE level = 1", "holds 0 bytes"),
        ("DELETE FROM ledger_head", "lost its head"),
    ],
)
def test_a_damaged_ledger_is_not_exported(harm: str, why: str, filled: Path, tmp_path: Path) -> None:
    """What was changed in the database is named, and no head is put out that promises it."""
    (tmp_path / "data").mkdir()
    rows(filled / DATABASE, f"VACUUM INTO '{tmp_path / 'data' / DATABASE}'")
    (tmp_path / "data" / DATABASE).chmod(0o600)
    rows(tmp_path / "data" / DATABASE, harm)
    with pytest.raises(LedgerError, match=why):
        export(tmp_path / "data" / DATABASE, tmp_path / "out", OPENED)
    assert not (tmp_path / "out/1/checkpoint").exists()


def shelf_of(size: int) -> Shelf:
    """Give a tree in memory."""
    found = Shelf()
    found.grow(leaves(size))
    return found


@pytest.mark.parametrize("size", [0, 1, 256, 257, 65_536, 70_000])
@pytest.mark.parametrize("since", [0, 1, 255, 256, 300])
def test_what_is_lacking_is_all_that_grew(size: int, since: int) -> None:
    """An older tree with what is said to be lacking is the newer one; a bundle goes with each tile of leaves."""
    since = min(since, size)
    whole = set(static.lacking(size))
    older = {each for each in static.lacking(since) if each.width == tiles.WIDTH}
    assert whole == older | set(static.lacking(size, since))
    assert {each for each in whole if each.width != tiles.WIDTH} == set(tiles.edge(size))
    assert set(static.leaves(size, since)) == {each for each in static.lacking(size, since) if each.level == 0}
    levels = [each.level for each in static.lacking(size)]
    assert levels == sorted(levels, reverse=True)


def test_every_full_tile_is_proven_by_the_one_above() -> None:
    """From the edge down nothing is left that is not proven, and a tile in another's place is not."""
    tree = shelf_of(70_000)
    static.check_edge(head(70_000, tree.root), tree)
    for tile in static.lacking(70_000):
        if tile.width == tiles.WIDTH:
            (parent,) = tiles.read_tiles((static.above(tile, 70_000),), tree).values()
            static.check_tile(tile, tree.held[tile.level, tile.place], parent)
    (parent,) = tiles.read_tiles((static.above(Tile(0, 1), 70_000),), tree).values()
    for wrong in (tree.held[0, 2], tree.held[0, 1][:-32]):
        with pytest.raises(TileDamaged):
            static.check_tile(Tile(0, 1), wrong, parent)
    with pytest.raises(TileDamaged):
        static.check_edge(head(70_000, bytes(32)), tree)


def test_growth_is_of_one_log_and_never_backwards() -> None:
    """From nothing anything goes; another log, a smaller head and another history do not."""
    tree = shelf_of(600)
    new = head(600, tree.root)
    for old in (None, head(0), head(300), new):
        static.check_growth(old, new, tree)
    with pytest.raises(CheckpointMalformed):
        static.check_growth(head(300, member="320000"), new, tree)
    for old in (head(601), head(300, bytes(32)), head(600, bytes(32))):
        with pytest.raises(ProofInvalid):
            static.check_growth(old, new, tree)


def test_a_bundle_has_all_entries_of_its_tile() -> None:
    """Too few entries, or one too many, are as wrong as another one."""
    hashes = b"".join(leaves(2))
    bundle = b"".join(len(each).to_bytes(2, "big") + each for each in (b"entry 0", b"entry 1"))
    static.check_bundle(Tile(0, 0, 2), bundle, hashes)
    for wrong in (bundle[:9], bundle + bundle[:9], bundle[9:] + bundle[:9]):
        with pytest.raises(BundleMalformed):
            static.check_bundle(Tile(0, 0, 2), wrong, hashes)
