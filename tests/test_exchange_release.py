"""The way of a question, whole and pure: whatever the facts and the policy, no field leaves that was not granted."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bundles
import pytest
import worlds
from hypothesis import given
from hypothesis import strategies as st
from worlds_tables import AGREEMENT, DOMAINS, FIELDS, JIANGSU, PURPOSE, SHANGHAI, USCC

from gateway import wire
from gateway.charter import Charter
from gateway.errors import AnswerRejected, Refused
from gateway.exchange.accept import accept, unpack
from gateway.exchange.admit import Admitted, Genuine, admit, authenticate, authorise
from gateway.exchange.compose import Inquiry, compose, sign_question
from gateway.exchange.permit import permit
from gateway.federation import request_bytes
from gateway.kinds import KINDS
from gateway.kinds.row import said_fields
from gateway.limits import SIZE_CLASSES
from gateway.model.codes import RefusalReason, Severity, WithheldReason
from gateway.model.question import Body
from gateway.model.signed import Accepted, Signed
from gateway.policy import Grant
from gateway.uscc import sample_code

NOW = bundles.NOW
OTHER, THIRD = (sample_code("91", division, 1) for division in ("320102", "330106"))
DAYS = ("2020-02-29", "2024-02-29", "2025-12-10", "2026-03-09", "2026-03-10", "2026-03-11")
_MAYBE = st.none() | st.sampled_from(DAYS)
_FLAG = st.sampled_from((0, 0, 1))
_DOMAIN = st.sampled_from((*DOMAINS, "COURT"))
_COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "penalty": {
        "domain": _DOMAIN,
        "severity": st.sampled_from([*(each.value for each in Severity), None]),
        "decided_on": _MAYBE,
        "origin": st.sampled_from(("OFFICIAL", "OFFICIAL", "SELF_DECLARED")),
        "exempt": _FLAG,
        "publish_not_before": _MAYBE,
        "repaired_on": _MAYBE,
        "annulled_on": _MAYBE,
        "disputed": _FLAG,
    },
    "permit": {"domain": _DOMAIN, "valid_from": _MAYBE, "valid_until": _MAYBE, "revoked_on": _MAYBE},
    "listing": {
        "domain": _DOMAIN,
        "list_type": st.sampled_from(("TAX_SEVERE", "IP_WATCH")),
        "listed_on": _MAYBE,
        "exit_on": _MAYBE,
        "basis_class": st.none() | st.just("B01"),
    },
    "rating": {
        "scheme_kind": st.sampled_from(("COMPREHENSIVE", "INDUSTRY")),
        "grade": st.sampled_from("优良中差"),
        "rated_on": _MAYBE,
        "valid_until": _MAYBE,
        "disputed": _FLAG,
    },
    "measure": {"domain": _DOMAIN, "term_from": _MAYBE, "term_until": _MAYBE, "lifted_on": _MAYBE},
}
_BUILD = {name: getattr(worlds, name) for name in _COLUMNS}
_LIFECYCLES = st.sampled_from(("ACTIVE", "REVOKED", "MIGRATED"))
_REGISTER = st.fixed_dictionaries(
    {"division": st.sampled_from(("320102", "310115")), "lifecycle": _LIFECYCLES, "valid_until": _MAYBE}
)


def rows() -> st.SearchStrategy[Mapping[str, Sequence[Mapping[str, Any]]]]:
    """Any facts about one subject."""
    tables = {
        name: st.lists(st.fixed_dictionaries(columns).map(functools.partial(_built, name)), max_size=4)
        for name, columns in _COLUMNS.items()
    }
    registers = st.lists(_REGISTER.map(lambda changes: bundles.register(**changes)), max_size=2)
    return st.fixed_dictionaries({**tables, "register": registers})


def _built(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _BUILD[name](**changes)
    return found


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One exchange as far as the answer's bytes."""

    signed: Signed
    payload: bytes
    grant: Grant
    asker: Charter

    def accept(self, payload: bytes | None = None) -> Accepted:
        """Accept the answer, or other bytes in its place."""
        return accept(self.payload if payload is None else payload, self.signed, self.grant, self.asker, NOW)


def exchange(
    body: Body, facts: Mapping[str, Any] | None = None, *, asks: bytes = b"", answers: bytes = b""
) -> Exchange:
    """Compose at Shanghai, admit and release at Jiangsu; each side may have another directory."""
    asks = asks or directory()
    asker = charter(SHANGHAI, asks)
    signed = composed(body, asker)
    plot = bundles.plot("summary", body=body, facts={JIANGSU: facts or {}})
    payload = bundles._answer(signed, plot, JIANGSU, answers or asks)
    granted = permit(signed.question, charter=asker, now=NOW).grant
    return Exchange(signed=signed, payload=payload, grant=granted, asker=asker)


