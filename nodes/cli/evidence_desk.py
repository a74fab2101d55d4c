"""What the desk gives out of its keeping: the listing of a case, and results as evidence."""

from __future__ import annotations

import secrets
from dataclasses import replace

from gateway import evidence_door, wire
from gateway.model.combined import CaseReading
from gateway.model.evidence import CaseListing, EvidenceOrder
from gateway.verification import Unreadable
from gateway.verification.evidence import verify_listing
from nodes.cli import desk_client
from nodes.cli.profile import Access
from nodes.cli.requests import enclosed, message
from nodes.cli.session import INCOMPLETE, NOT_GENUINE, Ended, session
from yrdx.exchange.v1 import envelope_pb2, evidence_pb2

_EXPORTED = evidence_pb2.EXPORT_STATE_EXPORTED


def ask_listing(reference: str, access: Access) -> tuple[CaseListing, envelope_pb2.Envelope]:
    """Give the verified listing of a case, and as it was signed.

    Raises:
        Ended: NOT_GENUINE when it does not verify.
    """
    reading = CaseReading(
        case_reference=reference,
        agency=access.profile.agency,
        officer=access.profile.officer,
        read_time=session().now(),
    )
    request = evidence_pb2.ListResultsRequest(
        reading=message(reading, replace(access, approving_officer=None)), assertion=enclosed(access)
    )
    response = _call(access, "ListResults", request.SerializeToString())
    try:
        found = verify_listing(response, root=access.root)[1]
    except Unreadable as error:
        raise Ended("evidence.unreadable", NOT_GENUINE) from error
    asked = (access.profile.member, access.profile.agency, reference)
    if found is None or (found.member, found.agency, found.case_reference) != asked:
        raise Ended("evidence.unreadable", NOT_GENUINE)
    return found, evidence_pb2.ListResultsResponse.FromString(response).listing


def export(digest: bytes, ground: str, access: Access, listing: bytes = b"") -> evidence_pb2.ExportEvidenceResponse:
    """Order a result as evidence, or as part of a listed case; nothing of it is verified yet.

    Raises:
        Ended: telling why there is none.
    """
    order = EvidenceOrder(
        order_id=secrets.token_bytes(16),
        agency=access.profile.agency,
        officer=access.profile.officer,
        approving_officer=access.profile.approving_officer if access.approving_officer else "",
        order_time=session().now(),
        result_digest=digest,
        ground=ground,
        listing_digest=listing,
    )
    request = evidence_pb2.ExportEvidenceRequest(order=message(order, access), assertion=enclosed(access))
    response = evidence_pb2.ExportEvidenceResponse()
    try:
        wire.parse_into(response, _call(access, "ExportEvidence", request.SerializeToString()))
    except wire.WireMalformed as error:
        raise Ended("evidence.unreadable", NOT_GENUINE) from error
    if response.state != _EXPORTED:
        name = evidence_pb2.ExportState.Name(response.state).removeprefix("EXPORT_STATE_").lower()
        raise Ended(f"evidence.{name}", INCOMPLETE, id=digest.hex())
    return response


def _call(access: Access, method: str, request: bytes) -> bytes:
    return desk_client.call(access, f"/{evidence_door.SERVICE}/{method}", request)
