"""Markers planted in every cell that is not kept: none is found anywhere afterwards (U11, threat 4 and the logs' rule).

Subjects' codes may stand in databases and answers, and nowhere else.
"""

from __future__ import annotations

import asyncio
import csv
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from callers import Caller, codes, measures, summary
from officers import Denied, Officer, named, no_violation, rating, start
from populations import leave, load, populate
from test_ingest import DOMAIN, FIRM, GOOD

from gateway.client import ASK
from gateway.clocks import civil_day
from gateway.federation import request_bytes
from gateway.model.question import Body
from gateway.uscc import sample_code
from nodes.ingest.loads import FAMILIES
from nodes.intake import Delivery
from nodes.lab import Lab, build
from nodes.store import Mode, tables

pytestmark = pytest.mark.net
MARKER = "标记QZXM"
CORE = b"QZXM"
PERSON = "11010519491231002X"  # the sample number printed in GB 11643
PAIR = ("310000", "320000")
MISSING = sample_code("91", "310118", 990_001)
TRADER = sample_code("92", "310118", 990_002)
SUBJECTS = (FIRM, MISSING, TRADER, *(each.uscc for each in codes(3)))
SHOWN = frozenset({"legal_basis"})
"""Kept and shown as it stands: the citation of a published law."""


@dataclass
class Traces:
    """Every place in which a marker could turn up, with the bytes that stand there."""

    answers: list[bytes] = field(default_factory=list)
    refusals: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    databases: list[bytes] = field(default_factory=list)
    logs: list[bytes] = field(default_factory=list)
    metrics: list[bytes] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    command_line: list[bytes] = field(default_factory=list)


PLACES = tuple(Traces.__dataclass_fields__)
WITHOUT_CODES = tuple(each for each in PLACES if each not in {"answers", "databases"})


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def good(record_class: str, lab: Lab) -> dict[str, str]:
    """Give a row whose content may be said today."""
    today = civil_day(lab.clock())
    past, ahead = (today - timedelta(days=30)).isoformat(), (today + timedelta(days=300)).isoformat()
    days = {"CF_JDRQ": past, "listed_on": past, "rated_on": past, "term_from": past, "valid_until": ahead}
    row = dict(GOOD[record_class])
    return row | {name: day for name, day in days.items() if name in row}


def rows(record_class: str, lab: Lab) -> list[dict[str, str]]:
    """Give a good row with a marker in every dropped column, one row a column with a marker in it, and persons."""
    family, base = FAMILIES[record_class], good(record_class, lab)
    kept = {*tables.columns_of(family.table), *base, family.code, "deleted", "subject_kind", *SHOWN}
    key = {"penalty": "CF_WSH", "permit": "XK_WSH"}.get(record_class, "record_key")
    typed = {"XK_YXQZ", "XK_ZT", "CF_NR_FK", "CF_GSJZQ", "reported_on"}
    dropped = sorted(family.columns.known - kept - typed)
    found = [base | {name: f"{MARKER}{number}号" for number, name in enumerate(dropped)}]
    for number, name in enumerate(sorted(family.columns.known - SHOWN)):
        own = {key: f"{MARKER}键{number}"} if key in family.columns.known else {}
        found.append(base | own | {name: f"{MARKER}格{number}"})
    sort = {"penalty": ("CF_XDR_LB", "自然人"), "permit": ("XK_XDR_LB", "自然人")}
    column, word = sort.get(record_class, ("subject_kind", "NATURAL_PERSON"))
    found.append(base | {column: word, family.code: PERSON} | dict.fromkeys(dropped, f"{MARKER}人{PERSON}"))
    found.append(base | {family.code: PERSON})
    return found


def feed(record_class: str) -> str:
    """Name the feed of Shanghai's market regulator for a class of records."""
    return f"310000-{DOMAIN.get(record_class, 'MARKET_REG')}-{record_class}"


def write(folder: Path, record_class: str, found: list[dict[str, str]]) -> Path:
    """Write rows as a source would."""
    path = folder / f"{feed(record_class)}.csv"
    columns = sorted(FAMILIES[record_class].columns.known)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(found)
    return path


