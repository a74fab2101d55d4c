"""What leaves: names, lifecycles, links and area of the register, the answer's head, and a node's part in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import worlds
from bundles import NOW, SIGNERS, charter_of, document, entropy, intent_of, plot, register, signed_directory
from fakes import FakeNode, FakeSource
from worlds_tables import AGREEMENT, DOMAINS, FIELDS, JIANGSU, PURPOSE, SHANGHAI, TODAY, USCC, ZHEJIANG

from gateway import answering, carriers, wire
from gateway.charter import Charter
from gateway.errors import BudgetSpent, Refused, Replayed
from gateway.exchange.accept import open_items, unpack
from gateway.exchange.admit import authenticate, authorise
from gateway.exchange.compose import Inquiry, compose, sign_question
from gateway.exchange.permit import Permit, permit
from gateway.exchange.release import CLASSES_LEFT_OUT, REGISTER, Home, columns, refuse, release, setting, size_class
from gateway.federation import request_bytes
from gateway.kinds import KINDS, probe
from gateway.ledger import tree
from gateway.limits import RECEIPT_BYTES, SALT_BYTES, SIZE_CLASSES
from gateway.model.answer import Answer, GradeCeiling, Item, LinkedCode, ProbeItem, RatingItem, Refusal, SummaryItem
from gateway.model.codes import CoverageState, ItemState, Lifecycle, LinkKind, RefusalReason, Window
from gateway.model.question import Body, NamedSubject, ProbeQuestion, SummaryQuestion
from gateway.model.signed import Reply, Signed
from gateway.ports import Exchange, Facts, Kept
from gateway.uscc import sample_code
from keys.envelope import Envelope, open_envelope

DIRECTORY = signed_directory()
OTHER = sample_code("91", "310115", 1)


def name_digest(code: str, name: str) -> bytes:
    """Digest a name as the node of these tests does."""
    return sha256(f"{code} {name}".encode()).digest()


HOME = Home(entropy=entropy, name_digest=name_digest)


@dataclass(frozen=True, kw_only=True)
class Left:
    """What left a node: the head, the items as they were salted, and the bytes."""

    answer: Answer
    items: tuple[Item, ...]
    salted: tuple[bytes, ...]
    payload: bytes


def question(body: Body, to: str, directory: bytes = DIRECTORY, identity: int = 1) -> Signed:
    """Compose a question of Shanghai's."""
    inquiry = Inquiry(
        intent=intent_of(plot("summary", body=body)), intent_digest=bytes(32), agreement_id=AGREEMENT,
        case_subject_count=0,
    )  # fmt: skip
    return compose(
        inquiry, to, 7, question_id=bytes([identity]) * 16, charter=charter_of(SHANGHAI, directory),
        signer=SIGNERS[SHANGHAI], now=NOW,
    )  # fmt: skip


def left(
    rows: Mapping[str, Any] | None = None,
    *,
    body: Body | None = None,
    me: str = SHANGHAI,
    edit: Any = None,
    kinds: Any = KINDS,
) -> Left:
    """Ask a member about one subject, by its facts, and give what leaves."""
    directory = signed_directory(edit) if edit else DIRECTORY
    charter = replace(charter_of(me, directory), kinds=kinds)
    request = request_bytes(question(body or worlds.question("summary"), me, directory))
    admitted = authorise(authenticate(request, peer=SHANGHAI, charter=charter, now=NOW), charter=charter, now=NOW)
    found = release(
        admitted, Facts(version=3, rows={USCC: rows or {}}), setting(admitted.permit, (), charter, HOME).scene,
        charter=charter, home=HOME, signer=SIGNERS[me], now=NOW,
    )  # fmt: skip
    kept = unpack(found.payload)
    envelope, salted = kept.answer, kept.items
    opened = open_envelope(envelope, payload_type=wire.PAYLOAD_TYPES[Answer], find=lambda _: SIGNERS[me].public_key())
    answer = wire.decode(Answer, opened.payload)
    assert answer == found.answer
    return Left(answer=answer, items=open_items(answer, salted), salted=salted, payload=found.payload)


def item(*entries: Mapping[str, Any], name: str | None = None, **changes: Any) -> Item:
    """Give the item about a subject with these entries in the register."""
    body = SummaryQuestion(subjects=(NamedSubject(uscc=USCC, name=name),), window=Window.M12)
    return left({"register": entries}, body=body, **changes).items[0]