def composed(body: Body, asker: Charter) -> Signed:
    """Compose Shanghai's question to Jiangsu."""
    intent = bundles.intent_of(bundles.plot("summary", body=body))
    inquiry = Inquiry(intent=intent, intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0)
    signer = bundles.SIGNERS[SHANGHAI]
    return compose(inquiry, JIANGSU, 1, question_id=bundles.entropy(16), charter=asker, signer=signer, now=NOW)


@functools.cache
def directory(kind: str = "", fields: frozenset[str] = frozenset(), closed: frozenset[str] = frozenset()) -> bytes:
    """Sign a directory in which the purpose holds these fields of a kind, and these data items are closed."""

    def edit(document: dict[str, Any]) -> None:
        for purpose in document["purposes"]:
            if kind and purpose["code"] == PURPOSE:
                purpose["kinds"][kind]["fields"] = sorted(fields)
        for item in document["data_items"]:
            if item["id"] in closed:
                item["label"] = "closed"

    return bundles.signed_directory(edit)


@functools.cache
def charter(member: str, found: bytes) -> Charter:
    """Read a directory once."""
    return bundles.charter_of(member, found)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_no_field_leaves_that_was_not_granted(kind: str, data: st.DataObject) -> None:
    """What an item says lies within fields_granted, which is what policy leaves of the asker's grant, for any facts."""
    names = FIELDS[kind]
    fields = frozenset(data.draw(st.sets(st.sampled_from(names), min_size=1), label="purpose"))
    items = sorted({name.partition(".")[0] for name in names})
    closed = frozenset(data.draw(st.sets(st.sampled_from(items), max_size=len(items) - 1), label="closed"))
    granted = {name for name in fields if name.partition(".")[0] not in closed}
    facts = {USCC: data.draw(rows(), label="facts"), OTHER: data.draw(rows(), label="of another")}
    body = worlds.question(kind)
    if not granted:
        with pytest.raises(Refused, match="PURPOSE_NOT_ALLOWED"):
            exchange(body, facts, asks=directory(kind, fields, closed))
        return
    found = exchange(body, facts, asks=directory(kind, fields, closed))
    accepted = found.accept()
    head, (item,) = accepted.answer, accepted.items
    assert set(head.fields_granted) == granted == found.grant.fields
    assert {each.field: each.reason for each in head.fields_withheld} == {
        name: WithheldReason.PURPOSE if name not in fields else WithheldReason.DATA_ITEM
        for name in names
        if name not in granted
    }
    if item.body is not None:
        assert type(item.body) is KINDS[kind].item
        assert said_fields(KINDS[kind], item.body) <= granted
    assert item.uscc == USCC
    assert len(found.payload) in SIZE_CLASSES
    assert OTHER.encode() not in found.payload
    digests = [fact["digest"] for table in facts[USCC].values() for fact in table]
    assert not any(each in found.payload for each in digests)


@pytest.mark.parametrize("kind", KINDS)
@given(facts=rows())
def test_every_subject_is_answered_once_and_in_order(kind: str, facts: Mapping[str, Any]) -> None:
    """A batch has one item a subject, in the order asked, whatever is known about whom."""
    codes = (OTHER, USCC, THIRD)
    found = exchange(worlds.question(kind, subjects=codes), {USCC: facts}).accept()
    assert tuple(each.uscc for each in found.items) == codes
    unknown = [replace(each, uscc="") for each in found.items if each.uscc != USCC]
    assert unknown[0] == unknown[1]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_an_origin_that_grants_more_is_not_believed(kind: str, data: st.DataObject) -> None:
    """Where the origin's directory grants a field that the asker's does not, the answer is rejected as a whole."""
    names = FIELDS[kind]
    if len(names) == 1:
        return
    fields = frozenset(data.draw(st.sets(st.sampled_from(names), min_size=1, max_size=len(names) - 1)))
    narrow, wide = directory(kind, fields), directory(kind, frozenset(names))
    with pytest.raises(AnswerRejected, match="fields beyond the grant"):
        exchange(worlds.question(kind), asks=narrow, answers=wide).accept()
    less = exchange(worlds.question(kind), asks=wide, answers=narrow).accept()
    assert set(less.answer.fields_granted) == fields


