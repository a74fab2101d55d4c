"""Evidence offline, years later: what is genuine stays so, and whoever changes anything is named (duties U23, U24)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bundles import NOW, ROOT, SIGNERS, key_row, plot, signed_directory
from evidences import EXPORTED, SEEN, Exhibit, altered, restated, signed, whole_case
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ANHUI, JIANGSU, SHANGHAI, ZHEJIANG, log_signer, witness_signer
from receipts import LOGGERS
from witnesses import with_witnesses
from worlds_tables import MEMBERS

from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.codes import MarkKind, OutcomeState, RefusalReason
from gateway.model.evidence import AnswerMark, ListedResult
from gateway.verification import Check, Status, Unreadable
from gateway.verification.evidence import EvidenceVerdict, is_evidence, verify_evidence
from keys import moments
from yrdx.exchange.v1 import evidence_pb2

File = evidence_pb2.EvidenceFile
Content = evidence_pb2.EvidenceContent
YEARS = timedelta(days=9 * 365)
MARK = AnswerMark(member=JIANGSU, mark=MarkKind.RECALLED, mark_time=NOW, notice_digest=bytes(32))


@functools.cache
def _made() -> bytes:
    return bytes(Exhibit().file().SerializeToString())


def made() -> File:
    """Give a genuine file to tamper with."""
    return File.FromString(_made())


def judge(file: File | bytes, *, after: timedelta = timedelta(0), root: bytes = ROOT) -> EvidenceVerdict:
    """Verify a file some time after its export."""
    payload = file if isinstance(file, bytes) else file.SerializeToString()
    return verify_evidence(payload, root=root, now=EXPORTED + after)


def failures(found: EvidenceVerdict) -> list[tuple[str, str, Check | None]]:
    """Name the parts that failed and the check."""
    parts = (*found.parts, *(part for each in found.pieces for part in each.verdict.parts))
    return [(each.name, each.of, each.failed) for each in parts if each.failed]


def test_nine_years_later_it_is_genuine_and_late() -> None:
    """Genuine, in time and status are told apart; what came after the export is not known."""
    early, late = judge(made()), judge(made(), after=YEARS)
    assert (failures(late), early.genuine, early.in_time) == ([], True, True)
    assert (late.genuine, late.in_time, late.status) == (True, False, Status.UNKNOWN)
    assert is_evidence(_made())


def test_every_entry_is_told_with_its_member_and_its_time() -> None:
    """Asking, end and answer of every exchange, and the conclusion, each since when witnesses saw it."""
    (piece,) = judge(made()).pieces
    told = [(each.kind, each.member) for each in piece.seen]
    assert told == [*((kind, each) for each in MEMBERS for kind in (Kind.ASKED, Kind.ACCEPTED, Kind.ANSWERED)),
                    (Kind.CONCLUDED, "")]  # fmt: skip
    assert {each.time for each in piece.seen} == {SEEN}


def test_silence_and_refusals_are_evidence_too() -> None:
    """That Anhui was silent and Jiangsu refused stands in the result and in the asker's ledger."""
    story = plot("summary", edit=with_witnesses, silent=(ANHUI,), refusing={JIANGSU: RefusalReason.OVERLOADED})
    found = judge(Exhibit(plot=story).file())
    (piece,) = found.pieces
    told = {each.member: each.kind for each in piece.seen if each.kind is not Kind.ASKED and each.member}
    assert (failures(found), told[ANHUI], told[JIANGSU]) == ([], Kind.FAILED, Kind.REFUSED)
    content = piece.verdict.content
    assert content is not None
    states = {each.member: (each.state, len(each.attempts)) for each in content.result.members}
    assert states[ANHUI] == (OutcomeState.UNAVAILABLE, 1)


def test_without_an_answerers_own_proof_the_askers_stands() -> None:
    """A member that could not be reached at the export takes nothing from the evidence."""
    found = judge(Exhibit(without=(JIANGSU, ANHUI)).file())
    assert (found.genuine, sum(each.kind is Kind.ANSWERED for each in found.pieces[0].seen)) == (True, 2)


