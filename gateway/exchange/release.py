"""Turns facts into an answer: new values from named fields, legal clocks applied, salted, rooted, signed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, partial

from gateway import alike, carriers, wire
from gateway.charter import Charter, stage_of
from gateway.clocks import window_from
from gateway.coverage import coverage
from gateway.errors import Refused
from gateway.exchange.admit import Admitted
from gateway.exchange.permit import Permit
from gateway.kinds.row import Said, Scene
from gateway.ledger import tree
from gateway.limits import RECEIPT_BYTES, SALT_BYTES, SIZE_CLASSES
from gateway.model.answer import Answer, Coverage, Item, LinkedCode, Refusal
from gateway.model.codes import ItemState, Lifecycle, LinkKind, RefusalReason
from gateway.model.question import Body, NamedSubject
from gateway.policy import Grant
from gateway.ports import Columns, Fact, Facts, Feed
from gateway.registration import in_force
from keys.envelope import Envelope, sign
from keys.suite import Signer

TYPE = wire.PAYLOAD_TYPES[Answer]
REFUSAL_TYPE = wire.PAYLOAD_TYPES[Refusal]
REGISTER = ("lifecycle", "division", "valid_from", "valid_until", "predecessor", "successor", "branch_of")
CLASSES_LEFT_OUT = ("NATURAL_PERSON", "SELF_DECLARED")
_LINKS = (
    ("predecessor", LinkKind.PREDECESSOR),
    ("successor", LinkKind.SUCCESSOR),
    ("branch_of", LinkKind.BRANCH_OF),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What only the node knows: fresh randomness, the keyed digest that it keeps instead of names, its ledger's lag."""

    entropy: Callable[[int], bytes]
    name_digest: Callable[[str, str], bytes]
    lagging: Callable[[], bool] = lambda: False
    """Says whether the ledger's entries have waited for witnesses for longer than the mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """An answer with the bytes to keep, which receipt and padding complete, and the digest of what was signed."""

    answer: Answer
    payload: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is to be said, to what, and under which permit."""

    body: Body
    digest: bytes
    permit: Permit
    pair_sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the release of every question of one grant has in common: the columns, and the scene."""

    columns: Columns
    scene: Scene


def setting(permit: Permit, feeds: tuple[Feed, ...], charter: Charter, home: Home) -> Setting:
    """Work out columns, coverage and rules for a grant.

    Raises:
        Refused: STALE_BUNDLE when the directory holds no clock rule for this member and day; nothing is guessed.
    """
    clock = charter.catalogue.clock(charter.me, permit.today)
    if clock is None:
        raise Refused(RefusalReason.STALE_BUNDLE)
    grant, columns = permit.grant, dict(permit.kind.columns(permit.grant))
    if permit.subjects:
        columns["register"] = REGISTER
    scene = Scene(
        member=charter.me,
        today=permit.today,
        window_from=first_day(grant, permit.today),
        catalogue=charter.catalogue,
        clock=clock,
        coverage=_cover(permit, feeds, charter),
        line_ref=partial(home.entropy, SALT_BYTES),
    )
    return Setting(columns=columns, scene=scene)


def columns(permit: Permit, found: Setting) -> Columns:
    """Name what may leave the database: the setting's columns, and names' digests where one is to be matched."""
    if any(each.name is not None for each in permit.subjects):
        return {**found.columns, "register": (*REGISTER, "name_digest")}
    return found.columns


def _cover(permit: Permit, feeds: tuple[Feed, ...], charter: Charter) -> Mapping[str, Coverage]:
    """Compute the coverage of every domain that the answer rests on, as far back as its rules look."""
    needs = dict(permit.kind.needs(permit.grant, charter.catalogue))
    if permit.subjects:
        needs["REGISTER"] = frozenset({"register"})
    return coverage(feeds, needs, today=permit.today, window_from=_looks_back(permit, charter))


def _looks_back(permit: Permit, charter: Charter) -> date | None:
    """Give the first day of the window, or for a ceiling that of the longest window of its rule."""
    rule = charter.catalogue.ceiling(permit.today) if "ceiling.grade" in permit.grant.fields else None
    windows = [each.window for each in rule.cases if each.window] if rule else []
    days = [window_from(permit.today, each) for each in windows]
    first = first_day(permit.grant, permit.today)
    return min([*days, *([first] if first else [])], default=None)


def first_day(grant: Grant, today: date) -> date | None:
    """Give the first day of the window, if the kind has one."""
    return None if grant.window is None else window_from(today, grant.window)


def release(
    admitted: Admitted,
    facts: Facts,
    scene: Scene,
    *,
    charter: Charter,
    home: Home,
    signer: Signer,
    now: datetime,
) -> Released:
    """Release what may be said.

    Raises:
        Refused: TOO_LARGE for an answer beyond `answer_bytes`, by whatever way: before anything is charged for it.
    """
    question = admitted.genuine.question
    asked = _Asked(
        body=question.body,
        digest=admitted.genuine.digest,
        permit=admitted.permit,
        pair_sequence=question.header.pair_sequence,
    )
    answer, _, salted = _say(asked, facts, scene, charter, home, now)
    envelope = sign(TYPE, wire.encode(answer), signer)
    payload = carriers.write_response(envelope, salted)
    if size_class(len(payload) + RECEIPT_BYTES) > charter.catalogue.limits.answer_bytes:
        raise Refused(RefusalReason.TOO_LARGE)
    return Released(answer=answer, payload=payload, digest=envelope.digest())


def say(
    body: Body,
    permit: Permit,
    digest: bytes,
    facts: Facts,
    scene: Scene,
    *,
    charter: Charter,
    home: Home,
    now: datetime,
) -> tuple[Answer, Item]:
    """Say what would be released about one subject; it is not signed, has no running number, and answers nothing.

    `digest` stands where the question's would.
    """
    answer, items, _ = _say(_Asked(body=body, digest=digest, permit=permit), facts, scene, charter, home, now)
    return answer, items[0]


def _say(
    asked: _Asked, facts: Facts, scene: Scene, charter: Charter, home: Home, now: datetime
) -> tuple[Answer, list[Item], list[bytes]]:
    basis: list[bytes] = []
    items = _items(asked, facts, scene, charter, home, basis)
    salts = home.entropy(SALT_BYTES * len(items))
    salted = [
        salts[SALT_BYTES * place : SALT_BYTES * (place + 1)] + item
        for place, item in enumerate(alike.encode_all(items))
    ]
    answer = _head(asked, facts, scene, charter, salted, basis, now)
    return replace(answer, ledger_lagging=True) if home.lagging() else answer, items, salted


def _items(asked: _Asked, facts: Facts, scene: Scene, charter: Charter, home: Home, basis: list[bytes]) -> list[Item]:
    body, permit = asked.body, asked.permit
    kind, grant = permit.kind, permit.grant
    if not permit.subjects:
        said = kind.release(body, {}, grant, scene)
        return [Item(state=_state(said), body=said.body)]
    found = []
    today = scene.today.isoformat()
    is_home = cache(partial(_is_home, charter))
    covers_area = cache(grant.agreement.covers_area)
    for subject in permit.subjects:
        rows = facts.rows.get(subject.uscc, {})
        register = _registered(rows.get("register", ()), today, is_home)
        in_scope = None if register is None else covers_area(register["division"])
        if in_scope is False:  # U10: the home member says so and says no more
            said = Said(body=None, found=False, covered=False, disputed=False, used=())
        else:
            said = kind.release(body, rows, grant, scene)
        basis.extend(said.used)
        found.append(_item(subject, register, said, home, in_scope=in_scope))
    return found


def _is_home(charter: Charter, division: str) -> bool:
    owner = charter.directory.home_of(division)
    return owner is not None and owner.id == charter.me


def _registered(rows: Sequence[Fact], today: str, is_home: Callable[[str], bool]) -> Fact | None:
    """Give the register entry in force, if this member is the subject's home (U1): by division, not by code."""
    row = in_force(rows, today)
    return row if row is not None and is_home(row["division"]) else None


