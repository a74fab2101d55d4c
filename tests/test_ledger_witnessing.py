"""Witnesses: they follow one history, name the size they hold, keep two heads as evidence, and count as a quorum."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import (
    ANHUI,
    JIANGSU,
    MEMBERS,
    SHANGHAI,
    ZHEJIANG,
    cosigned,
    find,
    head,
    log_signer,
    opened,
    shelf,
    signed,
    witness_key,
    witness_signer,
)

from gateway.ledger import checkpoint, cosignature, logs, tiles, tree
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint
from gateway.ledger.errors import Flaw, NoteUnsigned, ProofInvalid, QuorumMissing
from gateway.ledger.note import Algorithm, NoteKey
from gateway.ledger.quorum import Rule, Witnessed, witnessed
from gateway.ledger.witnessing import Conflict, Fork, Held, decide, forked, held

SHELF = shelf(50)


def shown(size: int) -> Checkpoint:
    """Give the log's checkpoint of a size."""
    return opened(head(size))


def known(size: int) -> Held:
    """Give what a witness holds of that size."""
    return held(shown(size))


def proof(old: int, new: int) -> tuple[bytes, ...]:
    """Give the log's proof between two sizes."""
    return tiles.consistency(old, new, SHELF)


def test_a_witness_follows_a_log_that_grows() -> None:
    """From nothing on, each head that grew out of the last is what to persist before cosigning."""
    assert decide(None, shown(5), 0, ()) == known(5)
    assert decide(None, shown(0), 0, ()) == known(0)
    for old, new in pairwise((5, 5, 8, 50)):
        assert decide(known(old), shown(new), old, proof(old, new)) == known(new)


@pytest.mark.parametrize(
    ("size", "shown_size", "old"),
    [(8, 20, 5), (8, 20, 0), (8, 20, 9), (8, 5, 5), (8, 5, 8), (8, 0, 0), (0, 20, 5)],
)
def test_a_witness_names_the_size_that_it_holds(size: int, shown_size: int, old: int) -> None:
    """Another old size, or a smaller checkpoint, is answered with the size held, so that nothing is rolled back."""
    at = known(size) if size else None
    assert decide(at, shown(shown_size), old, proof(min(old, shown_size), shown_size)) == Conflict(size=size)


def test_two_heads_of_one_size_are_kept_as_evidence() -> None:
    """Two signed heads of one size with different roots are a fork, whatever old size the log names."""
    other = opened(head(8, bytes(32)))
    evidence = Fork(origin=other.head.origin, size=8, first=known(8).note, second=other.note)
    for old in (0, 5, 8):
        assert decide(known(8), other, old, ()) == evidence
    for note in (evidence.first, evidence.second):
        assert open_checkpoint(note.payload, find).head.size == 8


def test_heads_that_do_not_contradict_each_other_are_no_evidence() -> None:
    """The same head again, another size, or another log is no fork."""
    assert forked(known(8), known(8)) is None
    assert forked(known(8), known(9)) is None
    assert forked(known(8), held(opened(head(8, bytes(32), member=JIANGSU)))) is None


def test_another_history_is_not_cosigned() -> None:
    """A bigger head that did not grow out of the one held is refused, with whatever proof."""
    other = opened(head(20, bytes(32)))
    with pytest.raises(ProofInvalid) as caught:
        decide(known(8), other, 8, proof(8, 20))
    assert caught.value.flaw is Flaw.ANOTHER_ROOT
    with pytest.raises(ProofInvalid):
        decide(known(8), shown(20), 8, ())
    with pytest.raises(ProofInvalid):
        decide(None, opened(head(0, bytes(32))), 0, ())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_no_order_of_requests_makes_a_witness_go_back(requests: list[tuple[int, int]]) -> None:
    """Whatever comes in whatever order, what is persisted never shrinks and each step grew out of the last."""
    at: Held | None = None
    for old, new in requests:
        before = at.head.size if at else 0
        found = decide(at, shown(new), old, proof(min(old, new), new))
        if isinstance(found, Held):
            assert (old, found.head.size >= before) == (before, True)
            at = found
        else:
            assert found == Conflict(size=before)


def quorum(
    *seen: tuple[str, int],
    parties: tuple[str, ...] = (SHANGHAI, JIANGSU),
    rule: Rule = Rule(),  # noqa: B008  frozen
    found: Head | None = None,
) -> Witnessed:
    """Judge a checkpoint of Shanghai's that members cosigned, each at a time."""
    note = cosigned(signed(found or head()), *seen)
    return witnessed(open_checkpoint(note.payload, find), MEMBERS, lambda each: [witness_key(each)], parties, rule)


def test_two_others_are_a_quorum_when_one_is_no_party() -> None:
    """The asker and one that is neither asker nor answerer are enough; the time is that of the second."""
    found = quorum((ANHUI, 20), (JIANGSU, 10))
    assert (found.members, found.time) == ((JIANGSU, ANHUI), 20)
    assert quorum((ANHUI, 20), (ZHEJIANG, 30), (JIANGSU, 40)).time == 30


