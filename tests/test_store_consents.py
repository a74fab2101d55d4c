"""Keys and authorisations at rest: nothing names a subject, nothing is edited, and what was told durable stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bundles import AGENCY, NOW
from consents import IDENTITY, KEY, OTHER_KEY, Counter, attested, by_key, consent, revocation, withdrawal
from test_authorising import refused
from worlds_tables import USCC

from gateway.model.codes import RefusalReason
from nodes.store import Store

NAMES = ("subject_key", "subject_key_end", "consent", "consent_end", "consent_use")


async def filled(folder: Path) -> Counter:
    """Give a counter on which everything has happened once."""
    counter = Counter(folder=folder)
    await counter.enrolled()
    await counter.given(use_limit=1)
    assert await counter.store.consents.take(IDENTITY, b"u" * 16, b"d", NOW)
    await counter.authorising.withdraw(by_key(withdrawal()), AGENCY)
    await counter.authorising.revoke(attested(revocation()), AGENCY)
    return counter


def markers_in(folder: Path) -> list[bytes]:
    """Give what is found of a subject in the files of a folder."""
    content = b"".join(each.read_bytes() for each in folder.iterdir())
    assert b"consent" in content
    return [marker for marker in (USCC.encode(), KEY.public, b"sample-2026") if marker in content]


async def test_no_file_names_a_subject(tmp_path: Path) -> None:
    """Neither the database nor its log holds the code, the key's public half, or a passage of what was signed."""
    counter = await filled(tmp_path)
    assert markers_in(tmp_path) == []
    counter.store.close()
    assert markers_in(tmp_path) == []


async def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    """After a restart keys, authorisations, uses and their ends are the same; another subject has none."""
    counter = await filled(tmp_path)
    before = counter.store.consents.key(KEY.id), counter.store.consents.consents(USCC)
    counter.store.close()
    store = Store.open(tmp_path / "node.db", bytes(32))
    assert (store.consents.key(KEY.id), store.consents.consents(USCC)) == before
    assert (before[1][0].use_count, before[1][0].withdraw_time) == (1, NOW)
    assert (store.consents.keys("x"), store.consents.consents("x"), store.consents.key("x")) == ((), (), None)
    store.close()


async def test_rows_are_appended_and_never_edited(tmp_path: Path) -> None:
    """An end or a use is a row of its own: nothing that was written before changes or goes."""
    counter = Counter(folder=tmp_path)
    await counter.enrolled()
    await counter.given(use_limit=1)
    written = held(tmp_path)
    await counter.store.consents.take(IDENTITY, b"u" * 16, b"d", NOW)
    await counter.authorising.withdraw(by_key(withdrawal()), AGENCY)
    await counter.authorising.revoke(attested(revocation()), AGENCY)
    after = held(tmp_path)
    assert {name: after[name] for name in ("subject_key", "consent")} == {
        name: written[name] for name in ("subject_key", "consent")
    }
    assert {name: len(rows) for name, rows in after.items()} == dict.fromkeys(NAMES, 1)
    counter.store.close()


def held(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Read every row as it lies on disk."""
    with closing(sqlite3.connect(folder / "node.db")) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in NAMES}


async def test_a_destroyed_day_leaves_no_authorisation(tmp_path: Path) -> None:
    """What cannot be opened any more covers nobody, and its id stands for no other one."""
    counter = Counter(folder=tmp_path)
    await counter.enrolled()
    await counter.given()
    with closing(sqlite3.connect(tmp_path / "node.db")) as connection:
        connection.execute("DELETE FROM storage_key")
        connection.commit()
    assert (counter.store.consents.consents(USCC), counter.store.consents.key(KEY.id)) == ((), None)
    await counter.enrolled(OTHER_KEY)
    again = counter.authorising.give(by_key(consent(), OTHER_KEY), AGENCY)
    assert await refused(again) is RefusalReason.REPLAYED
    counter.store.close()
