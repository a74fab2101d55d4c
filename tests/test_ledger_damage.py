"""A damaged ledger: the verifier names the entries and the kind of damage (threats 7, 12 and 23)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import Shelf, head

from gateway.ledger import alignment, tree
from gateway.ledger.alignment import Damage, Injury
from gateway.ledger.checkpoint import Head
from gateway.ledger.damage import examine
from gateway.ledger.errors import TileDamaged
from gateway.ledger.tiles import Tile

SIZE = 9_000
ENTRIES = [b"%064d" % each for each in range(SIZE)]
LEAVES = [tree.leaf_hash(each) for each in ENTRIES]


def kept(entries: Sequence[bytes] = ENTRIES) -> Shelf:
    """Keep the tiles of entries."""
    found = Shelf()
    found.grow([tree.leaf_hash(each) for each in entries])
    return found


def heads(*sizes: int) -> list[Head]:
    """Give the heads that were signed at these sizes."""
    return [head(size, tree.root(LEAVES[:size])) for size in sizes]


WHOLE = kept()
HEADS = heads(100, 4_096, 5_000, SIZE)


def test_a_whole_ledger_has_no_injury() -> None:
    """Entries, tiles and heads that agree are found whole; entries that no head covers yet do not matter."""
    assert examine(ENTRIES, HEADS, WHOLE) == ()
    assert examine([*ENTRIES, b"new"], HEADS, WHOLE) == ()
    assert examine([], heads(0), Shelf()) == ()


def without(*places: int) -> list[bytes]:
    """Leave entries out."""
    return [each for at, each in enumerate(ENTRIES) if at not in places]


def moved(start: int, end: int) -> list[bytes]:
    """Move an entry to another place."""
    found = without(start)
    found.insert(end, ENTRIES[start])
    return found


def edited(*places: int) -> list[bytes]:
    """Change entries."""
    return [b"edited".ljust(64) if at in places else each for at, each in enumerate(ENTRIES)]


def exchanged(one: int, other: int) -> list[bytes]:
    """Exchange two entries."""
    found = list(ENTRIES)
    found[one], found[other] = found[other], found[one]
    return found


E, D, R, T = Damage.EDITED, Damage.DELETED, Damage.REORDERED, Damage.TRUNCATED
CASES: dict[str, tuple[list[bytes], list[tuple[Damage, int, int]]]] = {
    "first edited": (edited(0), [(E, 0, 0)]),
    "last edited": (edited(SIZE - 1), [(E, SIZE - 1, SIZE - 1)]),
    "three edited": (edited(7, 8, 5_000), [(E, 7, 8), (E, 5_000, 5_000)]),
    "one deleted": (without(4_095), [(D, 4_095, 4_095)]),
    "first deleted": (without(0), [(D, 0, 0)]),
    "last but one deleted": (without(SIZE - 2), [(D, SIZE - 2, SIZE - 2)]),
    "a stretch deleted": (without(*range(300, 900)), [(D, 300, 899)]),
    "edited and deleted": (edited(5)[:900] + edited(5)[901:], [(E, 5, 5), (D, 900, 900)]),
    "neighbours exchanged": (exchanged(40, 41), [(R, 41, 41)]),
    "far ones exchanged": (exchanged(40, 8_000), [(R, 40, 40), (R, 8_000, 8_000)]),
    "moved back": (moved(40, 70), [(R, 40, 40)]),
    "moved forth": (moved(70, 40), [(R, 70, 70)]),
    "one slipped in": ([*ENTRIES[:50], b"strange", *ENTRIES[50:]], [(E, 50, 50)]),
    "cut off": (ENTRIES[:8_500], [(T, 8_500, SIZE - 1)]),
    "all gone": ([], [(T, 0, SIZE - 1)]),
    "deleted and cut off": (without(10)[:8_500], [(D, 10, 10), (T, 8_501, SIZE - 1)]),
}


@pytest.mark.parametrize("case", CASES)
def test_damage_is_named(case: str) -> None:
    """Edited, deleted, reordered and cut off entries are named by their places in the ledger as it was signed."""
    entries, wanted = CASES[case]
    assert examine(entries, HEADS, WHOLE) == tuple(Injury(*each) for each in wanted)


@pytest.mark.parametrize("case", ["three edited", "one deleted", "far ones exchanged"])
def test_damage_carried_into_the_tiles_is_a_fork(case: str) -> None:
    """Who makes all tiles anew is caught by the first head that the ledger no longer leads to."""
    entries = CASES[case][0]
    broken = {"three edited": (0, 99), "one deleted": (100, 4_095), "far ones exchanged": (0, 99)}[case]
    whole = [*entries, b"filled"][:SIZE]
    assert examine(whole, HEADS, kept(whole)) == (Injury(Damage.FORKED, *broken),)


def test_a_fork_beside_an_edit_is_named_too() -> None:
    """Where the tiles show one edit and lead to another root themselves, both are named."""
    forged = kept(edited(6_000))
    assert examine(edited(3, 6_000), HEADS, forged) == (Injury(E, 3, 3), Injury(Damage.FORKED, 0, 99))


def test_yesterdays_backup_is_cut_off() -> None:
    """Entries and tiles of yesterday under a head of today: what is lost is named, and nothing is called a fork."""
    assert examine(ENTRIES[:5_000], HEADS, kept(ENTRIES[:5_000])) == (Injury(T, 5_000, SIZE - 1),)


def test_a_tile_that_is_not_what_the_entries_make_is_named() -> None:
    """Where the entries lead to every head, an altered tile is no damage to them; its span is named."""
    for place, span in (((0, 3), (768, 1_023)), ((1, 0), (0, 35 * 256 - 1)), ((0, 35), (8_960, 8_999))):
        shelf = kept()
        shelf.held[place] = bytes(32) + shelf.held[place][32:]
        assert examine(ENTRIES, HEADS, shelf) == (Injury(Damage.TILE, *span),)


def test_an_unreadable_tile_is_an_error_of_its_own() -> None:
    """Nothing can be named where a tile is gone, unless the tiles before it show the damage."""
    shelf = kept()
    del shelf.held[0, 35]
    for entries in (ENTRIES, edited(SIZE - 1)):
        with pytest.raises(TileDamaged, match=r"tile/0/035\.p/40"):
            examine(entries, HEADS, shelf)
    assert examine(edited(30), HEADS, shelf) == (Injury(E, 30, 30),)


def test_work_and_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is damaged, about a thousand places are named, and never more hashes are held than a few blocks."""
    held: list[int] = []
    feed = alignment.Alignment.feed

    def watched(self: alignment.Alignment, found: Iterable[bytes]) -> None:
        feed(self, found)
        held.append(len(self._kept) + len(self._found) + len(self._partings))

    monkeypatch.setattr(alignment.Alignment, "feed", watched)
    found = examine(edited(*range(SIZE)), HEADS, WHOLE)
    assert found == (Injury(E, 0, alignment.FINDINGS - 1),)
    assert max(held) <= alignment.FINDINGS + 3 * alignment.AHEAD
    shelf = kept()
    shelf.held = {place: hashes[::-1] for place, hashes in shelf.held.items()}
    assert len(examine(ENTRIES, HEADS, shelf)) == len(shelf.held)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_one_change_is_named_where_it_is(data: st.DataObject) -> None:
    """Any one entry edited or deleted is named exactly; any two exchanged are named reordered, and nothing else."""
    size = data.draw(st.integers(2, 600))
    at = data.draw(st.integers(0, size - 2))
    other = data.draw(st.integers(at + 1, size - 1))
    entries, shelf, signed = ENTRIES[:size], kept(ENTRIES[:size]), heads(size)
    changes: dict[Damage, Callable[[], list[bytes]]] = {
        E: lambda: [*entries[:at], b"x", *entries[at + 1 :]],
        D: lambda: [*entries[:at], *entries[at + 1 :]],
        R: lambda: [*entries[:at], entries[other], *entries[at + 1 : other], entries[at], *entries[other + 1 :]],
        T: lambda: entries[: at + 1],
    }
    for damage, change in changes.items():
        found = examine(change(), signed, shelf)
        assert {each.damage for each in found} == {damage}
        places = {place for each in found for place in (each.first, each.last)}
        wanted = {E: {at}, D: {at}, T: {at + 1, size - 1}, R: {at, other}}[damage]
        assert places <= wanted
        assert damage is R or places == wanted


def test_tiles_are_read_a_few_at_a_time() -> None:
    """No call asks for more tiles than a block has."""
    asked: list[int] = []

    def read(wanted: Sequence[Tile]) -> list[bytes]:
        asked.append(len(wanted))
        return WHOLE(wanted)

    assert examine(ENTRIES, HEADS, read) == ()
    assert max(asked) <= 20
