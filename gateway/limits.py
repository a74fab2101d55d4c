"""Named limits and their defaults; the signed directory may set any of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gateway.errors import CatalogueMalformed

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE_CLASSES = (1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
SALT_BYTES = 16
ID_BYTES = 16
DIGEST_BYTES = 32
PROOF_HASHES = 63
RECEIPT_BYTES = 1_280
"""What a receipt counts for in an answer's size, however long its path is: enough for a ledger of 2^28 entries."""

ANSWER_BYTES = 3 << 20
"""Most that `answer_bytes` may say: sealed and in its frame, an answer still passes as one message of 4 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds, counts in pieces."""

    question_bytes: int = 64 << 10
    subjects: int = 1_000
    question_life: int = 60
    clock_skew: int = 30
    deadline: int = 5
    attempts: int = 3
    in_flight: int = 256
    answer_bytes: int = ANSWER_BYTES
    relayed_per_second: int = 1_000
    questions_per_second: int = 5_000
    intent_age: int = 300
    authorisations: int = 100
    recognition_months: int = 12
    subject_keys: int = 8
    subject_key_days: int = 1_095
    consents: int = 200
    case_subjects: int = 1_000_000
    leave_hours: int = 24
    manifest_files: int = 1_000
    inbox_bytes: int = 64 << 30
    session_hours: int = 12
    approval_hours: int = 24
    witness_lag_mark: int = 900
    witness_lag_stop: int = 259_200
    heads_days: int = 2
    unproven_numbers: int = 10_000
    recompared_days: int = 7
    record_months: int = 120
    access_delay_days: int = 180
    subject_previews: int = 20
    member_previews: int = 1_000

    @classmethod
    def from_section(cls, section: Mapping[str, Any]) -> Limits:
        """Read the directory's `limits`.

        Raises:
            CatalogueMalformed: for a name that is no limit, a value that is no positive whole number, or answers larger
                than a message.
        """
        known = {field.name for field in fields(cls)}
        for name, value in section.items():
            if name not in known or type(value) is not int or value < 1:
                msg = f"limits.{name}: no such limit, or not a positive whole number"
                raise CatalogueMalformed(msg)
        if section.get("answer_bytes", 1) > ANSWER_BYTES:
            msg = f"limits.answer_bytes: more than one message holds, {ANSWER_BYTES}"
            raise CatalogueMalformed(msg)
        return cls(**section)
