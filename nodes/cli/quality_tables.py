"""A month of quality as people read it: what misses its goal stands in red. Also a report that came from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.coverage import Cause
from gateway.quality import Quality, QualityGoals, Scores, Share, rates
from gateway.verification.quality import FORMAT, ReportVerdict, verify_report
from keys import moments
from keys.envelope import Envelope
from nodes.cli import documents
from nodes.cli.names import moment
from nodes.cli.session import NOT_GENUINE, session
from nodes.cli.sheets import BAD, WARNING, row, table
from nodes.cli.tables import show_failed
from nodes.cli.words import Words

_NONE = "–"


def show(found: Quality) -> None:
    """Show a month by node, agency and feed, then what stands open today."""
    words, console = session().words, Console(soft_wrap=True)
    last = min(found.month.last, found.today).isoformat()
    console.print(Text(words.say("quality.head", member=found.member, month=found.month.text, day=last), style="bold"))
    if not found.month.over(found.today):
        console.print(Text(words.say("quality.not_over"), style=WARNING))
    if found.goals is None:
        console.print(Text(words.say("quality.no_goals"), style=WARNING))
    if found.calendar_missing:
        console.print(Text(words.say("quality.calendar_missing"), style=BAD))
    console.print(_node({**found.rates, "publicity": found.node.publicity}, found.goals, words))
    _notes(console, found, words)
    unknown = words.say("ingest.no_agency")
    agencies = {name or unknown: scores for name, scores in found.agencies.items()}
    console.print(_each("agency", agencies, found.goals, words))
    console.print(_each("feed", found.feeds, found.goals, words))
    _reasons(console, "rejected", "number_of_rows", found.node.rejected, words)
    held = sum((Counter(reasons) for reasons in found.held.values()), Counter[str]())
    _reasons(console, "held", "number_of_records", held, words)
    _open(console, found, words)


def audited(envelope: Envelope, root: bytes, *, as_json: bool) -> int:
    """Verify a report, show what it is, and give the exit code."""
    verdict = verify_report(envelope, root=root)
    if as_json:
        documents.write(_document(verdict))
    else:
        _show_verdict(verdict)
    return 0 if verdict.reported else NOT_GENUINE


def _document(verdict: ReportVerdict) -> dict[str, object]:
    found = verdict.reported
    return {
        "format": FORMAT,
        "genuine": found is not None,
        "parts": [documents.part(each) for each in verdict.parts],
        "member": found and found.member,
        "month": found and found.month.text,
        "issued_time": found and moments.write(found.issued_time),
        "directory_version": found and found.directory_version,
        "rates": found and {name: share.document(name, found.goals) for name, share in found.rates.items()},
    }


def _show_verdict(verdict: ReportVerdict) -> None:
    words, console, found = session().words, Console(soft_wrap=True), verdict.reported
    if found is None:
        show_failed(console, verdict.parts, words)
        return
    signed = {"member": found.member, "time": moment(found.issued_time), "version": found.directory_version}
    console.print(Text(words.say("quality.genuine", **signed), style="green"))
    day = found.month.last.isoformat()
    console.print(Text(words.say("quality.head", member=found.member, month=found.month.text, day=day), style="bold"))
    console.print(_node(found.rates, found.goals, words))
    console.print(words.say("quality.no_feedback"))


def _node(found: Mapping[str, Share], goals: QualityGoals | None, words: Words) -> Table:
    shown = table(words, "quality.node", "rate", "counts", "percent", "goal")
    for name, share in found.items():
        goal = goals.of(name) if goals is not None and name != "publicity" else None
        cells = (words.code("rate", name), f"{share.part}/{share.whole}", _percent(share), _text(goal))
        row(shown, *cells, style=_style(share, goal))
    return shown


def _notes(console: Console, found: Quality, words: Words) -> None:
    console.print(words.say("quality.aside", **found.node.aside))
    console.print(words.say("quality.unmeasured", unmeasured=found.node.unmeasured))
    console.print(words.say("quality.no_feedback"))
    if found.unused:
        items = words.say("mark.comma").join(found.unused)
        console.print(Text(words.say("quality.unused", items=items)))


def _each(name: str, found: Mapping[str, Scores], goals: QualityGoals | None, words: Words) -> Table:
    title = {"agency": "quality.agencies", "feed": "quality.feeds"}[name]
    shown = table(words, title, name, "timeliness", "association", "publicity", "rejected")
    for key, scores in found.items():
        cells = [_cell(share, goals.of(rate) if goals else None) for rate, share in rates(scores).items()]
        rejected = sum(scores.rejected.values())
        shown.add_row(Text(key), *cells, _cell(scores.publicity, None), Text(str(rejected)))
    return shown


def _cell(share: Share, goal: int | None) -> Text:
    return Text(f"{_percent(share)} ({share.part}/{share.whole})", style=_style(share, goal))


def _percent(share: Share) -> str:
    return _NONE if share.percent is None else f"{share.percent:.1f}"


def _style(share: Share, goal: int | None) -> str:
    return "" if goal is None or share.meets(goal) else BAD


def _reasons(console: Console, name: str, column: str, found: Mapping[str, int], words: Words) -> None:
    if found:
        shown = table(words, {"rejected": "quality.rejected", "held": "quality.held"}[name], "reason", column)
        for reason, number in found.items():
            row(shown, f"{words.code('reason', reason)} ({reason})", str(number))
        console.print(shown)


def _open(console: Console, found: Quality, words: Words) -> None:
    late = {each.feed: each for each in found.overdue}
    shown = table(words, "quality.open", "domain", "feed", "cause", "next_due", "days_overdue", style=WARNING)
    for domain, feeds in found.partial.items():
        for feed, why in feeds.items():
            due = late.get(feed)
            days = (_day(due.next_due), _text(due.days)) if due else (_NONE, _NONE)
            row(shown, domain, feed, _causes(why, words), *days)
    if found.partial:
        console.print(shown)


def _causes(why: tuple[Cause, ...], words: Words) -> str:
    return words.say("mark.comma").join(words.code("cause", each.value) for each in why)


def _day(day: date | None) -> str:
    return _NONE if day is None else day.isoformat()


def _text(number: int | None) -> str:
    return _NONE if number is None else str(number)
