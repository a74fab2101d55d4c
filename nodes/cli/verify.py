"""`yrdx verify`: an answer file or a batch against the root of trust, offline; genuine, in time, status apart (U24)."""

from __future__ import annotations

from itertools import count, takewhile
from pathlib import Path

import click

from gateway.verification import Status, Unreadable, Verdict
from gateway.verification import verify as verified
from gateway.verification.evidence import EvidenceVerdict, is_evidence, verify_evidence
from gateway.verification.quality import report_of
from gateway.verification.statements import file_of
from keys.bundle.opening import first_root
from keys.errors import KeysError
from nodes.cli import batch_audit, evidence_tables, quality_tables, reconcile_tables
from nodes.cli.ask import show
from nodes.cli.profile import read_profile, root_of
from nodes.cli.session import (
    LATE,
    NOT_GENUINE,
    RECALLED,
    STATUS_UNKNOWN,
    SUPERSEDED,
    Ended,
    SpeakingCommand,
    option,
    session,
)

FILE_BYTES = 64 << 20
_BY_STATUS = {Status.SUPERSEDED: SUPERSEDED, Status.RECALLED: RECALLED}


@click.command("verify", cls=SpeakingCommand, help="help.verify")
@click.argument("file", type=click.Path(path_type=Path))
@option("--root", say="help.root", type=click.Path(path_type=Path))
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--roots", say="help.roots", type=click.Path(path_type=Path))
@option("--work", say="help.audit_work", type=click.Path(path_type=Path))
@option("--json", "as_json", say="help.json", is_flag=True)
def verify(
    *, file: Path, root: Path | None, roots: Path | None, profile: Path | None, work: Path | None, as_json: bool
) -> None:
    """Verify a file; the exit codes stand in the help."""
    if root is None and profile is None:
        raise Ended("verify.no_root")
    key = root_of(root or read_profile(profile).root)
    if roots is not None:
        key = _earliest(key, roots)
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES + 1)
        if len(content) > FILE_BYTES:
            raise Ended("verify.too_large", file=file.name)
        batch = batch_audit.manifest_of(content)
        if batch is not None:
            raise SystemExit(batch_audit.audited(batch, file, work, key, as_json=as_json))
        if is_evidence(content):
            raise SystemExit(_evidence(content, file, key, as_json=as_json))
        report = report_of(content)
        if report is not None:
            raise SystemExit(quality_tables.audited(report, key, as_json=as_json))
        statement = file_of(content)
        if statement is not None:
            raise SystemExit(reconcile_tables.audited(statement, key, as_json=as_json))
        verdict = verified(content, root=key, now=session().now())
    except OSError as error:
        raise Ended("verify.unreadable_file", file=file.name, why=error.strerror or "") from error
    except Unreadable as error:
        raise Ended("verify.unreadable", file=file.name) from error
    show(verdict, as_json=as_json)
    raise SystemExit(exit_code(verdict))


def _earliest(root: bytes, folder: Path) -> bytes:
    """Give the first root of the federation, once a mirror's roots lead from it to the trusted one."""
    try:
        numbers = takewhile(lambda number: (folder / f"{number}.root.json").exists(), count(1))
        return first_root(root, [(folder / f"{number}.root.json").read_bytes() for number in numbers])
    except (OSError, KeysError) as error:
        why = str(error) if isinstance(error, KeysError) else error.strerror or ""
        raise Ended("verify.roots", folder=folder.name, why=why) from error


def _evidence(content: bytes, file: Path, root: bytes, *, as_json: bool) -> int:
    try:
        verdict = verify_evidence(content, root=root, now=session().now())
    except Unreadable as error:
        raise Ended("verify.torn", file=file.name) from error
    evidence_tables.show(verdict, as_json=as_json)
    return exit_code(verdict)


def exit_code(verdict: Verdict | EvidenceVerdict) -> int:
    """Give the exit code: not genuine, then what happened to it since, then its time, then what is not known."""
    if not verdict.genuine:
        return NOT_GENUINE
    if verdict.status in _BY_STATUS:
        return _BY_STATUS[verdict.status]
    if not verdict.in_time:
        return LATE
    return 0 if verdict.status is Status.CURRENT else STATUS_UNKNOWN
