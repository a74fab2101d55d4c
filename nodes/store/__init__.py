"""A node's database: the bodies of the gateway's ports on SQLite, for any number of worker processes."""

import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from gateway.errors import NotDurable
from nodes.store.accesses import Accesses
from nodes.store.acts import Acts
from nodes.store.ahead import Ahead, Closing
from nodes.store.asker import AskerJournal
from nodes.store.bodies import Bodies
from nodes.store.cases import Cases
from nodes.store.commits import Commits
from nodes.store.confirmations import Confirmations
from nodes.store.connections import connect_read_only
from nodes.store.consents import Consents
from nodes.store.disclosures import Disclosures
from nodes.store.doers import NOBODY, Doer
from nodes.store.evidence import Evidence
from nodes.store.facts import FactSource
from nodes.store.journal import ExchangeJournal
from nodes.store.ledger import Ledger, Scribe
from nodes.store.loading import Loading, Mode
from nodes.store.outbox import Outbox
from nodes.store.reconciliations import Reconciliations
from nodes.store.recovery import Recovery
from nodes.store.restorations import Restorations
from nodes.store.retention import Retention
from nodes.store.schema import RESTORING, StoreUnusable, facts_path, prepare_exchange, prepare_facts
from nodes.store.sessions import Sessions
from nodes.store.submissions import Submissions
from nodes.store.witness import WitnessBook

__all__ = ["Loading", "Mode", "Scribe", "Store", "StoreUnusable", "open_loading"]

_BEAT = "INSERT INTO pulse (id, beat) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beat = beat + 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """All that a worker process needs of its node's database; made after a fork, closed once."""

    source: FactSource
    journal: ExchangeJournal
    asker: AskerJournal
    cases: Cases
    sessions: Sessions
    submissions: Submissions
    consents: Consents
    acts: Acts
    recovery: Recovery
    witness: WitnessBook
    confirmations: Confirmations
    ahead: Ahead
    disclosures: Disclosures
    retention: Retention
    reconciliations: Reconciliations
    outbox: Outbox
    accesses: Accesses
    evidence: Evidence
    restorations: Restorations
    _facts: Path
    _commits: Commits
    _reader: sqlite3.Connection

    @classmethod
    def open(cls, path: Path, storage_key: bytes, scribe: Scribe | None = None) -> Self:
        """Open the database, made or brought up to date when need be.

        Exchanges lie at this path, facts in a file beside it: see `nodes.store.schema`. Without a scribe, for other
        work than exchanges, nothing that belongs in the ledger is kept: it is NotDurable.

        Raises:
            StoreUnusable: when a file is of a newer version, cannot be opened, has another storage key, or a restore
                was interrupted.
            WeakKey: when the storage key is not 32 bytes.
        """
        if path.with_name(RESTORING).exists():
            raise StoreUnusable("a restore was interrupted; run yrdx restore again")
        bodies = Bodies(storage_key)
        facts = facts_path(path)
        prepare_facts(facts)
        prepare_exchange(path)
        with ExitStack() as opened:
            reader = opened.enter_context(closing(connect_read_only(path)))
            bodies.check(reader)
            source = opened.enter_context(closing(FactSource(facts)))
            lock = Lock()
            restorations = Restorations(reader, lock)
            ledger = Ledger(scribe, storage_key, restorations.pending, Closing(reader, lock))
            commits = Commits(path, ledger.seal)
            opened.pop_all()
        shared = (commits, reader, lock, bodies)
        acts, witness = Acts(commits, ledger), WitnessBook(*shared)
        evidence = Evidence(*shared, acts=acts, witness=witness)
        return cls(
            source=source,
            journal=ExchangeJournal(*shared, ledger=ledger),
            asker=AskerJournal(*shared, ledger=ledger),
            cases=Cases(*shared),
            sessions=Sessions(*shared[:3], ledger=ledger),
            submissions=Submissions(*shared),
            consents=Consents(*shared, ledger=ledger, secret=storage_key),
            acts=acts,
            witness=witness,
            confirmations=Confirmations(*shared),
            recovery=Recovery(commits, ledger, reader, lock),
            ahead=Ahead(*shared[:3]),
            disclosures=Disclosures(*shared[1:3]),
            retention=Retention(path, commits, ledger),
            reconciliations=Reconciliations(*shared[:3], ledger=ledger),
            outbox=Outbox(commits, ledger, facts),
            accesses=Accesses(*shared, ledger=ledger, witnessed=evidence.proof),
            evidence=evidence,
            restorations=restorations,
            _facts=facts,
            _commits=commits,
            _reader=reader,
        )

    def loading(self, doer: Doer = NOBODY) -> Loading:
        """Give a writer of facts with a connection of its own; its user closes it. `doer` is who loads."""
        return Loading(self._facts, doer)

    async def writable(self) -> bool:
        """Say whether a small transaction reaches the disk: the truth, not a guess."""
        try:
            await self._commits.run(lambda connection: connection.execute(_BEAT).rowcount)
        except NotDurable:
            return False
        return True

    def close(self) -> None:
        """Finish what waits to be committed and close every connection; later calls fail."""
        self._commits.close()
        self._reader.close()
        self.source.close()


def open_loading(path: Path) -> Loading:
    """Open the facts of a database for loading alone; no storage key is needed.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    prepare_facts(facts_path(path))
    return Loading(facts_path(path))
