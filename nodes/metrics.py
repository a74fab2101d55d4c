"""What a collector may count: exchanges by side, kind, outcome and reason, and whether the node is well.

Labels come from closed lists: a question cannot make a new series, and none names a subject, agency or case.
"""

from collections import Counter as Counted
from collections.abc import Iterable, Mapping
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

from gateway.event import Event
from gateway.kinds import KINDS
from gateway.ledger.reconciliation import Difference
from gateway.model.codes import ConsentReason, OutcomeState, RefusalReason
from gateway.watching import Alarm, Told
from keys.directory import Stage
from keys.members import USES
from nodes.alarms import AUTHORITY, ISSUING, LEAF, ROLES
from nodes.config import is_loopback
from yrdx.exchange.v1 import authorisation_pb2, desk_pb2

OTHER = "OTHER"
STORE_NOT_WRITABLE = "StoreNotWritable"

_SIDES = frozenset({"answer", "ask", "consent", "desk", "relay"})
_OPERATIONS = desk_pb2.DESCRIPTOR.services_by_name["DeskService"].methods_by_name
_CONSENTS = authorisation_pb2.DESCRIPTOR.services_by_name
_KINDS = frozenset({*KINDS, *_OPERATIONS, *(name for each in _CONSENTS.values() for name in each.methods_by_name), ""})
_OUTCOMES = frozenset(each.value for each in OutcomeState) | {"RELAYED"}
_REASONS = frozenset(each.value for kind in (RefusalReason, ConsentReason) for each in kind) | {""}
ENDING = frozenset({*USES, *ROLES, LEAF, ISSUING, AUTHORITY})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@final
class Metrics:
    """One process's metrics in a registry of their own; safe from any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._exchanges = Counter(
            "exchanges", "Exchanges by how they ended", ("side", "kind", "outcome", "reason"), registry=self._registry
        )
        self._seconds = Histogram(
            "exchange_seconds",
            "Duration of exchanges",
            ("side", "kind"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._expires = Gauge(
            "bundle_expires_seconds", "Seconds until the bundle is no longer current", registry=self._registry
        )
        self._closes = Gauge(
            "bundle_closes_seconds", "Seconds until nothing is asked or answered on the bundle", registry=self._registry
        )
        self._stage = Gauge("bundle_stage", "0 normal, 1 degraded, 2 closed", registry=self._registry)
        self._mirrors = Gauge("mirrors_failing", "Mirrors that the last poll could not use", registry=self._registry)
        self._writable = Gauge("store_writable", "1 while a transaction reaches the disk", registry=self._registry)
        self._overdue = Gauge("feeds_overdue", "Declared feeds without the update that is due", registry=self._registry)
        self._calendar = Gauge(
            "calendar_missing", "1 while a table of working days is missing that is needed now", registry=self._registry
        )
        self._size = Gauge("ledger_entries", "Entries of the member's last log", registry=self._registry)
        self._lag = Gauge(
            "witness_lag_seconds", "Age of the oldest entry that no quorum has seen", registry=self._registry
        )
        self._forks = Gauge("ledger_forks", "Kept evidence of two histories, of any log", registry=self._registry)
        self._ends = Gauge(
            "ends_seconds", "Seconds until a key, certificate or the bundle ends", ("what",), registry=self._registry
        )
        self._alarm = Gauge(
            "ends_alarm_days", "Step of days left that is reached; -1 while there is time", ("what",),
            registry=self._registry,
        )  # fmt: skip
        self._differences = Gauge(
            "ledger_differences",
            "Numbers on which a partner's ledger differs",
            ("difference",),
            registry=self._registry,
        )
        self._uncompared = Gauge(
            "ledger_days_due", "Pairs of ledgers of which a day is due to be compared", registry=self._registry
        )
        self._alarms = Gauge(
            "alarms", "Agencies, officers and things of which an operator must be told", ("alarm",),
            registry=self._registry,
        )  # fmt: skip
        for each in Alarm:
            self._alarms.labels(each.value).set(0)
        self._serving = Gauge("serving", "1 while an exchange could succeed", registry=self._registry)

    def observe(self, event: Event) -> None:
        """Count an exchange."""
        side, kind = _listed(event.side, _SIDES), _listed(event.kind, _KINDS)
        outcome, reason = _listed(event.outcome, _OUTCOMES), _listed(event.reason, _REASONS)
        self._exchanges.labels(side, kind, outcome, reason).inc()
        self._seconds.labels(side, kind).observe(event.seconds)

    def health(self, faults: tuple[str, ...]) -> None:
        """Set the gauges of health by the names of the faults found."""
        self._serving.set(not faults)
        self._writable.set(STORE_NOT_WRITABLE not in faults)

    def bundle(self, *, expires: float, closes: float, stage: Stage, mirrors_failing: int) -> None:
        """Set what is told of the bundle: the seconds it has left, below zero when they are over, and its mirrors."""
        self._expires.set(expires)
        self._closes.set(closes)
        self._stage.set(tuple(Stage).index(stage))
        self._mirrors.set(mirrors_failing)

    def lifetimes(self, ends: Mapping[str, tuple[float, int | None]]) -> None:
        """Set for each thing that ends the seconds left and the step of its alarm."""
        for what, (seconds, step) in ends.items():
            self._ends.labels(_listed(what, ENDING)).set(seconds)
            self._alarm.labels(_listed(what, ENDING)).set(-1 if step is None else step)

    def data(self, *, feeds_overdue: int, calendar_missing: bool) -> None:
        """Set the gauges of the member's own data."""
        self._overdue.set(feeds_overdue)
        self._calendar.set(calendar_missing)

    def ledger(self, *, size: int, lag: float, forks: int) -> None:
        """Set the gauges of the member's ledger; the lag in seconds."""
        self._size.set(size)
        self._lag.set(lag)
        self._forks.set(forks)

    def reconciliation(self, findings: Mapping[Difference, int], behind: int) -> None:
        """Set the gauges of the comparison with partners' ledgers."""
        for each in Difference:
            self._differences.labels(each.value).set(findings.get(each, 0))
        self._uncompared.set(behind)

    def alarms(self, told: Iterable[Told]) -> None:
        """Set for each alarm of how many it sounds."""
        found = Counted(each.alarm for each in told)
        for each in Alarm:
            self._alarms.labels(each.value).set(found[each.value])

    def text(self) -> bytes:
        """Write everything in the collector's text form."""
        return generate_latest(self._registry)

    def serve(self, listen: str) -> int:
        """Serve the text over HTTP from a thread that ends with the process; give the port.

        Raises:
            ValueError: when the address is not on loopback: readers are not asked who they are.
            OSError: when the port is taken.
        """
        if not is_loopback(listen):
            raise ValueError("metrics are served on loopback only; let a local collector read them")
        host, _, port = listen.rpartition(":")
        server, _thread = start_http_server(int(port), addr=host.strip("[]"), registry=self._registry)
        return int(server.server_port)


def _listed(value: str, known: frozenset[str]) -> str:
    return value if value in known else OTHER