def test_time_counts_from_the_last_that_was_needed() -> None:
    """Neither a late cosignature too many nor an early one alone moves the time (threat 8)."""
    assert quorum((ANHUI, 20), (ZHEJIANG, 30), (JIANGSU, 10**9)).time == 30
    assert quorum((ANHUI, 1), (ZHEJIANG, 30)).time == 30
    assert quorum((JIANGSU, 5), (ZHEJIANG, 30), parties=(JIANGSU, SHANGHAI)).time == 30


SHORT: dict[str, tuple[tuple[tuple[str, int], ...], tuple[str, ...], Rule]] = {
    "none": ((), (SHANGHAI, JIANGSU), Rule()),
    "one": (((ANHUI, 1),), (SHANGHAI, JIANGSU), Rule()),
    "the log itself": (((SHANGHAI, 1), (ANHUI, 1)), (SHANGHAI, JIANGSU), Rule()),
    "parties alone": (((JIANGSU, 1), (ZHEJIANG, 1)), (SHANGHAI, JIANGSU, ZHEJIANG), Rule()),
    "no parent": (((ANHUI, 1), (ZHEJIANG, 1)), (SHANGHAI,), Rule(required=frozenset({JIANGSU}))),
    "parent and one": (((ANHUI, 1), (JIANGSU, 1)), (SHANGHAI,), Rule(count=3, required=frozenset({JIANGSU}))),
}


@pytest.mark.parametrize("case", SHORT)
def test_too_few_witnesses_are_no_quorum(case: str) -> None:
    """Fewer than the rule says, the log's own member, parties among themselves, no parent: not witnessed."""
    seen, parties, rule = SHORT[case]
    with pytest.raises(QuorumMissing, match="head of size 5"):
        quorum(*seen, parties=parties, rule=rule)


def test_a_sub_member_needs_its_parent_and_two_members() -> None:
    """The rule of a sub-member's log is data: three, the parent among them."""
    rule = Rule(count=3, required=frozenset({JIANGSU}))
    assert quorum((ANHUI, 1), (ZHEJIANG, 2), (JIANGSU, 3), parties=(SHANGHAI, JIANGSU), rule=rule).time == 3


def test_a_forged_cosignature_spoils_the_quorum() -> None:
    """A cosignature carried over from another head is refused, not passed over."""
    forged = cosigned(signed(head(9)), (ANHUI, 1), (ZHEJIANG, 1)).signatures[1:]
    note = signed(head()).extended(*forged)
    with pytest.raises(NoteUnsigned, match="not over this text"):
        witnessed(open_checkpoint(note.payload, find), MEMBERS, lambda each: [witness_key(each)], (), Rule())


def test_a_member_with_two_keys_counts_once() -> None:
    """While a member's witness key turns over it signs with both, and is one witness still, from the earlier time."""
    keys = [witness_key(ANHUI), witness_key(ANHUI, seed=2)]
    first = cosigned(signed(head()), (ANHUI, 9))
    both = first.extended(cosignature.cosign(first, logs.witness(ANHUI), witness_signer(ANHUI, 2), 4))
    opened_ = open_checkpoint(both.payload, find)
    with pytest.raises(QuorumMissing, match="1 witnesses"):
        witnessed(opened_, MEMBERS, lambda each: keys if each == ANHUI else [], (), Rule())
    assert witnessed(opened_, MEMBERS, lambda each: keys if each == ANHUI else [], (), Rule(count=1)).time == 4


def test_only_the_check_makes_a_witnessed_checkpoint() -> None:
    """A Witnessed cannot be built by hand."""
    with pytest.raises(TypeError, match="witnessed"):
        Witnessed(checkpoint=shown(5), members=(ANHUI,), time=1, verified=object())


@given(st.lists(st.booleans(), min_size=3, max_size=3))
def test_a_forked_log_gets_no_quorum_for_both_heads(order: list[bool]) -> None:
    """Whichever of two heads comes first to each of three witnesses, one head at most gets its quorum (threat 12)."""
    heads = head(8), head(8, bytes(32))
    seen: list[list[tuple[str, int]]] = [[], []]
    for witness, turned in zip((JIANGSU, ZHEJIANG, ANHUI), order, strict=True):
        at: Held | None = None
        for which in (int(turned), int(not turned)):
            found = decide(at, opened(heads[which]), at.head.size if at else 0, ())
            if isinstance(found, Held):
                at = found
                seen[which].append((witness, 1))
            else:
                assert isinstance(found, Fork)
    assert sum(len(each) for each in seen) == 3
    with pytest.raises(QuorumMissing):
        quorum(*min(seen, key=len), found=heads[seen.index(min(seen, key=len))])


def test_a_stranger_with_the_logs_name_signs_nothing() -> None:
    """A key that is not the log's cannot show a witness anything."""
    forged = checkpoint.sign(Head(origin=logs.origin(SHANGHAI, 1), size=0, root=tree.EMPTY), log_signer(JIANGSU))
    with pytest.raises(NoteUnsigned):
        open_checkpoint(forged.payload, find)
    timed = NoteKey(name=logs.origin(SHANGHAI, 1), key=log_signer().public_key(), algorithm=Algorithm.COSIGNATURE)
    with pytest.raises(NoteUnsigned):
        open_checkpoint(signed(head()).payload, lambda _: [timed])
