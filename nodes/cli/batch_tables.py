"""What is shown of a batch: counts, rate and files; and of its verification, what failed and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.verdicts import RowVerdict
from nodes.batch.audit import Audit
from nodes.batch.manifest import Manifest
from nodes.batch.order import SCOPE
from nodes.cli import documents
from nodes.cli.names import moment
from nodes.cli.session import session
from nodes.cli.sheets import BAD, GOOD, WARNING, row, table

CHECKED, AUDITED = "yrdx.check.v1", "yrdx.batch-verification.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a batch came to."""

    manifest: Manifest
    subjects: int
    asked: int
    seconds: float
    result: Path
    manifest_file: Path | None
    """None where nothing was asked: then there is nothing to sign."""

    @property
    def open(self) -> bool:
        """Whether a row awaits a member, or lacks its light or tier."""
        return bool(self.manifest.incomplete or self.manifest.undecided)


def document(found: Checked) -> dict[str, Any]:
    """Give the document of a batch; docs/json.md tells every field."""
    return {
        "format": CHECKED,
        "rows": found.manifest.rows,
        "subjects": found.subjects,
        "asked": found.asked,
        "verdicts": _counts(found.manifest),
        **_scope(found.manifest),
        "incomplete": found.manifest.incomplete,
        "undecided": found.manifest.undecided,
        "seconds": round(found.seconds, 3),
        "rate": round(found.asked / found.seconds, 1) if found.seconds else 0.0,
        "seed": found.manifest.order.seed,
        "retries": found.manifest.retries,
        "result": found.result.name,
        "result_digest": found.manifest.result_digest,
        "manifest": found.manifest_file and found.manifest_file.name,
        "answers": [each.name for each in found.manifest.answers],
    }


def show(found: Checked) -> None:
    """Show how many rows came to which verdict, and where the files are."""
    words, console = session().words, Console(soft_wrap=True)
    counts = table(words, "batch.title", "verdict", "rows")
    for verdict, count in _counts(found.manifest).items():
        style = WARNING if verdict == RowVerdict.INCOMPLETE.value else ""
        row(counts, words.code("row_verdict", verdict), f"{count:,}", style=style)
    console.print(counts)
    said = {"rows": found.manifest.rows, "asked": found.asked, "seconds": f"{found.seconds:.1f}"}
    console.print(words.say("batch.summary", **said), markup=False)
    _show_scope(console, found.manifest)
    if found.manifest_file is None:
        console.print(words.say("batch.unsigned", result=found.result.name), markup=False)
    else:
        files = {"result": found.result.name, "manifest": found.manifest_file.name}
        console.print(words.say("batch.files", **files), markup=False)
    for name in ("incomplete", "undecided"):
        count = getattr(found.manifest, name)
        if count:
            console.print(words.say(f"batch.{name}", count=count), style=WARNING, markup=False)


def audit_document(audit: Audit) -> dict[str, Any]:
    """Give the document of a verification."""
    manifest, faults = audit.manifest, audit.faults
    return {
        "format": AUDITED,
        "genuine": not faults,
        "in_time": audit.in_time,
        "valid_until_time": documents.plain_value(audit.valid_until),
        "rows": manifest.rows,
        "verdicts": _counts(manifest),
        **_scope(manifest),
        "officer": manifest.order.officer,
        "sign_time": documents.plain_value(manifest.sign_time),
        "faults": [{"check": each.check.value, "where": each.where} for each in faults],
    }


def show_audit(audit: Audit) -> None:
    """Show whether a batch is genuine and in time, or what failed and where."""
    manifest, faults = audit.manifest, audit.faults
    words, console = session().words, Console(soft_wrap=True)
    if not faults:
        said = {"rows": manifest.rows, "answers": len(manifest.answers), "officer": manifest.order.officer}
        console.print(words.say("batch.genuine", **said), style=GOOD, markup=False)
        _show_scope(console, manifest)
        if not audit.in_time:
            console.print(words.say("batch.late", until=moment(audit.valid_until)), style=BAD, markup=False)
        return
    console.print(words.say("batch.not_genuine"), style=BAD, markup=False)
    failed = table(words, "", "check", "where", "rows")
    for (check, where), count in Counter((each.check, each.where) for each in faults).items():
        row(failed, words.code("batch_check", check.value), where, str(count))
    console.print(failed)


def _scope(manifest: Manifest) -> dict[str, list[str]]:
    """Give what was asked less than the agreement allows; empty lists where all was asked."""
    return {name: list(getattr(manifest.order, name)) for name in SCOPE}


def _show_scope(console: Console, manifest: Manifest) -> None:
    words = session().words
    scope = [f"{words.code('scope', name)} {', '.join(held)}" for name, held in manifest.order.scope.items()]
    if scope:
        said = words.say("batch.scope", scope="; ".join(scope))
        console.print(said, style=WARNING, markup=False)


def _counts(manifest: Manifest) -> dict[str, int]:
    """Give the counts in the order of the list of verdicts."""
    return {each.value: manifest.counts[each] for each in RowVerdict if manifest.counts.get(each)}
