"""A member's folder with its books open as a running node has them, but without doors."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from keepers import ME, Desk
from stores import rows

from gateway import wire
from gateway.model.ledger import LedgerPrivate
from keys import custody
from nodes.acts import doer
from nodes.bookkeeping import Bookkeeping
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.cli import main
from nodes.cli.session import Session
from nodes.clock import open_clock
from nodes.config import DATABASE
from nodes.credentials import Credentials
from nodes.store import Scribe, Store
from nodes.store.doers import Doer

BEGINNINGS = ["CONFIGURATION_BEGIN", "FEEDS_BEGIN", "KEYS_BEGIN", "STOPS_BEGIN", "ACCOUNTS_BEGIN"]
AGENCY = f"{ME}-credit"
SECURE, AUDITOR, MANAGER = f"{AGENCY}/s1", f"{AGENCY}/a1", f"{AGENCY}/m1"


class Office:
    """A member's folder with its books open."""

    def __init__(self, desk: Desk) -> None:
        """Open what a node has open, but its doors."""
        self.desk, self.config = desk, desk.lab.config(ME)
        self.following = Following(Source.of(self.config))
        clock = open_clock(self.config.clock)
        credentials = Credentials(self.config, lambda: self.following.current, clock.now)
        scribe = Scribe(member=ME, signer=credentials.log_signer)
        self.path = self.config.data / DATABASE
        self.store = Store.open(self.path, credentials.storage, scribe)
        self.books = Bookkeeping(self.config, self.following, self.store, clock.now)

    async def rounds(self, count: int = 1) -> None:
        """Look that many times."""
        for _ in range(count):
            await self.books.round()

    def acts(self) -> list[tuple[str, str, str]]:
        """Give name, role and officer of every act in the ledger, after the beginnings."""
        found = [wire.decode(LedgerPrivate, row[0]) for row in rows(self.path, "SELECT private FROM ledger_entry")]
        assert [each.act for each in found[:5]] == BEGINNINGS
        return [(each.act, each.role, each.officer) for each in found[5:]]

    def doer(self, officer: str) -> Doer:
        """Give an officer with the own key."""
        home = self.desk.lab.desk_of(officer)
        passphrase = custody.read_passphrase(home / "passphrase")
        return doer(officer, AGENCY, custody.load_signer(home / "officer.key", passphrase))

    def retain(self, *arguments: object) -> Result:
        """Run `yrdx retention run` beside the books."""
        return self._run("retention", "run", *arguments)

    def restore(self, officer: str) -> Result:
        """Run `yrdx restore` on the folder `backup` as an officer."""
        return self._run("restore", self.desk.home / "backup", "--profile", self.desk.lab.profile(officer))

    def _run(self, *arguments: object) -> Result:
        texts = ["--lang", "en", *map(str, (*arguments, *config(self)))]
        return CliRunner().invoke(main, texts, obj=Session(now=lambda: self.desk.now))

    def close(self) -> None:
        """Close the books."""
        self.store.close()
        self.following.close()


def config(office: Office) -> tuple[str, Path]:
    """Name the node."""
    return "--config", office.desk.home / "node.toml"