# The register


@pytest.mark.parametrize("lifecycle", Lifecycle)
def test_a_lifecycle_is_said_and_a_migrated_subject_is_not_registered_here(lifecycle: Lifecycle) -> None:
    """Every state of the register is said as it is; who moved away is registered elsewhere."""
    found = item(register(lifecycle=lifecycle.value))
    assert (found.lifecycle, found.registered_here) == (lifecycle, lifecycle is not Lifecycle.MIGRATED)


TODAYS, TOMORROW, YESTERDAY = "2026-03-10", "2026-03-11", "2026-03-09"
ENTRIES: dict[str, tuple[list[dict[str, Any]], Lifecycle | None]] = {
    "none": ([], None),
    "from today": ([register(valid_from=TODAYS)], Lifecycle.ACTIVE),
    "from tomorrow": ([register(valid_from=TOMORROW)], None),
    "until yesterday": ([register(valid_until=TODAYS)], None),
    "until today": ([register(valid_until=TOMORROW)], Lifecycle.ACTIVE),
    "from ever": ([register(valid_from=None)], Lifecycle.ACTIVE),
    "of another member": ([register(division="320102")], None),
    "of nobody": ([register(division="110101")], None),
    "the later one": (
        [register(lifecycle="ACTIVE"), register(lifecycle="REVOKED", valid_from=YESTERDAY)],
        Lifecycle.REVOKED,
    ),
    "the one that has begun": (
        [register(lifecycle="REVOKED", valid_from=TOMORROW), register(valid_from=None)],
        Lifecycle.ACTIVE,
    ),
    "the one that moved away": (
        [register(), register(division="320102", valid_from=YESTERDAY)],
        None,
    ),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_entry_in_force_decides(name: str) -> None:
    """Of all entries the latest that has begun and not ended counts, and only when its division is the member's."""
    entries, lifecycle = ENTRIES[name]
    found = item(*entries)
    registered = lifecycle is not None
    assert (found.lifecycle, found.registered_here, found.in_scope) == (
        lifecycle,
        registered,
        True if registered else None,
    )


def test_links_are_said_with_their_kind() -> None:
    """Each link of the entry stands in the item, in one order, and what is empty does not."""
    whole = item(register(predecessor="P", successor="S", branch_of="B"))
    assert whole.linked_codes == (
        LinkedCode(uscc="P", kind=LinkKind.PREDECESSOR),
        LinkedCode(uscc="S", kind=LinkKind.SUCCESSOR),
        LinkedCode(uscc="B", kind=LinkKind.BRANCH_OF),
    )
    assert item(register(branch_of="B", successor="")).linked_codes == whole.linked_codes[2:]
    assert item(register(predecessor="P", division="320102")).linked_codes == ()


DIGEST = name_digest(USCC, "甲公司")
NAMES: dict[str, tuple[str | None, dict[str, Any], bool | None]] = {
    "the same": ("甲公司", {"name_digest": DIGEST}, True),
    "another": ("乙公司", {"name_digest": DIGEST}, False),
    "an empty one": ("", {"name_digest": DIGEST}, False),
    "none asked": (None, {"name_digest": DIGEST}, None),
    "none registered": ("甲公司", {"name_digest": None}, None),
    "registered elsewhere": ("甲公司", {"name_digest": DIGEST, "division": "320102"}, None),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_matches_or_not_and_is_never_told(name: str) -> None:
    """The home member says yes or no to a name that was asked, and nothing where there is nothing to compare."""
    asked, entry, matches = NAMES[name]
    assert item(register(**entry), name=asked).name_match is matches


@pytest.mark.parametrize(("name", "read"), [(None, REGISTER), ("甲公司", (*REGISTER, "name_digest"))])
def test_names_are_read_only_to_be_compared(name: str | None, read: tuple[str, ...]) -> None:
    """The digest of a name leaves the database for a question with a name, and for no other."""
    named = (NamedSubject(uscc=OTHER), NamedSubject(uscc=USCC, name=name))
    permitted, charter = permitted_for(SummaryQuestion(subjects=named, window=Window.M12))
    found = columns(permitted, setting(permitted, (), charter, HOME))
    tables = {"register", "penalty", "permit", "listing", "repair", "objection"}
    assert (found["register"], set(found)) == (read, tables)


def permitted_for(body: Body, charter: Charter | None = None) -> tuple[Permit, Charter]:
    """Permit a question at Shanghai."""
    charter = charter or charter_of(SHANGHAI, DIRECTORY)
    return permit(question(body, SHANGHAI).question, charter=charter, now=NOW), charter


def in_area(*prefixes: str) -> Any:
    """Narrow the agreement; the agency's own division stays in it."""
    return lambda found: found["agreements"][0].update(area=["310000", *prefixes])


@pytest.mark.parametrize(("prefixes", "in_scope"), [(("310115",), True), (("31",), True), (("310118",), False)])
def test_the_home_member_says_whether_the_subject_lies_in_the_area(prefixes: tuple[str, ...], in_scope: bool) -> None:  # noqa: FBT001
    """Outside of the agreement's area nothing is said of a subject, and nothing that was read leaves a trace."""
    rows = {"register": [register()], "penalty": [worlds.penalty()]}
    found = left(rows, edit=in_area(*prefixes))
    (said,) = found.items
    states = (ItemState.FOUND, True) if in_scope else (ItemState.NOT_COVERED, False)
    assert (said.in_scope, said.state, said.body is not None) == (in_scope, *states)
    assert (found.answer.basis_root == tree.EMPTY) is not in_scope


def test_a_member_that_is_not_home_says_nothing_of_the_area() -> None:
    """What another member holds is said, with no word on registration or area."""
    said = left({"register": [register()], "penalty": [worlds.penalty()]}, me=JIANGSU, edit=in_area("310118")).items[0]
    assert (said.state, said.in_scope, said.registered_here, said.lifecycle) == (ItemState.FOUND, None, False, None)


# The head


def test_a_head_says_under_which_rules_it_was_given() -> None:
    """Times, window, agreement, fields, versions, numbers and roots stand in the signed head."""
    facts = {"register": [register()], "penalty": [worlds.penalty(digest=worlds.digest(5))]}
    found = left(facts)
    asked = question(worlds.question("summary"), SHANGHAI)
    assert found.answer == Answer(
        question_digest=asked.digest,
        answerer_member=SHANGHAI,
        answer_time=NOW,
        as_of_time=NOW,
        valid_until_time=NOW + timedelta(hours=24),
        window_from_date="2021-03-10",
        window_to_date=TODAYS,
        agreement_id=AGREEMENT,
        fields_granted=tuple(sorted(FIELDS["summary"])),
        coverage=found.answer.coverage,
        facts_version=3,
        classification_version="2026-01",
        rule_version="order-36",
        bundle_version=7,
        pair_sequence=7,
        basis_root=tree.root([tree.leaf_hash(worlds.digest(5))]),
        items_root=tree.root([tree.leaf_hash(each) for each in found.salted]),
        item_count=1,
        classes_left_out=CLASSES_LEFT_OUT,
    )
    assert [(each.domain, each.state) for each in found.answer.coverage] == [
        (each, CoverageState.NOT_COVERED) for each in sorted((*DOMAINS, "REGISTER"))
    ]


def test_a_kind_without_a_window_names_none() -> None:
    """A rating answers for today alone."""
    answer = left(body=worlds.question("rating")).answer
    assert (answer.window_from_date, answer.window_to_date) == ("", "")


def test_a_sub_member_signs_for_itself() -> None:
    """A member under a parent says who answered; one without says nothing."""

    def adopt(found: dict[str, Any]) -> None:
        parent = {**document()["members"][1], "id": "300000", "keys": []}
        found["members"].append(parent)
        found["members"][1].update(parent="300000", divisions=["320"])

    assert [left(me=JIANGSU, edit=each).answer.answered_by for each in (None, adopt)] == ["", JIANGSU]


def test_without_a_clock_rule_nothing_is_said() -> None:
    """A member whose rule has ended answers nothing until its directory holds one."""

    def end(found: dict[str, Any]) -> None:
        for each in found["clocks"]:
            each["valid_until"] = TODAYS

    with pytest.raises(Refused, match="STALE_BUNDLE"):
        left(edit=end)


@pytest.mark.parametrize("window", [None, "M36", "M60"])
@pytest.mark.parametrize("years", [2, 4])
def test_a_ceiling_is_complete_over_its_longest_window(window: str | None, years: int) -> None:
    """Feeds must reach back over the longest window of the rule's cases, and no further where none has one."""

    def rule(found: dict[str, Any]) -> None:
        cases = found["ceilings"][0]["cases"]
        cases[0]["window"] = "M12"
        if window:
            cases[1]["window"] = window

    charter = charter_of(SHANGHAI, signed_directory(rule))
    since = TODAY.replace(year=TODAY.year - years)
    feeds = tuple(
        worlds.feed(id=f"{domain} {each}", domain=domain, record_class=each, history_from=since)
        for domain in DOMAINS
        for each in ("penalty", "listing")
    )
    permitted, _ = permitted_for(worlds.question("rating"), charter)
    scene = setting(permitted, feeds, charter, HOME).scene
    reaches = years * 12 >= {None: 12, "M36": 36, "M60": 60}[window]
    expected = CoverageState.COMPLETE if reaches else CoverageState.PARTIAL
    assert {scene.coverage[each].state for each in DOMAINS} == {expected}


def test_without_a_ceiling_rule_there_is_none() -> None:
    """On a day without a rule the answer carries no ceiling, and looks back over nothing."""

    def drop(found: dict[str, Any]) -> None:
        found["ceilings"] = []

    with_rule, without = (left(body=worlds.question("rating"), edit=each).items[0].body for each in (None, drop))
    assert with_rule == RatingItem(ceiling=GradeCeiling(rule_version="caps-1"))
    assert without == RatingItem()


# Items


def test_every_item_has_a_salt_of_its_own() -> None:
    """The same answer twice has the same items under other salts and another root."""
    body = worlds.question("summary", subjects=(USCC, OTHER))
    first, second = left(body=body), left(body=body)
    assert first.items == second.items
    salts = {each[:SALT_BYTES] for found in (first, second) for each in found.salted}
    assert (len(salts), first.answer.items_root != second.answer.items_root) == (4, True)
    assert [each.uscc for each in first.items] == [USCC, OTHER]


def test_an_answer_fills_a_size_class() -> None:
    """However much there is to say, the bytes are of a class."""
    rows = {"penalty": [worlds.penalty(domain=each) for each in DOMAINS]}
    kept = [left(each).payload for each in ({}, rows)]
    assert {len(carriers.complete_response(each, None, size_class)) in SIZE_CLASSES for each in kept} == {True}


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 1 << 10), (1 << 10, 1 << 10), ((1 << 10) + 1, 4 << 10), (1 << 20, 1 << 20), ((1 << 20) + 1, 2 << 20),
     (2 << 20, 2 << 20), ((2 << 20) + 1, 3 << 20)],
)  # fmt: skip
def test_beyond_the_last_class_sizes_are_its_multiples(size: int, expected: int) -> None:
    """A size goes up to the next class."""
    assert size_class(size) == expected