@pytest.mark.parametrize(("mark", "status"), [(MarkKind.RECALLED, Status.RECALLED),
                                              (MarkKind.SUPERSEDED, Status.SUPERSEDED),
                                              (MarkKind.DISPUTED, Status.UNKNOWN)])  # fmt: skip
def test_marks_tell_the_status(mark: MarkKind, status: Status) -> None:
    """What was known at the export is told offline; an objection alone changes no status."""
    found = judge(Exhibit(marks=(replace(MARK, mark=mark),)).file())
    assert (found.genuine, found.status) == (True, status)


@given(st.integers(0, len(_made()) * 8 - 1))
def test_no_bit_can_be_changed(at: int) -> None:
    """Whatever bit of the file is turned, it is not genuine, and a part is named unless it cannot be read at all."""
    torn = bytearray(_made())
    torn[at // 8] ^= 1 << at % 8
    try:
        found = judge(bytes(torn))
    except Unreadable:
        return
    assert not found.genuine
    assert failures(found)


def _cut(name: str) -> Callable[[Content], object]:
    def change(content: Content) -> None:
        receipt = getattr(content.exchanges[1], name)
        receipt.inclusion_hashes[0] = bytes(32)

    return change


def _swap_entries(content: Content) -> None:
    held = Content.FromString(content.SerializeToString()).exchanges
    content.exchanges[0].ended.CopyFrom(held[1].ended)
    content.exchanges[1].ended.CopyFrom(held[0].ended)


FORGED: dict[str, tuple[Callable[[Content], object], list[tuple[str, str, Check]]]] = {
    "path of an asking": (_cut("asked"), [("asked", JIANGSU, Check.LOGGED)]),
    "path of an end": (_cut("ended"), [("ended", JIANGSU, Check.LOGGED)]),
    "path of an answer": (_cut("answered"), [("answered", JIANGSU, Check.LOGGED)]),
    "salt": (
        lambda content: setattr(content.concluded, "shared_salt", bytes(16)),
        [("concluded", "", Check.LOGGED)],
    ),
    "another's entry": (_swap_entries, [("ended", each, Check.LOGGED) for each in (SHANGHAI, JIANGSU)]),
    "no entry of a member": (lambda content: content.exchanges.pop(), [("entries", "", Check.MEMBERS)]),
    "no conclusion": (lambda content: content.ClearField("concluded"), [("entries", "", Check.FORM)]),
    "a bundle inside": (lambda content: setattr(content.file, "bundle", b"x"), [("content", "", Check.FORM)]),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_dishonest_exporter_is_named(name: str) -> None:
    """Signing a statement about forged content does not help: what was forged fails its own check."""
    change, wanted = FORGED[name]
    file = made()
    altered(file, change)
    assert failures(judge(file)) == wanted


def test_an_unanswered_question_has_no_answerers_entry() -> None:
    """Where a member was silent, whatever is put in the place of its entry is refused."""
    file = Exhibit(plot=plot("rating", edit=with_witnesses, silent=(ANHUI,))).file()
    altered(file, lambda content: content.exchanges[3].answered.CopyFrom(content.exchanges[0].answered))
    assert failures(judge(file)) == [("answered", ANHUI, Check.LOGGED)]


def test_entries_out_of_order_are_refused() -> None:
    """An asking that was entered after its end proves nothing about what was asked."""
    assert failures(judge(Exhibit(backwards=True).file())) == [("order", "", Check.LOGGED)]


@pytest.mark.parametrize(
    ("changes", "part", "check"),
    [
        ({"agency": "310000-tax"}, "export", Check.BINDING),
        ({"member": JIANGSU}, "statement", Check.KEY),
        ({"result_digest": bytes(32)}, "export", Check.BINDING),
        ({"content_digest": bytes(32)}, "content", Check.DIGEST),
        ({"asked_bundle": bytes(32)}, "content", Check.DIGEST),
        ({"export_time": NOW - timedelta(hours=1)}, "export", Check.BINDING),
        ({"export_time": moments.read("2026-02-01T00:00:00Z")}, "content", Check.PERMIT),
        ({"export_time": moments.read("2026-07-01T00:00:00Z")}, "content", Check.PERMIT),
        ({"export_time": moments.read("2027-06-01T00:00:00Z")}, "statement", Check.KEY),
    ],
)
def test_a_statement_about_something_else_is_refused(changes: dict[str, Any], part: str, check: Check) -> None:
    """The statement binds member, agency, result, content, bundles and time."""
    file = made()
    restated(file, **changes)
    assert failures(judge(file)) == [(part, "", check)]


@pytest.mark.parametrize(
    ("exhibit", "check"),
    [
        (Exhibit(witnesses=(JIANGSU,)), Check.WITNESSED),
        (Exhibit(witnesses=(SHANGHAI, JIANGSU)), Check.WITNESSED),
        (Exhibit(cosigners=lambda each: witness_signer(each, 9)), Check.WITNESSED),
        (Exhibit(seen=moments.read("2027-06-01T00:00:00Z")), Check.WITNESSED),
    ],
    ids=["one", "the log's own", "strange keys", "after the keys' end"],
)
def test_witnesses_must_be_enough_and_count(exhibit: Exhibit, check: Check) -> None:
    """Two members other than the log's own, with listed keys that counted when they cosigned."""
    found = failures(judge(exhibit.file()))
    assert ("concluded", "", check) in found
    assert {each for _, _, each in found} == {check}


def taken_back(**times: str) -> Callable[[dict[str, Any]], None]:
    """List Jiangsu's signing key as taken back, in a bundle that came later."""

    def edit(document: dict[str, Any]) -> None:
        with_witnesses(document)
        document["issued_time"] = "2026-03-02T00:00:00Z"
        row = next(each for each in document["members"] if each["id"] == JIANGSU)
        row["keys"][0] |= times

    return edit


@pytest.mark.parametrize(("hours", "kept"), [(1, True), (-1, False)])
def test_witnessed_time_decides_about_a_stolen_key(hours: int, kept: bool) -> None:  # noqa: FBT001  what is expected
    """What witnesses saw before the key was suspected stays; what they saw after it does not (threat 8)."""
    suspected = SEEN + timedelta(hours=hours)
    later = signed_directory(
        taken_back(suspect_from=moments.write(suspected), revoked_time=moments.write(suspected + timedelta(days=1)))
    )
    found = judge(Exhibit(later=(later,), seen=SEEN).file())
    assert found.genuine is kept
    assert failures(found) == ([] if kept else [("answer_key", JIANGSU, Check.KEY)])


def turned_over(document: dict[str, Any]) -> None:
    """List other keys of every member, and none of before, in a bundle that came later."""
    document["issued_time"] = "2026-03-02T00:00:00Z"
    for row in document["members"]:
        fresh = log_signer(row["id"], 7)
        row["keys"] = [key_row(SIGNERS[row["id"]]), key_row(fresh, use="ledger")]


def test_keys_that_are_listed_no_more_still_verify() -> None:
    """Of keys that ended in good order the earlier bundle in the file tells."""
    assert failures(judge(Exhibit(later=(signed_directory(turned_over),)).file())) == []


def test_bundles_are_those_that_are_named_each_once() -> None:
    """No bundle of another federation, none that is named nowhere, none twice, none left out."""
    later = signed_directory(turned_over)
    extra, twice, strange = made(), made(), made()
    extra.bundles.append(later)
    twice.bundles.append(twice.bundles[0])
    strange.bundles.append(signed_directory(salt="other"))
    for file in (extra, twice):
        assert failures(judge(file)) == [("bundles", "", Check.MEMBERS)]
    assert [name for name, _, _ in failures(judge(strange))] == ["bundle"]
    assert judge(strange).pieces == ()


def test_a_key_in_two_hands_spoils_the_file() -> None:
    """Where bundles together list one public key for two owners, nothing is believed."""

    def swapped(document: dict[str, Any]) -> None:
        document["issued_time"] = "2026-03-02T00:00:00Z"
        for row in document["members"]:
            owner = ANHUI if row["id"] == ZHEJIANG else row["id"]
            signer = replace(LOGGERS[owner], id=LOGGERS[owner].id.replace(owner, row["id"]))
            row["keys"] = [key_row(SIGNERS[row["id"]])] + (
                [key_row(signer, use="ledger")] if row["id"] != ANHUI else []
            )

    found = judge(Exhibit(later=(signed_directory(swapped),)).file())
    assert failures(found) == [("directory", "", Check.FORM)]


def test_a_case_is_whole() -> None:
    """Every result of the listing is in the file, in its order, and no other; deleted ones are excused."""
    one, two = Exhibit().file(), Exhibit().file()
    assert failures(judge(whole_case(one, two))) == []
    assert judge(whole_case(one)).listing is not None
    gone = ListedResult(result_digest=bytes(32), combine_time=NOW, deleted=True)
    whole = whole_case(one)
    held = judge(whole).listing
    assert held is not None
    assert failures(judge(whole_case(one, results=(*held.results, gone)))) == []
    missing = whole_case(one, results=(*held.results, replace(gone, deleted=False)))
    assert failures(judge(missing)) == [("listing", "", Check.MEMBERS)]
    assert failures(judge(whole_case(one, case_reference="C-2"))) == [("listing", "", Check.BINDING)]
    whole.listing.CopyFrom(signed(replace(held), SIGNERS[JIANGSU]))
    assert failures(judge(whole)) == [("listing", "", Check.KEY)]


def test_a_part_of_a_case_does_not_pass_for_less() -> None:
    """Whoever takes results out of a whole case is found out with its listing, without it, and with an earlier one."""
    one, two = Exhibit().file(), Exhibit(without=(JIANGSU,)).file()
    with_listing, without, earlier = (whole_case(one, two) for _ in range(3))
    for each in (with_listing, without, earlier):
        del each.pieces[1]
    without.ClearField("listing")
    earlier.listing.CopyFrom(whole_case(one, list_time=NOW).listing)
    assert failures(judge(with_listing)) == [("listing", "", Check.MEMBERS)]
    assert failures(judge(without)) == [("listing", "", Check.MEMBERS)]
    assert failures(judge(earlier)) == [("listing", "", Check.BINDING)]
    alone = made()
    alone.listing.CopyFrom(whole_case(one).listing)
    assert failures(judge(alone)) == [("listing", "", Check.BINDING)]


@pytest.mark.parametrize(("mark", "status"), [(MarkKind.RECALLED, Status.RECALLED),
                                              (MarkKind.DISPUTED, Status.UNKNOWN)])  # fmt: skip
def test_a_recall_outlives_the_bodies(mark: MarkKind, status: Status) -> None:
    """A recalled result of the case tells the status also when its bodies were deleted."""
    one = Exhibit().file()
    held = judge(whole_case(one)).listing
    assert held is not None
    gone = ListedResult(result_digest=bytes(32), combine_time=NOW, deleted=True, marks=(replace(MARK, mark=mark),))
    found = judge(whole_case(one, results=(*held.results, gone)))
    assert (found.genuine, found.status) == (True, status)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: setattr(file, "format", "yrdx.evidence.v2"),
        lambda file: file.ClearField("bundles"),
        lambda file: file.ClearField("pieces"),
    ],
)
def test_what_is_no_evidence_is_unreadable(change: Callable[[File], object]) -> None:
    """Another format, no bundle, no result, or bytes that are no message."""
    file = made()
    change(file)
    with pytest.raises(Unreadable):
        judge(file)
    with pytest.raises(Unreadable):
        judge(_made() + b"\x99")
