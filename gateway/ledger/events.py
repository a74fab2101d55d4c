"""Entries of exchanges: what both sides derive from a question and its reply, and what only auditors see."""

from __future__ import annotations

from datetime import datetime

from gateway import wire
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.model.question import QuestionHeader


def of_exchange(
    kind: LedgerEventKind, header: QuestionHeader, question_digest: bytes, reply_digest: bytes = b""
) -> LedgerEvent:
    """Say what became of a question between its two members; no digest of a reply where there is none yet."""
    return LedgerEvent(
        kind=kind,
        asker_member=header.asker_member,
        answerer_member=header.answerer_member,
        pair_sequence=header.pair_sequence,
        question_digest=question_digest,
        reply_digest=reply_digest,
    )


def of_result(member: str, result_digest: bytes) -> LedgerEvent:
    """Say that an asker combined a result; every attempt and failure stands in what was signed (duty U23)."""
    return LedgerEvent(kind=LedgerEventKind.CONCLUDED, asker_member=member, reply_digest=result_digest)


def shared_bytes(kind: LedgerEventKind, header: QuestionHeader, question_digest: bytes, reply_digest: bytes) -> bytes:
    """Give the exact bytes of an exchange's shared part."""
    return wire.encode(of_exchange(kind, header, question_digest, reply_digest))


def behind(
    header: QuestionHeader, log_time: datetime, case_digest: bytes, act: str = "", subject_numbers: tuple[int, ...] = ()
) -> LedgerPrivate:
    """Say who asked and why; `act` is the reason of a refusal. It names no subject (duty U32).

    `subject_numbers` are the running numbers of the subjects in the calendar month, in the order asked: whoever hides
    an entry leaves a hole in them.
    """
    return LedgerPrivate(
        log_time=log_time,
        agency=header.asker_agency,
        officer=header.officer,
        purpose=header.purpose,
        application_item=header.application_item,
        case_digest=case_digest,
        subject_numbers=subject_numbers,
        act=act,
    )
