"""`yrdx evidence`: a result, or a whole case 办件, as one file that verifies offline years later (duties U23, U24)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from gateway import carriers
from gateway.evidence import GROUND
from gateway.verification import Unreadable
from gateway.verification.evidence import FORMAT, EvidenceVerdict, verify_evidence
from nodes.cli import evidence_desk, evidence_tables, tables
from nodes.cli.ask import reserved
from nodes.cli.profile import Access, unlock
from nodes.cli.session import NOT_GENUINE, Ended, SpeakingGroup, option, session
from nodes.cli.verify import FILE_BYTES
from yrdx.exchange.v1 import evidence_pb2

_ID = re.compile(r"[0-9a-f]{64}")


@click.group("evidence", cls=SpeakingGroup, help="help.evidence")
def evidence() -> None:
    """See words.toml."""


@evidence.command("export", help="help.evidence_export")
@click.argument("result_id", metavar="[RESULT_ID]", default="")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--case", "reference", say="help.evidence_case", default="")
@option("--ground", say="help.evidence_ground", default="")
@option("--second-officer", say="help.second_officer", is_flag=True)
@option("--out", say="help.evidence_out", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def export(
    *,
    result_id: str,
    profile: Path | None,
    reference: str,
    ground: str,
    second_officer: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Export; what is written was verified before, exactly as `verify` does."""
    if bool(result_id) == bool(reference) or (result_id and not _ID.fullmatch(result_id)):
        raise Ended("evidence.which")
    if len(ground) > GROUND:
        raise Ended("evidence.ground", most=GROUND)
    access = unlock(profile, second=second_officer)
    with reserved(out) as keep:
        file = _case(reference, ground, access) if reference else _file([bytes.fromhex(result_id)], ground, access)
        payload, verdict = _verified(file, access)
        lost = keep(payload)
    if lost is not None:
        raise lost
    evidence_tables.show(verdict, as_json=as_json)
    if not as_json:
        Console().print(Text(session().words.say("evidence.written", file=out.name)))


def _case(reference: str, ground: str, access: Access) -> evidence_pb2.EvidenceFile:
    """Export every result of a case that still has its body."""
    listing, signed = evidence_desk.ask_listing(reference, access)
    digests = [each.result_digest for each in listing.results if not each.deleted]
    if not digests:
        raise Ended("evidence.nothing", case=reference)
    file = _file(digests, ground, access, carriers.envelope_from_message(signed).digest())
    file.listing.CopyFrom(signed)
    return file


def _file(digests: Iterable[bytes], ground: str, access: Access, listing: bytes = b"") -> evidence_pb2.EvidenceFile:
    file, bundles = evidence_pb2.EvidenceFile(format=FORMAT), dict[bytes, None]()
    for each in digests:
        found = evidence_desk.export(each, ground, access, listing)
        file.pieces.append(found.piece)
        bundles |= dict.fromkeys(found.bundles)
    file.bundles.extend(bundles)
    return file


def _verified(file: evidence_pb2.EvidenceFile, access: Access) -> tuple[bytes, EvidenceVerdict]:
    payload = bytes(file.SerializeToString())
    if len(payload) > FILE_BYTES:
        raise Ended("evidence.too_large")
    try:
        verdict = verify_evidence(payload, root=access.root, now=session().now())
    except Unreadable as error:
        raise Ended("evidence.unreadable", NOT_GENUINE) from error
    if not verdict.genuine:
        words, failed = session().words, [each for each in verdict.all_parts if each.failed]
        lines = tuple(f"{tables.part_name(each, words)}: {tables.flaw(each, words)}" for each in failed)
        raise Ended("evidence.not_genuine", NOT_GENUINE, lines=lines)
    return payload, verdict
