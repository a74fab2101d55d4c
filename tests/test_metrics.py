"""Metrics count exchanges under closed lists of labels, and are served on loopback only."""

from __future__ import annotations

from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.event import Event
from keys.directory import Stage
from nodes import run
from nodes.metrics import OTHER, Metrics


def event(**changes: str) -> Event:
    """Give an answered summary."""
    values = {"side": "answer", "peer": "320000", "kind": "summary", "outcome": "ANSWERED", "reason": ""}
    return Event(**{**values, "question_id": "ab" * 16, **changes}, seconds=0.004)


def samples(metrics: Metrics, name: str) -> list[tuple[dict[str, str], float]]:
    """Give the samples of a name."""
    families = text_string_to_metric_families(metrics.text().decode())
    return [(each.labels, each.value) for family in families for each in family.samples if each.name == name]


def test_exchanges_are_counted_by_outcome() -> None:
    """Each side, kind, outcome and reason is a series; peers and questions are not."""
    metrics = Metrics()
    for each in (
        event(),
        event(),
        event(outcome="REFUSED", reason="NO_AGREEMENT"),
        event(side="desk", kind="OpenCase"),
    ):
        metrics.observe(each)
    names = ("side", "kind", "outcome", "reason")
    found = samples(metrics, "exchanges_total")
    counted = {tuple(labels[name] for name in names): value for labels, value in found}
    assert counted == {
        ("answer", "summary", "ANSWERED", ""): 2,
        ("answer", "summary", "REFUSED", "NO_AGREEMENT"): 1,
        ("desk", "OpenCase", "ANSWERED", ""): 1,
    }


def test_a_peer_cannot_make_a_series() -> None:
    """Whatever is not on a list counts as one series of others."""
    metrics = Metrics()
    for number in range(100):
        word = f"w{number}"
        metrics.observe(event(side=word, kind=word, outcome=word, reason=word))
    found = [(tuple(labels.values()), value) for labels, value in samples(metrics, "exchanges_total")]
    assert found == [((OTHER,) * 4, 100)]


def test_durations_are_measured() -> None:
    """An exchange falls into its bucket."""
    metrics = Metrics()
    metrics.observe(event())
    buckets = {labels["le"]: value for labels, value in samples(metrics, "exchange_seconds_bucket")}
    assert (buckets["0.0025"], buckets["0.005"]) == (0, 1)


def test_health_shows_in_gauges() -> None:
    """Faults clear the gauges that they concern."""
    metrics = Metrics()
    metrics.bundle(expires=3_600, closes=7_200, stage=Stage.DEGRADED, mirrors_failing=2)
    found = []
    for faults in ((), ("StoreNotWritable",), ("DirectoryExpired",)):
        metrics.health(faults)
        found.append([samples(metrics, name)[0][1] for name in ("serving", "store_writable")])
    assert found == [[1, 1], [0, 0], [0, 1]]
    assert samples(metrics, "bundle_expires_seconds") == [({}, 3_600)]
    assert samples(metrics, "bundle_closes_seconds") == [({}, 7_200)]
    assert samples(metrics, "bundle_stage") == [({}, 1)]
    assert samples(metrics, "mirrors_failing") == [({}, 2)]


def test_the_members_own_data_show_in_gauges() -> None:
    """Overdue feeds are a number without names; a missing calendar is 1."""
    metrics = Metrics()
    metrics.data(feeds_overdue=3, calendar_missing=True)
    names = ("feeds_overdue", "calendar_missing")
    assert [samples(metrics, name) for name in names] == [[({}, 3)], [({}, 1)]]


@pytest.mark.net
def test_metrics_are_served_on_loopback() -> None:
    """A collector on this machine reads the text."""
    metrics = Metrics()
    metrics.observe(event())
    with urlopen(f"http://127.0.0.1:{metrics.serve('127.0.0.1:0')}/metrics") as response:
        assert b"exchanges_total{" in response.read()


def test_metrics_are_not_served_to_others() -> None:
    """An address that other machines reach is refused."""
    with pytest.raises(ValueError, match="loopback"):
        Metrics().serve("0.0.0.0:0")


@pytest.mark.parametrize(
    ("listen", "number", "expected"),
    [
        (None, 1, None),
        ("127.0.0.1:0", 1, "127.0.0.1:0"),
        ("127.0.0.1:9100", 0, "127.0.0.1:9100"),
        ("[::1]:9100", 3, "[::1]:9103"),
    ],
)
def test_each_worker_has_a_port_of_its_own(listen: str | None, number: int, expected: str | None) -> None:
    """Workers serve their metrics on the configured port and those after it, so that none hides another's."""
    assert run._nth(listen, number) == expected
