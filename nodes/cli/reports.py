"""What became of loaded files, for persons and programs, and the bar while it happens. Never a value."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from gateway.errors import GatewayError
from keys.errors import KeysError
from nodes.batch import folder as folders
from nodes.cli.session import INTERRUPTED, Ended, session
from nodes.config import Config, ConfigError, read_config
from nodes.files import open_writer
from nodes.ingest import Problem, Report
from nodes.ingest.report import LATE, ON_TIME, REJECTED, UNMEASURED
from nodes.intake import Loaded, Problems, Progress

COUNTS = (
    *("rows", "accepted", "corrected", "unchanged", "withdrawn", "out_of_scope", "not_ours"),
    *("held", "rejected", "notices", "late", "on_time", "unmeasured", "gaps"),
)
_TABLES = frozenset({".csv", ".xlsx"})
_REASONS = ("held", "rejected", "notices")
_AGENCIES = ("rows", "stored", "held", REJECTED, "not_ours", "out_of_scope", LATE, ON_TIME, UNMEASURED)


def incomplete(loaded: Iterable[Loaded]) -> bool:
    """Say whether a file was refused, or a row rejected or held, or the feed has gaps from before."""
    return any(
        each.refused or each.gaps or (each.report and (each.report.rejected or each.report.gaps)) for each in loaded
    )


def file_document(each: Loaded) -> dict[str, Any]:
    """Give what became of a file, or of a feed's held rows, for programs: see docs/json.md."""
    name = {} if each.path is None else {"file": each.path.name}
    if each.refused is not None:
        arguments = {key: str(value) for key, value in each.refused.arguments.items()}
        return {**name, "refused": each.refused.fault.value, "arguments": arguments}
    if each.report is None:
        return {**name, "feed": each.feed, "unchanged_file": True}
    return name | _report(each.report)


def _report(report: Report) -> dict[str, Any]:
    counts = {name: getattr(report, name) for name in COUNTS if name not in _REASONS}
    reasons = {
        name: {reason.value: count for reason, count in sorted(getattr(report, name).items(), key=_by_name)}
        for name in _REASONS
    }
    return {
        "feed": report.feed,
        "version": report.version,
        "data_through": report.data_through.isoformat(),
        **counts,
        **reasons,
        "agencies": _agencies(report),
        "problems": [
            {"row": one.row, "column": one.column, "reason": one.reason.value, "outcome": one.outcome.value}
            for one in report.problems
        ],
    }


def _by_name(pair: tuple[Any, int]) -> str:
    return str(pair[0].value)


def _agencies(report: Report) -> list[dict[str, Any]]:
    found: dict[str, dict[str, int]] = {}
    for (agency, name), number in sorted(report.by_agency.items()):
        found.setdefault(agency, {})[name] = number
    return [{"agency": agency, "counts": counts} for agency, counts in found.items()]


def show(loaded: Sequence[Loaded]) -> None:
    """Show counts by feed and by agency, then where problems stand."""
    words, console = session().words, Console(soft_wrap=True)
    for report in (each.report for each in loaded if each.report is not None and each.report.rows):
        _line(console, report.feed, {name: _count(getattr(report, name)) for name in COUNTS})
        for row in _agencies(report):
            agency = row["agency"] or words.say("ingest.no_agency")
            _line(console, f"  {agency}", {name: row["counts"].get(name, 0) for name in _AGENCIES})
    files = [each for each in loaded if each.path is not None]
    quiet = sum(each.report is not None and not each.report.rows for each in files)
    console.print(
        words.say("ingest.summary", files=len(files), quiet=quiet, unchanged=sum(each.unchanged for each in files))
    )
    for each in loaded:
        _show_problems(console, each)


def _line(console: Console, name: str, counts: Mapping[str, int]) -> None:
    """Say what there is on one line: a table of many numbers folds them at the width of a log."""
    words = session().words
    said = words.say("mark.comma").join(
        f"{words.say(f'column.{key}')} {number:,}" for key, number in counts.items() if number
    )
    console.print(f"{name}: {said}", markup=False, highlight=False)


def _count(value: Any) -> int:  # noqa: ANN401  a number, or numbers by reason
    return value if isinstance(value, int) else sum(value.values())


def _show_problems(console: Console, loaded: Loaded) -> None:
    words = session().words
    name = loaded.feed if loaded.path is None else loaded.path.name
    if loaded.refused is not None:
        why = words.code("fault", loaded.refused.fault.value)
        where = words.say("mark.comma").join(f"{key} {value}" for key, value in loaded.refused.arguments.items())
        text = words.say("ingest.refused", file=name, why=why + (f" ({where})" if where else ""))
        console.print(text, style="red", markup=False)
    key = "ingest.held_problem" if loaded.path is None else "ingest.problem"
    for one in loaded.report.problems if loaded.report else ():
        reason = f"{words.code('problem', one.outcome.value)}: {words.code('reason', one.reason.value)}"
        text = words.say(key, file=name, row=one.row, column=one.column, reason=reason)
        console.print(text, style="yellow", markup=False)


def checked_config(path: Path) -> Config:
    """Read a member's configuration.

    Raises:
        Ended: with every fault.
    """
    try:
        return read_config(path)
    except ConfigError as error:
        raise Ended("node.bad_config", lines=error.faults, file=path.name) from error


@contextmanager
def problem_file(path: Path | None) -> Iterator[Problems | None]:
    """Give what writes every problem to a table, which appears when all is written and never over another file.

    Raises:
        Ended: when the name is taken or is no table's.
    """
    if path is None:
        yield None
        return
    if path.suffix.lower() not in _TABLES:
        raise Ended("batch.bad_suffix", file=path.name)
    if os.path.lexists(path):
        raise Ended("ingest.rejects_exist", file=path.name)
    new = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with open_writer(new, ("file", "row", "column", "reason", "outcome")) as writer:

        def write(file: Path, one: Problem) -> None:
            writer.write((file.name, str(one.row), one.column, one.reason.value, one.outcome.value))

        yield write
    try:
        folders.publish(new, path)
    except FileExistsError as error:
        raise Ended("ingest.rejects_exist", file=path.name) from error
    finally:
        new.unlink()


@contextmanager
def ending(done: Sequence[object], files: int) -> Iterator[None]:
    """End the command when loading stops: what is under way is undone, what was done before stays whole.

    Raises:
        Ended: telling how far it came.
    """
    try:
        yield
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("ingest.stopped", why=str(error), done=len(done), files=files) from error
    except KeyboardInterrupt as error:
        raise Ended("ingest.interrupted", INTERRUPTED, done=len(done), files=files) from error


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show file, part, rows and rows a second on a terminal's stderr; elsewhere nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[told]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(session().words.say(label), total=1.0, told="")
        began: dict[Path, float] = {}

        def tell(path: Path, rows: int, part: float) -> None:
            seconds = max(monotonic() - began.setdefault(path, monotonic()), 1e-3)
            told = session().words.say("ingest.speed", file=path.name, rows=rows, speed=round(rows / seconds))
            bar.update(task, completed=part, told=told)

        yield tell