@pytest.mark.parametrize("kind", KINDS)
@given(facts=rows())
def test_an_answer_is_the_same_twice_but_for_ids_and_salts(kind: str, facts: Mapping[str, Any]) -> None:
    """The same facts give the same words; salts, references and so roots are fresh each time."""
    body = worlds.question(kind)
    first, second = (exchange(body, {USCC: facts}) for _ in range(2))
    one, two = first.accept(), second.accept()
    assert one.answer.items_root != two.answer.items_root
    blank: dict[str, Any] = {"question_digest": b"", "items_root": b""}
    assert replace(one.answer, **blank) == replace(two.answer, **blank)
    assert len(first.payload) == len(second.payload)
    salts = [each[:16] for found in (first, second) for each in unpack(found.payload).items]
    assert len(set(salts)) == 2


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7), kind=st.sampled_from(tuple(KINDS)))
def test_no_bit_of_a_question_can_be_changed(at: int, bit: int, kind: str) -> None:
    """Whatever bit of a request is flipped on the way, it is refused with a reason and nothing is looked up."""
    me = charter(JIANGSU, directory())
    request = bytearray(request_bytes(composed(worlds.question(kind), charter(SHANGHAI, directory()))))
    request[at % len(request)] ^= 1 << bit
    with pytest.raises(Refused) as caught:
        admit(bytes(request), peer=SHANGHAI, charter=me, now=NOW)
    assert caught.value.reason in {
        RefusalReason.MALFORMED, RefusalReason.BAD_SIGNATURE, RefusalReason.WRONG_TYPE, RefusalReason.UNKNOWN_MEMBER,
        RefusalReason.KEY_NOT_VALID,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["asker_agency", "officer", "approving_officer", "purpose", "application_item", "case_reference", "agreement_id"],
)
@pytest.mark.parametrize("text", ["张三", "a b", "x" * 65, "A\n"])
def test_a_header_holds_codes_and_no_free_text(name: str, text: str) -> None:
    """What a journal keeps in clear is of the form of a code; anything else is MALFORMED before it is kept."""
    asker, me = (charter(each, directory()) for each in (SHANGHAI, JIANGSU))
    question = composed(worlds.question("summary"), asker).question
    changed = replace(question, header=replace(question.header, **{name: text}))  # type: ignore[arg-type]
    signed = sign_question(changed, bundles.SIGNERS[SHANGHAI])
    with pytest.raises(Refused, match="MALFORMED"):
        authenticate(request_bytes(signed), peer=SHANGHAI, charter=me, now=NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_composed_is_what_is_admitted(kind: str) -> None:
    """The origin admits the very question, by the same digest and the same grant as the asker's."""
    asker, me = (charter(each, directory()) for each in (SHANGHAI, JIANGSU))
    signed = composed(worlds.question(kind), asker)
    admitted = admit(request_bytes(signed), peer=SHANGHAI, charter=me, now=NOW)
    assert (admitted.genuine.question, admitted.genuine.digest) == (signed.question, signed.digest)
    ours = permit(signed.question, charter=asker, now=NOW)
    assert (admitted.permit.grant, admitted.permit.subjects) == (ours.grant, ours.subjects)
    assert wire.encode(admitted.genuine.question) == signed.envelope.payload


@pytest.mark.parametrize("stamp", [None, True, object(), "verified"])
def test_verified_values_cannot_be_made_by_hand(stamp: object) -> None:
    """Only the checks make a Genuine or an Admitted: by hand, by copy and without a stamp it is a TypeError."""
    asker, me = (charter(each, directory()) for each in (SHANGHAI, JIANGSU))
    signed = composed(worlds.question("summary"), asker)
    genuine = authenticate(request_bytes(signed), peer=SHANGHAI, charter=me, now=NOW)
    admitted = authorise(genuine, charter=me, now=NOW)
    with pytest.raises(TypeError):
        Genuine(question=signed.question, envelope=signed.envelope, digest=signed.digest, verified=stamp)
    with pytest.raises(TypeError):
        Admitted(genuine=genuine, permit=admitted.permit, verified=stamp)
    with pytest.raises(TypeError):
        replace(genuine, question=signed.question, verified=stamp)
    with pytest.raises(TypeError):
        replace(admitted, permit=admitted.permit, verified=stamp)


def test_verified_values_need_a_stamp() -> None:
    """Left out, the stamp is a missing argument."""
    signed = composed(worlds.question("summary"), charter(SHANGHAI, directory()))
    with pytest.raises(TypeError):
        Genuine(question=signed.question, envelope=signed.envelope, digest=signed.digest)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Admitted(genuine=signed, permit=None)  # type: ignore[call-arg, arg-type]
