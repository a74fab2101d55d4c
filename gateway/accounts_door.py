"""The methods of DeskService that officers' accounts bring: sessions, and what waits for a second officer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast

from google.protobuf.message import Message

from gateway import wire
from gateway.accounts import Accounts
from gateway.counter import Call
from gateway.desk import assertion, enclose, parsed, signed
from yrdx.exchange.v1 import desk_pb2


class AccountsDoor:
    """Bytes in, bytes out, over `Accounts`; refusals are raised."""

    def __init__(self, accounts: Accounts, bundle: Callable[[int, datetime], bytes]) -> None:
        """Serve accounts; `bundle` gives the archive of a version at a time, as for `DeskDoor`."""
        self._accounts = accounts
        self._bundle = bundle

    def calls(self) -> Mapping[str, Call]:
        """Give the methods by name."""
        return {
            "OpenSession": self._open_session,
            "CloseSession": self._close_session,
            "ListSessions": self._list_sessions,
            "Submit": self._submit,
            "ListSubmissions": self._list_submissions,
            "GetSubmission": self._get_submission,
            "ApproveSubmission": self._approve,
            "RefuseSubmission": self._refuse,
        }

    async def _open_session(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.OpenSessionRequest(), request)
        found = await self._accounts.open_session(signed(message.assertion), agency)
        return _bytes(desk_pb2.OpenSessionResponse(session=_session(found)))

    async def _close_session(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.CloseSessionRequest(), request)
        found = await self._accounts.close_session(signed(message.closing), agency, assertion(message))
        return _bytes(desk_pb2.CloseSessionResponse(session=_session(found)))

    async def _list_sessions(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.ListSessionsRequest(), request)
        found = self._accounts.sessions(signed(message.reading), agency, assertion(message))
        return _bytes(desk_pb2.ListSessionsResponse(sessions=[_session(each) for each in found]))

    async def _submit(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.SubmitRequest(), request)
        found = await self._accounts.submit(signed(message.submission), agency, assertion(message))
        return _bytes(desk_pb2.SubmitResponse(submission=_submission(found)))

    async def _list_submissions(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.ListSubmissionsRequest(), request)
        found = self._accounts.submissions(signed(message.reading), agency, assertion(message))
        return _bytes(desk_pb2.ListSubmissionsResponse(submissions=[_submission(each) for each in found]))

    async def _get_submission(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.GetSubmissionRequest(), request)
        found = self._accounts.submission(signed(message.reading), agency, assertion(message))
        response = desk_pb2.GetSubmissionResponse(
            submission=_submission(found.submission), payload_type=found.payload_type, payload=found.payload
        )
        if found.answer:
            response.result.ParseFromString(found.answer)
            enclose(response.result, self._bundle)
        return _bytes(response)

    async def _approve(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.ApproveSubmissionRequest(), request)
        found = await self._accounts.approve(signed(message.approval), agency, assertion(message))
        return _bytes(desk_pb2.ApproveSubmissionResponse(submission=_submission(found)))

    async def _refuse(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.RefuseSubmissionRequest(), request)
        found = await self._accounts.refuse(signed(message.refusal), agency, assertion(message))
        return _bytes(desk_pb2.RefuseSubmissionResponse(submission=_submission(found)))


def _session(value: object) -> desk_pb2.Session:
    return cast("desk_pb2.Session", wire.to_message(value))


def _submission(value: object) -> desk_pb2.Submission:
    return cast("desk_pb2.Submission", wire.to_message(value))


def _bytes(message: Message) -> bytes:
    return bytes(message.SerializeToString())