def test_a_single_byte_is_not_filled() -> None:
    """The smallest entry takes two bytes: where one is left the next class is taken, and one alone is refused."""
    envelope, size = ask().envelope, 2_000
    kept = carriers.write_response(envelope, [])
    sizes = {len(kept) + RECEIPT_BYTES: len(kept) + 1, len(kept) + 2: size}
    assert len(carriers.complete_response(kept, None, sizes.__getitem__)) == size
    with pytest.raises(ValueError, match="1"):
        carriers._padding(1)


def test_a_kind_without_subjects_has_one_item() -> None:
    """Nothing of a register is read or said."""

    def allow(found: dict[str, Any]) -> None:
        row = next(each for each in found["purposes"] if each["code"] == PURPOSE)
        row["kinds"] = {**row["kinds"], "probe": {"fields": []}}

    found = left(body=ProbeQuestion(text="x"), edit=allow, kinds={"probe": probe.KIND})
    assert found.items == (Item(state=ItemState.FOUND, body=ProbeItem(text="x")),)
    assert found.answer.coverage == ()


@pytest.mark.parametrize(("feeds", "state"), [(True, ItemState.NOT_FOUND), (False, ItemState.NOT_COVERED)])
async def test_nothing_found_is_said_only_of_what_is_covered(feeds: bool, state: ItemState) -> None:  # noqa: FBT001
    """A member with no data of any domain says so instead of finding nothing."""
    shanghai = node(declared=(worlds.feed(),) if feeds else ())
    reply = await shanghai.answering.ask(request_bytes(ask()), SHANGHAI)
    (salted,) = unpack(reply.payload).items
    said = wire.decode(Item, salted[SALT_BYTES:])
    assert (said.state, said.body) == (state, SummaryItem())


