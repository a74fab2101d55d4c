"""A node's sealing keys as files: several at once, new ones without a restart, broken ones left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from keys import custody, seal, suite
from keys.errors import KeysError
from nodes.lab import LIGHT
from nodes.sealing import SealingKeys

SECRET = b"a passphrase of the tests"
MEMBER = "340000"


def keep(folder: Path, name: str, number: int, use: str = "seal") -> str:
    """Write a key file; give the id of its opener."""
    seed = bytes([number]) * 32
    custody.save_seed(folder / name, seed, SECRET, owner=MEMBER, suite=suite.INT_1, use=use, work=LIGHT)
    return seal.opener(seed, owner=MEMBER).id


def test_keys_come_and_go_without_a_restart(tmp_path: Path) -> None:
    """What lies in the folder at a poll is what opens: a second key beside the first, then the second alone."""
    first = keep(tmp_path, "seal.key", 1)
    held = SealingKeys(tmp_path, SECRET)
    assert set(held.current) == {first}
    second = keep(tmp_path, "seal-next.key", 2)
    keep(tmp_path, "sign.key", 3, use="sign")
    assert set(held.current) == {first}
    held.poll()
    assert set(held.current) == {first, second}
    (tmp_path / "seal.key").unlink()
    held.poll()
    assert set(held.current) == {second}


def test_a_file_that_does_not_open_is_left(tmp_path: Path) -> None:
    """At the start it is a fault; later the keys that are here go on opening."""
    good = keep(tmp_path, "seal.key", 1)
    held = SealingKeys(tmp_path, SECRET)
    keep(tmp_path, "seal-bad.key", 2, use="sign")
    for _ in range(2):
        held.poll()
        assert set(held.current) == {good}
    with pytest.raises(KeysError):
        SealingKeys(tmp_path, SECRET)


def test_a_member_without_sealing_keys_opens_nothing(tmp_path: Path) -> None:
    """Whoever is never relayed needs none."""
    assert SealingKeys(tmp_path, SECRET).current == {}