def _item(subject: NamedSubject, register: Fact | None, said: Said, home: Home, *, in_scope: bool | None) -> Item:
    if register is None:
        return Item(uscc=subject.uscc, state=_state(said), disputed=said.disputed, body=said.body)
    lifecycle = Lifecycle(register["lifecycle"])
    return Item(
        uscc=subject.uscc,
        state=_state(said),
        registered_here=lifecycle is not Lifecycle.MIGRATED,
        lifecycle=lifecycle,
        linked_codes=tuple([LinkedCode(uscc=register[name], kind=kind) for name, kind in _LINKS if register[name]]),
        disputed=said.disputed,
        name_match=_name_match(subject, register, home),
        in_scope=in_scope,
        body=said.body,
    )


def _name_match(subject: NamedSubject, register: Fact, home: Home) -> bool | None:
    if subject.name is None or register["name_digest"] is None:
        return None
    return home.name_digest(subject.uscc, subject.name) == bytes(register["name_digest"])


def _state(said: Said) -> ItemState:
    if said.found:
        return ItemState.FOUND
    return ItemState.NOT_FOUND if said.covered else ItemState.NOT_COVERED


def _head(
    asked: _Asked,
    facts: Facts,
    scene: Scene,
    charter: Charter,
    salted: list[bytes],
    basis: list[bytes],
    now: datetime,
) -> Answer:
    grant = asked.permit.grant
    return Answer(
        question_digest=asked.digest,
        answerer_member=charter.me,
        answered_by=charter.me if charter.directory.member(charter.me).parent else "",
        answer_time=now,
        as_of_time=now,
        valid_until_time=now + timedelta(hours=grant.purpose.answer_hours),
        window_from_date=scene.window_from.isoformat() if scene.window_from else "",
        window_to_date=scene.today.isoformat() if scene.window_from else "",
        agreement_id=grant.agreement.id,
        fields_granted=tuple(sorted(grant.fields)),
        fields_withheld=grant.withheld,
        coverage=tuple(scene.coverage[domain] for domain in sorted(scene.coverage)),
        facts_version=facts.version,
        classification_version=charter.catalogue.classification_version,
        rule_version=scene.clock.version,
        bundle_version=charter.directory.version,
        pair_sequence=asked.pair_sequence,
        basis_root=tree.root([tree.leaf_hash(digest) for digest in basis]),
        items_root=tree.root([tree.leaf_hash(item) for item in salted]),
        item_count=len(salted),
        classes_left_out=CLASSES_LEFT_OUT,
        bundle_stage=stage_of(charter, now),
    )


def size_class(size: int) -> int:
    """Give the size class that a message is filled up to, so that its length tells little (threat 14)."""
    return next((each for each in SIZE_CLASSES if size <= each), -(-size // SIZE_CLASSES[-1]) * SIZE_CLASSES[-1])


def refuse(
    digest: bytes, reason: RefusalReason, pair_sequence: int, *, me: str, signer: Signer, now: datetime
) -> Envelope:
    """Sign a refusal; it says nothing about the subject."""
    refusal = Refusal(
        question_digest=digest,
        answerer_member=me,
        reason=reason,
        refuse_time=now,
        pair_sequence=pair_sequence,
    )
    return sign(REFUSAL_TYPE, wire.encode(refusal), signer)