def test_a_refusal_is_signed_and_short() -> None:
    """It names the question, the member, the reason, the time and the number."""
    envelope = refuse(bytes(32), RefusalReason.EXPIRED, 4, me=ZHEJIANG, signer=SIGNERS[ZHEJIANG], now=NOW)
    opened = open_envelope(
        envelope, payload_type=wire.PAYLOAD_TYPES[Refusal], find=lambda _: SIGNERS[ZHEJIANG].public_key()
    )
    assert wire.decode(Refusal, opened.payload) == Refusal(
        question_digest=bytes(32), answerer_member=ZHEJIANG, reason=RefusalReason.EXPIRED, refuse_time=NOW,
        pair_sequence=4,
    )  # fmt: skip


# A node's part: once, within its budget, and only what it can keep


def node(edit: Any = None, **source: Any) -> FakeNode:
    """Give Shanghai's node."""
    return FakeNode(
        charter=charter_of(SHANGHAI, signed_directory(edit) if edit else DIRECTORY),
        now=NOW,
        source=FakeSource(**source),
    )


def ask(*codes: str, identity: int = 1) -> Signed:
    """Ask for a summary."""
    return question(worlds.question("summary", subjects=codes or (USCC,)), SHANGHAI, identity=identity)


def reason(reply: Reply) -> RefusalReason | None:
    """Give the reason of a refusal."""
    return wire.decode(Refusal, wire.decode(Envelope, reply.payload).payload).reason if reply.refused else None


