"""The methods of EvidenceService: bytes in, bytes out, over `Evidence`; refusals are raised."""

from __future__ import annotations

import grpc

from gateway import carriers
from gateway.counter import Counter
from gateway.desk import assertion, parsed, signed
from gateway.evidence import Evidence, Piece
from gateway.model.codes import ExportState
from yrdx.exchange.v1 import evidence_pb2

SERVICE = evidence_pb2.DESCRIPTOR.services_by_name["EvidenceService"].full_name


class EvidenceDoor:
    """EvidenceService; a caller is an agency of this member, by its certificate."""

    def __init__(self, evidence: Evidence, counter: Counter) -> None:
        """Serve one member's agencies."""
        self._evidence = evidence
        self._counter = counter

    def handler(self) -> grpc.GenericRpcHandler:
        """Give the generic handler."""
        return self._counter.handler(SERVICE, {"ListResults": self._list, "ExportEvidence": self._export})

    async def _list(self, request: bytes, agency: str) -> bytes:
        message = parsed(evidence_pb2.ListResultsRequest(), request)
        found = self._evidence.listing(signed(message.reading), agency, assertion(message))
        response = evidence_pb2.ListResultsResponse(
            listing=carriers.envelope_to_message(found), bundle=self._evidence.bundle
        )
        return bytes(response.SerializeToString())

    async def _export(self, request: bytes, agency: str) -> bytes:
        message = parsed(evidence_pb2.ExportEvidenceRequest(), request)
        found = await self._evidence.export(signed(message.order), agency, assertion(message))
        return bytes(_response(found).SerializeToString())


def _response(found: Piece | ExportState) -> evidence_pb2.ExportEvidenceResponse:
    state = found if isinstance(found, ExportState) else ExportState.EXPORTED
    response = evidence_pb2.ExportEvidenceResponse(state=evidence_pb2.ExportState.Value(f"EXPORT_STATE_{state.value}"))
    if not isinstance(found, ExportState):
        response.piece.statement.CopyFrom(carriers.envelope_to_message(found.statement))
        response.piece.content = found.content
        response.bundles.extend(found.bundles)
    return response
