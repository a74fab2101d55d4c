"""Monthly statements of two members: when two say the same, and what makes one count as signed by both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from gateway import wire
from gateway.ledger.errors import StatementInvalid
from gateway.ledger.reconciliation import Finding, Side
from gateway.ledger.tally import Tally
from gateway.model.reconciliation import PairDifference, PairSummary, Statement
from keys.directory import Directory
from keys.envelope import Envelope, Signature, open_envelope, pae
from keys.errors import KeysError, KeyUnknown
from keys.members import Key
from keys.suite import PublicKey, Signer

MOST_DIFFERENCES = 1_000
PAYLOAD_TYPE = wire.PAYLOAD_TYPES[Statement]


def directions(members: Iterable[str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Give both directions of two members, in the order in which a statement has them."""
    first, second = sorted(members)
    return (first, second), (second, first)


def summary(pair: tuple[str, str], numbers: tuple[int, int], tally: Tally, findings: Iterable[Finding]) -> PairSummary:
    """Sum a month of a direction up; `numbers` are its first and last one, the last below the first for none."""
    asker, answerer = pair
    lacking = {Side.ASKER: asker, Side.ANSWERER: answerer, None: ""}
    found = [
        PairDifference(
            pair_sequence=each.pair_sequence,
            difference=each.difference.value,
            lacking_member=lacking[each.lacking],
        )
        for each in findings
    ]
    first, last = numbers if numbers[0] <= numbers[1] else (0, 0)
    return PairSummary(
        asker_member=asker,
        answerer_member=answerer,
        first_number=first,
        last_number=last,
        answered_count=tally.answered,
        refused_count=tally.refused,
        void_count=tally.void,
        digest=tally.digest,
        difference_count=len(found),
        differences=tuple(found[:MOST_DIFFERENCES]),
    )


def agree(one: Statement, other: Statement) -> bool:
    """Say whether two statements say the same, whenever they were made."""
    return one == replace(other, issued_time=one.issued_time)


def open_statement(
    envelope: Envelope, directory: Directory, signers: Collection[str], at: datetime | None
) -> Statement:
    """Read a statement that exactly these members have signed, each with a key valid at a time.

    The time is the statement's own where none is given.

    Raises:
        StatementInvalid: naming what does not hold.
    """
    listed = {key.id: key for member in directory.members for key in member.keys}
    try:
        # 1 signatures, by any listed key: the time at which it must have been valid stands in the signed bytes
        opened = open_envelope(envelope, payload_type=PAYLOAD_TYPE, find=lambda key_id: _listed(listed, key_id))
        found = wire.decode(Statement, opened.payload)
        # 2 keys
        for each in opened.key_ids:
            directory.key(each, use="sign", at=at or found.issued_time)
        owners = sorted(directory.key_owner(each) for each in opened.key_ids)
    except (KeysError, wire.WireMalformed) as error:
        raise StatementInvalid(f"a statement fails: {type(error).__name__}; have its members sign it anew") from error
    # 3 members and directions
    if owners != sorted(signers):
        raise StatementInvalid("a statement is signed by others than its members; have both sign it")
    if len(set(found.members)) != len(found.members) or [
        (each.asker_member, each.answerer_member) for each in found.pairs
    ] != list(_expected(found.members)):
        raise StatementInvalid("a statement is not of two members and both directions; have it made anew")
    return found


def countersign(envelope: Envelope, signer: Signer) -> Envelope:
    """Add a signature to those that there are."""
    made = signer.sign(pae(envelope.payload_type, envelope.payload))
    return replace(envelope, signatures=(*envelope.signatures, Signature(key_id=signer.id, signature=made)))


def _listed(listed: Mapping[str, Key], key_id: str) -> PublicKey:
    if key_id not in listed:
        raise KeyUnknown("no member's key has this id; ask its owner to have it listed")
    return listed[key_id].public_key()


def _expected(members: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return directions(members) if len(members) == 2 and list(members) == sorted(members) else (("", ""),)  # noqa: PLR2004  a pair