async def test_an_id_with_another_body_is_replayed() -> None:
    """The first body keeps its reply; the second is refused, journalled without the claim, and read for nothing."""
    shanghai = node()
    await shanghai.answering.ask(request_bytes(ask()), SHANGHAI)
    reply = await shanghai.answering.ask(request_bytes(ask(OTHER)), SHANGHAI)
    assert reason(reply) is RefusalReason.REPLAYED
    assert [(each.question_id is None, each.reason) for each in shanghai.journal.kept] == [
        (False, ""), (True, "REPLAYED"),
    ]  # fmt: skip
    assert len(shanghai.source.asked) == 1


def small(found: dict[str, Any]) -> None:
    """Let the purpose reach two subjects a day."""
    found["purposes"][0]["daily_subjects"] = 2


async def test_a_budget_is_checked_before_any_look_up() -> None:
    """The subject beyond the limit is refused unread; those within it stay free."""
    shanghai = node(small)
    third = sample_code("91", "310115", 3)
    replies = [
        await shanghai.answering.ask(request_bytes(ask(*each, identity=number)), SHANGHAI)
        for number, each in enumerate([(USCC, OTHER), (third,), (OTHER,)], 1)
    ]
    assert [reason(each) for each in replies] == [None, RefusalReason.BUDGET_EXHAUSTED, None]
    assert len(shanghai.source.asked) == 2


