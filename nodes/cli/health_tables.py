"""How a node is, as its operator reads it: first whether it serves, then what is missing and from whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from nodes.cli.session import session
from nodes.cli.sheets import BAD, GOOD, WARNING, row, table
from nodes.cli.words import Words, plain

_STYLES = {"NORMAL": GOOD, "DEGRADED": WARNING, "CLOSED": BAD}


def show(found: Mapping[str, Any]) -> None:
    """Show a node's health."""
    words, console, bundle = session().words, Console(soft_wrap=True), found["bundle"]
    key, style = ("health.serving", GOOD) if found["serving"] else ("health.not_serving", BAD)
    console.print(Text(words.say(key, member=found["member"], time=found["time"]), style=style))
    for each in found["faults"]:
        console.print(Text(plain(words.say("health.fault", fault=each)), style=BAD))
    stage = words.code("bundle_stage", bundle["stage"])
    said = words.say("health.bundle", version=bundle["version"], stage=stage, closes=bundle["close_time"])
    console.print(Text(said, style=_STYLES[bundle["stage"]]))
    _list(console, words, "health.expired", ("role", "expire_time", "need"), found["expired"])
    mirrors = [{**each, "problem": _problem(each, words)} for each in found["mirrors"]]
    _list(console, words, "health.mirrors", ("mirror", "visit_time", "problem"), mirrors)
    stops = [{**each, "what": words.code("stop_what", each["what"])} for each in found["stops"]]
    _list(console, words, "health.stops", ("what", "id", "ground", "time"), stops)
    alarms = [{**each, "alarm": words.code("alarm", each["alarm"])} for each in found["alarms"]]
    _list(console, words, "health.alarms", ("alarm", "who", "count"), alarms)
    _ledger(console, words, found.get("ledger") or {})
    _compared(console, words, found.get("reconciliation") or {})


def _ledger(console: Console, words: Words, found: Mapping[str, Any]) -> None:
    """Say what a person must look at in the ledgers."""
    for name in ("contradicting", "behind"):
        if found.get(name):
            said = words.say(f"health.ledger_{name}", members=", ".join(found[name]))
            console.print(Text(said, style=BAD))
    if found.get("forks"):
        console.print(Text(words.say("health.ledger_forks", count=found["forks"]), style=BAD))
    if found.get("marked"):
        console.print(Text(words.say("health.ledger_marked", seconds=found["lag_seconds"]), style=WARNING))


def _compared(console: Console, words: Words, found: Mapping[str, int]) -> None:
    """Say where ledgers differ, and which days wait to be compared."""
    if found.get("findings"):
        console.print(Text(words.say("health.differing", count=found["findings"]), style=BAD))
    if found.get("behind"):
        console.print(Text(words.say("health.behind", count=found["behind"]), style=WARNING))


def _list(
    console: Console, words: Words, title: str, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]
) -> None:
    found = table(words, title, *columns)
    for each in rows:
        row(found, *(str(each[name]) for name in columns))
    if found.row_count:
        console.print()
        console.print(found)


def _problem(mirror: Mapping[str, Any], words: Words) -> str:
    """Say what is wrong with a mirror: the problem, the role, and signatures held of those needed."""
    if mirror["problem"] is None:
        return words.say("health.good")
    said = words.code("mirror", mirror["problem"])
    if mirror["need"] is not None:
        said = words.say("health.short", problem=said, have=mirror["have"], need=mirror["need"])
    return f"{said}: {mirror['role']}" if mirror["role"] else said
