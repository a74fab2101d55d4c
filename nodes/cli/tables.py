"""An answer as an officer reads it. A silent region never looks clean, and nothing that may not be applied here
looks applicable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.model.answer import Answer
from gateway.model.codes import BundleStage, CoverageState, ItemState, ResultState
from gateway.model.combined import Case, MemberOutcome, SubjectResult
from gateway.verification import Check, Content, Heard, Part, Verdict
from keys.errors import RootBroken
from nodes.cli import kind_tables
from nodes.cli.documents import LOGGED
from nodes.cli.names import Names, moment
from nodes.cli.sheets import BAD, GOOD, WARNING, row, show_id, table
from nodes.cli.words import Words, plain

FEW = 6
_DAMAGED = {Check.FORM, Check.SIGNATURE, Check.DIGEST}
"""Checks that a copy fails when its bytes are not those that were signed."""

_STYLES = {
    ResultState.FOUND: "bold",
    ResultState.NOT_FOUND: GOOD,
    ResultState.NAME_MISMATCH: BAD,
}


def show_verdict(console: Console, verdict: Verdict, words: Words) -> None:
    """Show whether the file is genuine, in time, and what is known of its status, apart."""
    if verdict.content is None:
        show_failed(console, verdict.parts, words)
        return
    console.print(Text(words.say("verdict.genuine"), style=GOOD))
    until = moment(verdict.valid_until)
    if verdict.valid_until is None:
        console.print(Text(words.say("verdict.no_answer"), style=BAD))
    elif verdict.in_time:
        console.print(Text(words.say("verdict.in_time", until=until), style=GOOD))
    else:
        members = Names(verdict.content.charter, words).members(verdict.expired)
        console.print(Text(words.say("verdict.late", until=until, members=members), style=BAD))
    console.print(Text(words.code("status", verdict.status.value)))
    if verdict.bundle_expired:
        expired = moment(verdict.content.charter.directory.close_time)
        console.print(Text(words.say("verdict.bundle_expired", time=expired), style=WARNING))


def show_failed(console: Console, parts: Iterable[Part], words: Words) -> None:
    """Say that a file is not genuine, which checks failed in which part, and what to do next."""
    console.print(Text(words.say("verdict.not_genuine"), style=BAD))
    found, failed = table(words, "", "part", "check", "detail"), [each for each in parts if each.failed]
    for each in failed:
        row(found, part_name(each, words), words.code("check", check_of(each)), flaw(each, words))
    console.print(found)
    console.print(Text(words.say(f"verdict.{_remedy(failed)}")))


def part_name(part: Part, words: Words) -> str:
    """Name a part of a file."""
    return f"{words.code('part', part.name)} {part.of}".strip()


def check_of(part: Part) -> str:
    """Give the code of the check that a part failed; empty when it failed none."""
    return part.failed.value if part.failed else ""


def flaw(part: Part, words: Words) -> str:
    """Say by its code and in words how a part failed its check; what the keys refuse is named by a class."""
    return f"{check_of(part)}: {words.code('flaw', part.detail)}"


def _remedy(failed: Sequence[Part]) -> str:
    """Tell a copy that was damaged from a strange root of trust, and both from what somebody signed wrongly."""
    if any(each.detail == RootBroken.__name__ for each in failed):
        return "strange_root"
    return "damaged" if any(each.failed in _DAMAGED for each in failed) else "wrong"


def show_content(console: Console, content: Content, words: Words) -> None:
    """Show what a genuine file says."""
    names = Names(content.charter, words)
    console.print()
    console.print(_head(content, names, words))
    console.print(Text(words.say("head.result_id")))
    show_id(console, content.result_digest)
    console.print()
    console.print(_members(content.exchanges, names, words))
    console.print()
    if any(each.logged is not None for each in content.exchanges):
        console.print(_logged(content.exchanges, names, words))
        console.print()
    console.print(_coverage(content.exchanges, names, words))
    console.print()
    console.print(_fields(content.exchanges, names, words))
    for subject in content.result.subjects:
        console.print()
        _show_subject(console, subject, content, names, words)


def show_case(console: Console, case: Case, words: Words) -> None:
    """Show a case as it was opened."""
    found = table(words, "", "", "")
    lines = {
        "case": case.case_reference,
        "agency": case.agency,
        "purpose": case.purpose,
        "application_item": case.application_item,
        "subject_count": str(case.subject_count or words.say("case.ordinary")),
        "open_time": moment(case.open_time),
        "officer": case.officer,
        "approving_officer": case.approving_officer or "-",
        "result_count": str(case.result_count),
    }
    for key, value in lines.items():
        row(found, words.say(f"column.{key}"), value)
    console.print(found)


def _head(content: Content, names: Names, words: Words) -> Table:
    result, found = content.result, table(words, "", "", "")
    directory = content.charter.directory
    lines = {
        "kind": words.code("kind", result.kind),
        "purpose": names.named("purposes", result.purpose),
        "application_item": names.named("applications", result.application_item),
        "case": result.case_reference or "-",
        "agency": names.agency(result.agency),
        "agreement": names.named("agreements", result.agreement_id),
        "combine_time": moment(result.combine_time),
        "bundle": words.say("head.bundle", version=directory.version, time=moment(directory.issued_time)),
    }
    for key, value in lines.items():
        row(found, words.say(f"column.{key}"), value)
    if result.bundle_stage is BundleStage.DEGRADED:
        row(found, words.say("column.bundle_stage"), words.code("bundle_stage", "DEGRADED"), style=WARNING)
    return found


def _members(exchanges: Sequence[Heard], names: Names, words: Words) -> Table:
    found = table(words, "title.members", "member", "outcome", "reason", "attempts", "window", "as_of", "valid_until")
    for each in exchanges:
        answer, outcome = (each.accepted.answer if each.accepted else None), each.outcome
        row(
            found,
            names.member(outcome.member),
            _outcome(outcome, answer, words),
            words.code("refusal", outcome.reason.value) if outcome.reason else "",
            _attempts(each, words),
            _window(answer),
            moment(answer.as_of_time) if answer else "",
            moment(answer.valid_until_time) if answer else "",
            style="" if answer and not _marks(outcome, answer, words) else WARNING,
        )
    return found


def _outcome(outcome: MemberOutcome, answer: Answer | None, words: Words) -> str:
    """Say how it ended, and beneath it under what it was answered that is not as it should be."""
    return "\n".join((words.code("outcome", outcome.state.value), *_marks(outcome, answer, words)))


def _marks(outcome: MemberOutcome, answer: Answer | None, words: Words) -> list[str]:
    """Name a bundle that is no longer current, and a ledger that no quorum has seen for long."""
    degraded = [words.code("bundle_stage", "DEGRADED")] if outcome.bundle_stage is BundleStage.DEGRADED else []
    return [*degraded, words.say("ledger.lagging")] if answer and answer.ledger_lagging else degraded


def _attempts(heard: Heard, words: Words) -> str:
    return "\n".join(
        f"{moment(each.send_time)} {words.code('attempt', each.outcome)}" for each in heard.outcome.attempts
    )


def _window(answer: Answer | None) -> str:
    if answer is None or not answer.window_to_date:
        return ""
    return f"{answer.window_from_date} - {answer.window_to_date}"


def _logged(exchanges: Sequence[Heard], names: Names, words: Words) -> Table:
    """Say where each answer stands in its member's ledger; the numbers are those that the member's auditor sees."""
    found = table(words, "title.logged", "member", "log_level", "log", "entry", "log_size")
    for each in exchanges:
        if each.logged is not None:
            head, name = each.logged.checkpoint.head, names.member(each.outcome.member)
            row(found, name, words.code("level", LOGGED), head.origin, str(each.logged.index), str(head.size))
    return found


def _coverage(exchanges: Sequence[Heard], names: Names, words: Words) -> Table:
    found = table(words, "title.coverage", "member", "domain", "coverage", "data_through", "history_from")
    for each in exchanges:
        if each.accepted is None:
            row(found, names.member(each.outcome.member), "", words.say("coverage.SILENT"), style=WARNING)
            continue
        for (state, through, since), domains in _alike(each.accepted.answer).items():
            row(
                found,
                names.member(each.outcome.member),
                _domains(state, domains, names, words),
                words.code("coverage", state.value),
                through or "-",
                since or "-",
                style="" if state is CoverageState.COMPLETE else WARNING,
            )
    return found


def _domains(state: CoverageState, domains: list[str], names: Names, words: Words) -> str:
    """Count many domains that are covered in full; name every one that is not."""
    if state is CoverageState.COMPLETE and len(domains) > FEW:
        return words.say("coverage.many", count=len(domains))
    return words.say("mark.comma").join(names.domain(domain) for domain in domains)


def _alike(answer: Answer) -> dict[tuple[CoverageState, str, str], list[str]]:
    """Group the domains that are covered alike."""
    groups: dict[tuple[CoverageState, str, str], list[str]] = {}
    for each in answer.coverage:
        key = (each.state, each.data_through_date, each.history_from_date)
        groups.setdefault(key, []).append(each.domain)
    return groups


def _fields(exchanges: Sequence[Heard], names: Names, words: Words) -> Table:
    """Say what was granted and withheld, and what the answers leave out by rule; once for members that agree."""
    found = table(words, "title.fields", "member", "granted", "withheld", "left_out")
    comma = words.say("mark.comma")
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in exchanges:
        if each.accepted is not None:
            answer = each.accepted.answer
            withheld = (f"{it.field} ({words.code('withheld', it.reason.value)})" for it in answer.fields_withheld)
            left_out = (words.code("left_out", it) for it in answer.classes_left_out)
            said = (comma.join(answer.fields_granted), comma.join(withheld), comma.join(left_out))
            groups.setdefault(said, []).append(each.outcome.member)
    for said, members in groups.items():
        row(found, names.members(tuple(members)), *said)
    return found


def _show_subject(console: Console, subject: SubjectResult, content: Content, names: Names, words: Words) -> None:
    console.rule(Text(plain(subject.uscc or words.say("subject.none"))), align="left")
    style = _STYLES.get(subject.state, WARNING)
    console.print(Text(words.say("subject.conclusion", state=words.code("state", subject.state.value)), style=style))
    for line in _remarks(subject, names, words):
        console.print(Text(line, style=WARNING))
    home = names.member(subject.home_member) if subject.home_member else words.say("subject.nobody")
    console.print(Text(words.say("subject.home", member=home)))
    console.print(Padding(_states(subject, content.exchanges, names, words), (0, 0, 0, 2)))
    for each in kind_tables.of(subject, content, names, words):
        console.print(Padding(each, (1, 0, 0, 2)))


def _remarks(subject: SubjectResult, names: Names, words: Words) -> Iterable[str]:
    """Say every mark, and who is missing: what they did not say proves nothing."""
    for mark in subject.marks:
        yield words.say("subject.mark", state=words.code("state", mark.value))
    if subject.incomplete_members:
        yield words.say("subject.incomplete", members=names.members(subject.incomplete_members))


def _states(subject: SubjectResult, exchanges: Sequence[Heard], names: Names, words: Words) -> Table:
    found = table(words, "", "member", "state", "registered", "lifecycle", "linked", "disputed", "name_match")
    items = {
        each.outcome.member: item
        for each in exchanges
        if each.accepted
        for item in each.accepted.items
        if item.uscc == subject.uscc
    }
    for each in subject.members:
        item = items.get(each.member)
        if item is None:
            row(found, names.member(each.member), words.code("state", each.state.value), style=WARNING)
            continue
        partial = each.member in subject.incomplete_members
        state = words.code("state", each.state.value)
        row(
            found,
            names.member(each.member),
            words.say("subject.partial", state=state) if partial else state,
            words.code("yes_no", str(item.registered_here)),
            words.code("lifecycle", item.lifecycle.value) if item.lifecycle else "",
            "\n".join(f"{words.code('link', it.kind.value)} {it.uscc}" for it in item.linked_codes),
            words.code("yes_no", str(item.disputed)) if item.disputed else "",
            "" if item.name_match is None else words.code("yes_no", str(item.name_match)),
            style=WARNING if partial or item.state is ItemState.NOT_COVERED else "",
        )
    return found
