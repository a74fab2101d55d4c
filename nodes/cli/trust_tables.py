"""What an officer reads before signing: keys, rows and grades that would change, who could then see what."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from nodes.cli.names import Names, moment
from nodes.cli.sheets import BAD, GOOD, WARNING, row, table
from nodes.cli.words import Words
from nodes.trust.changes import RowChange, What
from nodes.trust.grades import GradeChange
from nodes.trust.reach import Change
from nodes.trust.seating import Seating
from nodes.trust.standing import Count, Standing
from nodes.trust.telling import Seeing, Told

DIGITS = 12
"""Digits of a digest that whoever confirms it must type at least."""

MANY = 8
_STYLES = {What.ADDED: GOOD, What.REMOVED: BAD, What.CHANGED: WARNING}


def show_told(told: Told, names: Names, words: Words) -> None:
    """Show a draft: roles, whose keys sign them, rows, grades, and who could then see what."""
    console = Console(highlight=False, soft_wrap=False)
    console.print(Text(words.say("trust.draft", digest=told.digest, version=told.extends)))
    roles = table(words, "title.roles", "role", "version", "expires")
    for each in told.roles:
        row(roles, each.role, str(each.version), moment(each.expire_time))
    console.print(roles)
    _seats(console, told.seats, words)
    if told.agreements:
        console.print(Text(words.say("trust.agreements", names=words.say("mark.comma").join(told.agreements))))
    if told.senseless:
        console.print(Text(words.say("trust.senseless", version=told.extends), style=WARNING))
    for stop in told.unknown_stops:
        said = words.say("trust.unknown_stop", what=words.code("stop_what", stop.what), id=stop.id)
        console.print(Text(said, style=BAD))
    _rows(console, told.rows, words)
    _grades(console, told.grades, words)
    for seeing in told.sights:
        _sights(console, seeing, names, words)


def show_standing(found: Standing, words: Words) -> None:
    """Show what is signed, missing and expiring, and who is on duty."""
    console = Console(highlight=False, soft_wrap=False)
    console.print(Text(words.say("trust.standing", version=found.version, member=found.on_duty or "-")))
    endings = table(words, "title.published", "role", "version", "threshold", "signatures", "expires")
    for each in found.published:
        cells = (each.role, str(each.version), str(each.threshold), str(len(each.signed_by)), moment(each.expire_time))
        row(endings, *cells, style=WARNING if each.expiring else "")
    console.print(endings)
    if found.draft:
        console.print(Text(words.say("trust.standing_draft", digest=found.draft)))
        counts = table(words, "title.signatures", "role", "party", "threshold", "signatures", "missing", "open")
        for count in (*found.counts, *found.publishing):
            row(counts, *_count(count, words), style=BAD if count.missing else GOOD)
        console.print(counts)
    if found.unread:
        said = words.say("trust.unread", names=words.say("mark.comma").join(found.unread))
        console.print(Text(said, style=WARNING))
    said = words.say("trust.complete") if found.complete else words.say("trust.incomplete")
    console.print(Text(said, style=GOOD if found.complete else BAD))


def _count(found: Count, words: Words) -> tuple[str, ...]:
    waiting = [each for each in found.may if each not in found.signed] if found.missing else []
    party = words.say("trust.old_root") if found.of == "old" else found.of
    return (
        found.name, party, str(found.wanted), str(len(found.signed)), str(found.missing),
        "\n".join(waiting),
    )  # fmt: skip


def _seats(console: Console, found: tuple[Seating, ...], words: Words) -> None:
    """Show every key that gets or loses a seat, whole: whoever holds one can sign in its member's name (threat 9)."""
    if not found:
        return
    shown = table(words, "title.seats", "role", "threshold", "change", "key")
    for each in found:
        wanted = f"{each.threshold_before} -> {each.threshold_after}"
        if not (each.added or each.removed):
            row(shown, each.role, wanted, style=BAD)
        for what, keys in ((What.ADDED, each.added), (What.REMOVED, each.removed)):
            for key in keys:
                row(
                    shown,
                    each.role,
                    wanted,
                    words.code("row_change", what.value),
                    f"{key.key}\n{key.public}",
                    style=BAD,
                )
    console.print(shown)
    console.print(Text(words.say("trust.seats"), style=BAD))


def _rows(console: Console, found: Iterable[RowChange], words: Words) -> None:
    shown = table(words, "title.rows", "table", "row", "change", "field", "before", "after")
    for each in found:
        what, style = words.code("row_change", each.what.value), _STYLES[each.what]
        for number, field in enumerate(each.fields):
            first = (each.table, each.name, what) if number == 0 else ("", "", "")
            row(shown, *first, field.path, field.before or "-", field.after or "-", style=style)
    console.print(shown if shown.row_count else Text(words.say("trust.no_rows")))


def _grades(console: Console, found: tuple[GradeChange, ...], words: Words) -> None:
    if not found:
        return
    shown = table(words, "title.grades", "mapping", "scheme", "level", "before", "after")
    for each in found:
        row(shown, each.table, each.scheme, each.level, each.before or "-", each.after, style=WARNING)
    console.print(shown)


def _sights(console: Console, found: Seeing, names: Names, words: Words) -> None:
    console.print(Text(words.say("trust.sights", day=found.from_day), style="bold"))
    if not found.changes:
        console.print(Text(words.say("trust.no_sights")))
    for each in found.changes:
        console.print(Padding(Text(_sight(each, names, words), style=GOOD if each.gained else BAD), (0, 0, 0, 2)))


def _sight(found: Change, names: Names, words: Words) -> str:
    comma = words.say("mark.comma")
    conditions = {name for text in found.conditions for name in text.split()}
    return words.say(
        "trust.gained" if found.gained else "trust.lost",
        who=_some(tuple(map(names.agency, found.agencies)), words),
        kind=words.code("kind", found.kind),
        purpose=names.named("purposes", found.purpose),
        fields=comma.join(found.fields),
        members=names.members(found.answerers),
        areas=comma.join(found.areas),
        domains=_some(tuple(map(names.domain, found.domains)), words),
        windows=comma.join(found.windows) or "-",
        conditions=comma.join(words.code("condition", each) for each in sorted(conditions)) or "-",
    )


def _some(names: tuple[str, ...], words: Words) -> str:
    """Name a few; say of many how many, and by which members; --json names all."""
    if len(names) <= MANY:
        return words.say("mark.comma").join(names)
    return words.say("trust.many", count=len(names), first=words.say("mark.comma").join(names[:4]))
