"""A federation without processes whose clock a test holds, and `yrdx keys` of one member in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import labs
from click.testing import CliRunner, Result

from gateway.charter import Charter
from keys import custody, moments
from nodes import keeper, lab
from nodes.cli import main
from nodes.cli.session import Session
from nodes.keeper import Keeper
from nodes.lab import LIGHT, Lab
from nodes.setup import ENTRY, Entry, Setting, read_entry

ME = "310000"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@dataclass(kw_only=True)
class Desk:
    """One member's folder under a clock."""

    lab: Lab
    now: datetime = NOW

    @property
    def home(self) -> Path:
        """The member's folder."""
        return self.lab.home(ME)

    @property
    def keys(self) -> Path:
        """The key folder."""
        return self.home / "keys"

    @property
    def passphrase(self) -> bytes:
        """What opens the key files."""
        return custody.read_passphrase(self.keys / "passphrase")

    @property
    def entry(self) -> Entry:
        """The entry as it stands."""
        return read_entry((self.home / ENTRY).read_text(encoding="utf-8"))

    @property
    def keeper(self) -> Keeper:
        """The keeper under the directory that is published."""
        opened = keeper.open_keeper(self.lab.config(ME), self.home / ENTRY, self.now)
        return Keeper(config=opened.config, entry=opened.entry, charter=opened.charter, now=self.now, work=LIGHT)

    @property
    def charter(self) -> Charter:
        """The directory that is published."""
        return self.keeper.charter

    def publish(self) -> None:
        """Publish what the entry says now."""
        self.lab.adopt(ME)
        (self.lab.folder / "clock").write_text(moments.write(self.now), encoding="ascii")
        self.lab.publish()

    def run(self, *arguments: str | Path) -> Result:
        """Run `yrdx keys` at this time."""
        texts = ["--lang", "en", "keys", *map(str, arguments)]
        return CliRunner().invoke(main, texts, obj=Session(now=lambda: self.now), env={"COLUMNS": "300"})

    def shown(self) -> dict[str, Any]:
        """Run `yrdx keys show --json`."""
        found: dict[str, Any] = json.loads(self.run("show", "--config", self.home / "node.toml", "--json").stdout)
        return found


def _built(folder: Path) -> Lab:
    folder.mkdir()
    (folder / "clock").write_text(
        moments.write(NOW), encoding="ascii"
    )  # moves with what is published, so that no bundle ends
    return lab.build(folder, setting=Setting(clock='source = "file"\npath = "../clock"'), clock=lambda: NOW)


def make_desk(folder: Path) -> Desk:
    """Copy the federation, which is made once, into a folder."""
    desk = Desk(lab=labs.build(folder, _built))
    desk.lab.clock = lambda: desk.now
    return desk
