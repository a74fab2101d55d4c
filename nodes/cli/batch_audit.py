"""Verifies a batch offline for `yrdx verify`: the manifest, the files beside it, and each row again (duty U21)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.model.codes import Window
from keys.envelope import Envelope, from_json
from keys.errors import KeysError
from nodes.batch import folder as folders
from nodes.batch.answers import Reader
from nodes.batch.audit import Audit, BatchFault
from nodes.batch.manifest import PAYLOAD_TYPE, read_manifest
from nodes.batch.order import Order
from nodes.cli import documents
from nodes.cli.batch_tables import audit_document, show_audit
from nodes.cli.questions import KINDS, Asked, body_of
from nodes.cli.session import LATE, NOT_GENUINE, STATUS_UNKNOWN, Ended, session
from nodes.files import FileRefused, open_table


def manifest_of(content: bytes) -> Envelope | None:
    """Give the envelope of a batch's manifest; None for any other file."""
    if content.lstrip()[:1] != b"{":
        return None
    try:
        envelope = from_json(content)
    except KeysError:
        return None
    return envelope if envelope.payload_type == PAYLOAD_TYPE else None


def audited(envelope: Envelope, file: Path, work: Path | None, root: bytes, *, as_json: bool) -> int:
    """Verify a batch, show what was found, and give the exit code.

    Raises:
        Ended: when the manifest or the result beside it cannot be read.
    """
    try:
        manifest = read_manifest(envelope.payload)
        reader = _reader(manifest.order, root)
    except (KeysError, KeyError, ValueError) as error:
        raise Ended("batch.bad_manifest", NOT_GENUINE, file=file.name) from error
    result, folder = file.with_name(manifest.result), work or file.with_name(manifest.folder)
    audit = Audit(
        manifest=manifest,
        envelope=envelope,
        reader=reader,
        answer=lambda name: _content(folder / name),
        now=session().now(),
    )
    faults = _examined(audit, result)
    if as_json:
        documents.write(audit_document(audit))
    else:
        show_audit(audit)
    if faults:
        return NOT_GENUINE
    return STATUS_UNKNOWN if audit.in_time else LATE


def _reader(order: Order, root: bytes) -> Reader:
    if order.kind not in KINDS:
        raise KeyError(order.kind)
    typed = Asked(
        codes=(),
        window=Window(order.window).value if order.window else None,
        domains=order.domains,
        data_items=order.data_items,
        scheme=order.scheme or None,
    )
    return Reader(order=order, template=body_of(order.kind, typed), root=root)


def _examined(audit: Audit, result: Path) -> list[BatchFault]:
    try:
        found = folders.digest(result)
        with open_table(result) as table:
            return audit.examine(found, table.header, _cells(table.rows()))
    except FileRefused as error:
        why = session().words.code("fault", error.fault.value)
        raise Ended("batch.bad_result", NOT_GENUINE, file=result.name, why=why) from error
    except OSError as error:
        raise Ended("batch.no_result", file=result.name, why=error.strerror or "") from error


def _cells(rows: Iterator[tuple[int, list[str]]]) -> Iterator[Sequence[str]]:
    for _, cells in rows:
        yield cells


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