def hostile(folder: Path) -> list[Path]:
    """Write files that are refused as a whole, each with markers where it breaks."""
    head = ",".join(sorted(FAMILIES["listing"].columns.needed))
    texts = {
        "310000-TAX-listing": f"{head},{MARKER}列\n{MARKER}\n".encode(),
        "310000-FIRE-listing": f"{head}\n{MARKER},{MARKER},{FIRM}\n".encode(),
        "310000-IP-listing": f'{head}\n"{MARKER},{FIRM}\n'.encode(),
        "310000-CUSTOMS-listing": f"{head}\n{MARKER}".encode("gb18030") + b"\xff\n",
        "310000-COURT-listing": f"{MARKER},{FIRM}\n".encode(),
    }
    found = []
    for name, text in texts.items():
        path = folder / f"{name}.csv"
        path.write_bytes(text)
        found.append(path)
    return found


def yrdx(*arguments: str) -> bytes:
    """Run the command line; give what it writes on both streams."""
    command = [sys.executable, "-P", "-m", "nodes.cli", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return done.stdout + done.stderr


def ingest(lab: Lab, sources: Path, traces: Traces) -> dict[str, int]:
    """Load every marked file in both modes through the port and through the command line; count what was kept."""
    accepted = {}
    paths = [write(sources, each, rows(each, lab)) for each in FAMILIES]
    for path, record_class in zip(paths, FAMILIES, strict=True):
        (loaded,) = load(lab, "310000", [path])
        traces.reports.append(repr((loaded.report, loaded.refused)).encode())
        assert loaded.report is not None
        accepted[record_class] = loaded.report.accepted
    everything = Delivery(mode=Mode.SNAPSHOT, leaves=tuple(leave(lab, "310118-market/o2", each) for each in paths))
    bad = hostile(sources)
    for loaded in [*load(lab, "310000", paths, everything), *load(lab, "310000", bad)]:
        traces.reports.append(repr((loaded.report, loaded.refused)).encode())
        traces.reports.append(str(loaded.refused).encode())
    config = str(lab.home("310000") / "node.toml")
    for each in (["--json"], [], ["--mode", "snapshot"]):
        files = [str(path) for path in (*paths, *bad)]
        traces.command_line.append(yrdx("ingest", "--config", config, *each, *files))
    return accepted


def bodies(code: str) -> dict[str, Body]:
    """Ask a code by each kind."""
    subject = named(code)
    return {
        "summary": summary(subject),
        "rating": rating(subject),
        "measures": measures(subject),
        "no_violation": no_violation(subject),
    }


async def ask(lab: Lab, traces: Traces) -> set[str]:
    """Ask everything through the desk, with refusals and errors; give the states that were found."""
    officer, states = Officer(lab=lab), set()
    for code in (FIRM, MISSING):
        for kind, body in bodies(code).items():
            asked = officer.certify(code, members=PAIR) if kind == "no_violation" else officer.ask(body, members=PAIR)
            told = await asked
            traces.answers.append(told.raw)
            states.add(told.subject.state.value)
    told = await officer.ask(summary(named(FIRM, f"{MARKER}名")), members=PAIR)
    traces.answers += [each.answer.SerializeToString() for each in told.response.exchanges]
    credit = Officer(lab=lab, name="310118-credit/o1")
    recognised = await credit.recognise(FIRM, agreement_id="ZONE-2026", members=PAIR)
    traces.answers.append(recognised.raw)
    wrong = FIRM[:-1] + ("0" if FIRM[-1] != "0" else "1")
    refused = [
        officer.ask(summary(named(FIRM)), purpose="ADMIN_LICENSING", case_reference="none"),
        officer.ask(summary(named(FIRM)), purpose=f"{MARKER}目的", application_item="SH-2026-010"),
        officer.ask(summary(named(FIRM)), application_item=f"{MARKER}{FIRM}"),
        officer.ask(summary(named(FIRM)), agreement_id=f"{MARKER}{FIRM}"),
        officer.ask(summary(named(f"{MARKER}{FIRM}"))),
        officer.ask(summary(named(wrong, f"{MARKER}名"))),
        officer.ask(no_violation(named(FIRM)), purpose="NO_VIOLATION_REPORT"),
        officer.certify(TRADER),
        officer.open_case(f"{MARKER}{FIRM}", purpose="ADMIN_LICENSING"),
        officer.read_case(f"{MARKER}{FIRM}"),
        officer.call("AskMembers", f"{MARKER}{FIRM}".encode()),
    ]
    for each in refused:
        with pytest.raises(Denied) as caught:
            await each
        traces.errors += said(caught.value.error)
    return states


def said(error: grpc.aio.AioRpcError) -> list[bytes]:
    """Give everything that an error says: texts, and metadata of both ends of the call."""
    texts = (error.details(), error.debug_error_string(), repr(error), str(error))
    return [*(str(each).encode() for each in texts), *flat(error.initial_metadata()), *flat(error.trailing_metadata())]


def flat(metadata: Any) -> list[bytes]:
    """Give keys and values of metadata as bytes."""
    return [part if isinstance(part, bytes) else str(part).encode() for pair in metadata or () for part in pair]


async def ask_directly(lab: Lab, traces: Traces) -> set[str]:
    """Ask Shanghai's node as Jiangsu, without a desk: answers, every sort of bytes, and metadata both ways."""
    caller = Caller(lab=lab, me="320000", to="310000")
    terms: dict[str, Any] = {"item": "JS-2026-010", "agency": "320509-market"}
    outcomes = set()
    wishes: list[bytes] = [request_bytes(caller.compose(body, **terms)) for body in list(bodies(FIRM).values())[:3]]
    changed: tuple[dict[str, Any], ...] = (
        {"body": summary(named(FIRM, f"{MARKER}名"))},
        {"body": summary(named(f"{MARKER}{FIRM}"))},
        {"body": no_violation(named(FIRM)), "purpose": "NO_VIOLATION_REPORT", "item": "JS-2026-015"},
        *({"body": summary(named(FIRM)), name: f"{MARKER}{FIRM}"} for name in ("purpose", "item", "agreement")),
        {"body": summary(named(FIRM)), "case_reference": f"{MARKER}{FIRM}"},
        {"body": summary(named(FIRM)), "purpose": "NONE"},
        {"body": summary(named(FIRM)), "item": "NONE"},
        {"body": summary(named(FIRM)), "agreement": "NONE"},
        {"body": summary(named(FIRM)), "agency": "310118-market"},
        {"body": summary(named(FIRM), named(FIRM))},
    )
    wishes += [request_bytes(caller.compose(**{**terms, **each})) for each in changed]
    wishes += [f"{MARKER}{FIRM}".encode(), wishes[0][:-1], wishes[0] + f"{MARKER}{FIRM}".encode()]
    try:
        call: Any = caller.channel("310000").unary_unary(ASK)
        for request in wishes:
            asked = call(request, timeout=20)
            try:
                traces.answers.append(await asked)
                outcomes.add("ANSWERED")
            except grpc.aio.AioRpcError as error:
                traces.errors += said(error)
                traces.refusals += flat(error.trailing_metadata())
                outcomes.add(str(error.details()))
            traces.metadata += flat(await asked.initial_metadata())
            traces.metadata += flat(await asked.trailing_metadata())
    finally:
        await caller.close()
    return outcomes


def ask_by_command(lab: Lab, traces: Traces) -> None:
    """Ask by the command line what is refused: both languages, both forms."""
    profile = str(lab.profile("310118-market/o1"))
    base = ["--profile", profile, "--purpose", "DAILY_SUPERVISION"]
    wrong = FIRM[:-1] + ("0" if FIRM[-1] != "0" else "1")
    for arguments in (
        ["ask", "summary", FIRM, *base, "--item", "SH-2026-999"],
        ["ask", "summary", FIRM, *base, "--item", "SH-2026-010", "--json", "--agreement", "NONE"],
        ["ask", "summary", wrong, *base, "--item", "SH-2026-010"],
        ["ask", "measures", f"{MARKER}{FIRM}", *base, "--item", "SH-2026-010"],
        ["ask", "summary", FIRM, "--name", f"{MARKER}名", *base, "--item", "SH-2026-999"],
        ["case", "show", "nowhere", "--profile", profile],
    ):
        for language in ("en", "zh"):
            traces.command_line.append(yrdx("--lang", language, *arguments))


def keep_files(lab: Lab, traces: Traces) -> None:
    """Read every file of both members' data folders, and their logs."""
    for member in PAIR:
        found = [each for each in (lab.home(member) / "data").rglob("*") if each.is_file()]
        traces.databases += [each.read_bytes() for each in found]
        traces.logs.append((lab.home(member) / "node.log").read_bytes())


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day's work of two members, and what it left behind."""

    traces: Traces
    accepted: Mapping[str, int]
    states: set[str]
    outcomes: set[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the module's folder."""
    return tmp_path_factory.mktemp("markers")


@pytest.fixture(scope="module")
def marked(folder: Path) -> Iterator[tuple[Lab, int]]:
    """Build two members, Shanghai's with a metrics port."""
    lab = build(folder / "lab")
    port = free_port()
    config = lab.home("310000") / "node.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f'metrics_listen = "127.0.0.1:{port}"\n{text}', encoding="utf-8")
    try:
        for member in PAIR:
            populate(lab, member, subjects=0)
        yield lab, port
    finally:
        lab.stop()


@pytest.fixture(scope="module")
def day(marked: tuple[Lab, int], folder: Path) -> Day:
    """Load, start, ask, refuse, and gather every trace, while the nodes run and after they ended."""
    (lab, port), traces = marked, Traces()
    sources = folder / "sources"
    sources.mkdir()
    start(lab, *PAIR)
    accepted = ingest(lab, sources, traces)
    states, outcomes = asyncio.run(_asked(lab, traces))
    ask_by_command(lab, traces)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as metrics:
        traces.metrics.append(metrics.read())
    keep_files(lab, traces)
    lab.stop()
    keep_files(lab, traces)
    return Day(traces=traces, accepted=accepted, states=states, outcomes=outcomes)


async def _asked(lab: Lab, traces: Traces) -> tuple[set[str], set[str]]:
    return await ask(lab, traces), await ask_directly(lab, traces)


def test_the_day_left_something_in_every_place(day: Day) -> None:
    """The search is no empty one: rows were kept, things found, refused and not found, and every place has bytes."""
    assert all(count >= 1 for count in day.accepted.values())
    assert {"FOUND", "INCOMPLETE"} <= day.states
    assert {
        "ANSWERED", "MALFORMED", "BAD_SUBJECT", "AUTHORISATION_MISSING", "PURPOSE_NOT_ALLOWED", "ITEM_NOT_PUBLISHED",
        "NO_AGREEMENT", "AGENCY_NOT_ALLOWED",
    } <= day.outcomes  # fmt: skip
    assert {place: any(map(len, getattr(day.traces, place))) for place in PLACES} == dict.fromkeys(PLACES, True)
    assert any(FIRM.encode() in each for each in day.traces.databases)
    assert any(b'"exchange"' in each for each in day.traces.logs)
    assert b'outcome="REFUSED"' in day.traces.metrics[0]


@pytest.mark.parametrize("place", PLACES)
def test_no_marker_is_found_anywhere(day: Day, place: str) -> None:
    """No name, number, text, amount or person of any file, and no odd word of any question, stands in the place."""
    for each in getattr(day.traces, place):
        for text in (CORE, MARKER.encode(), MARKER.encode("gb18030"), MARKER.encode("utf-16-le"), PERSON.encode()):
            assert text not in each, excerpt(each, text)


@pytest.mark.parametrize("place", WITHOUT_CODES)
def test_no_code_is_found_outside_databases_and_answers(day: Day, place: str) -> None:
    """Logs, metrics, errors, refusals, metadata, reports and the command line's errors name no subject."""
    for each in getattr(day.traces, place):
        for code in SUBJECTS:
            assert code.encode() not in each, excerpt(each, code.encode())


def excerpt(found: bytes, text: bytes) -> bytes:
    """Give what stands around a find."""
    at = found.index(text)
    return found[max(0, at - 200) : at + 200]