@pytest.mark.parametrize(
    ("error", "expected"),
    [(BudgetSpent, RefusalReason.BUDGET_EXHAUSTED), (Replayed, RefusalReason.REPLAYED)],
)
async def test_a_race_that_is_lost_at_the_commit_is_a_refusal(
    error: type[Exception], expected: RefusalReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another worker took meanwhile is found at the commit; the answer does not leave."""
    shanghai = node()
    commit = shanghai.journal.commit

    async def lose(exchange: Exchange) -> Kept:
        if not exchange.reply.refused:
            raise error("lost")
        return await commit(exchange)

    monkeypatch.setattr(shanghai.journal, "commit", lose)
    assert reason(await shanghai.answering.ask(request_bytes(ask()), SHANGHAI)) is expected


async def test_a_refusal_that_loses_the_race_for_its_id_is_replayed() -> None:
    """Where the id was claimed by another body while the refusal was decided, the reply is REPLAYED."""
    shanghai = node()
    bad = ask()
    bad = sign_question(
        replace(bad.question, header=replace(bad.question.header, application_item="NONE")), SIGNERS[SHANGHAI]
    )
    find, other = shanghai.journal.find, ask(OTHER)

    def late(question_id: bytes, question_digest: bytes) -> Kept | None:
        found = find(question_id, question_digest)
        if not shanghai.journal.kept:
            shanghai.journal.kept.append(claimed(other))
        return found

    shanghai.journal.find = late  # type: ignore[method-assign]  # the store as another worker changes it
    assert reason(await shanghai.answering.ask(request_bytes(bad), SHANGHAI)) is RefusalReason.REPLAYED


def claimed(signed: Signed) -> Exchange:
    """Give what another worker kept."""
    return Exchange(
        question_id=signed.question.header.question_id, question_digest=signed.digest, question=None,
        question_bytes=b"", reply=Reply(payload=b""), reply_digest=b"", reason="", kind="", facts_version=0,
        received_time=NOW, day=TODAY,
    )  # fmt: skip


async def test_more_in_flight_than_the_limit_is_overloaded() -> None:
    """Beyond the limit a question is refused at once and claims nothing; the others are answered."""
    shanghai = node(lambda found: found.update(limits={"in_flight": 2}))
    gate = asyncio.Event()
    commit = shanghai.journal.commit

    async def wait(exchange: Exchange) -> Kept:
        await gate.wait()
        return await commit(exchange)

    shanghai.journal.commit = wait  # type: ignore[method-assign]  # a slow disk
    tasks = [
        asyncio.ensure_future(shanghai.answering.ask(request_bytes(ask(identity=each)), SHANGHAI)) for each in (1, 2, 3)
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    gate.set()
    assert [reason(await each) for each in tasks] == [None, None, RefusalReason.OVERLOADED]
    assert len(shanghai.journal.kept) == 2
    assert reason(await shanghai.answering.ask(request_bytes(ask(identity=3)), SHANGHAI)) is None


@pytest.mark.parametrize("who", ["the first", "the second", "both"])
async def test_a_caller_who_gives_up_spoils_nothing_for_another(who: str) -> None:
    """Whichever copy is cancelled under way, the other gets its answer, and one exchange is kept."""
    shanghai = node()
    gate = asyncio.Event()
    commit = shanghai.journal.commit

    async def wait(exchange: Exchange) -> Kept:
        await gate.wait()
        return await commit(exchange)

    shanghai.journal.commit = wait  # type: ignore[method-assign]  # a slow disk
    request = request_bytes(ask())
    tasks = [asyncio.ensure_future(shanghai.answering.ask(request, SHANGHAI)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    given_up = {"the first": [0], "the second": [1], "both": [0, 1]}[who]
    for each in given_up:
        tasks[each].cancel()
    await asyncio.sleep(0)
    gate.set()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    ended = [isinstance(each, Reply) and not each.refused for each in replies]
    assert ended == [place not in given_up for place in range(2)]
    assert len(shanghai.journal.kept) == (0 if who == "both" else 1)
    assert reason(await shanghai.answering.ask(request, SHANGHAI)) is None


async def test_a_duplicate_of_a_refused_question_gets_the_refusal() -> None:
    """A copy that waits for a question which ends refused is refused for the same reason."""
    shanghai = node()
    shanghai.journal.failing = True
    request = request_bytes(ask())
    replies = await asyncio.gather(*(shanghai.answering.ask(request, SHANGHAI) for _ in range(3)))
    assert {reason(each) for each in replies} == {RefusalReason.NOT_DURABLE}


async def test_settings_are_kept_for_so_many_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many shapes are asked, no more settings are kept than the limit, and answers stay right."""
    monkeypatch.setattr(answering, "SETTINGS_KEPT", 2)
    shanghai = node()
    for number, domains in enumerate([("TAX",), ("IP",), ("TAX", "IP"), ("TAX",)], 1):
        signed = question(worlds.question("summary", domains=domains), SHANGHAI, identity=number)
        reply = await shanghai.answering.ask(request_bytes(signed), SHANGHAI)
        answer = wire.decode(Answer, unpack(reply.payload).answer.payload)
        assert [each.domain for each in answer.coverage] == sorted([*domains, "REGISTER"])
        assert len(shanghai.answering._settings) <= 2
