"""What a kind of question is: a row that the steps of the exchange read; no step knows a kind by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from gateway.model.codes import CoverageState

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.clocks import ClockRule
    from gateway.model.answer import Coverage, Item, ItemBody
    from gateway.model.codes import Window
    from gateway.model.combined import SubjectResult
    from gateway.model.question import NamedSubject
    from gateway.model.signed import Accepted
    from gateway.policy import Grant
    from gateway.ports import Columns, Fact
    from gateway.recognition import Scales


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a release looks at besides the facts: the day, the rules in force, and fresh line references.

    `kept` holds what a kind worked out for the question at its first subject; it saves work, no more.
    """

    member: str
    today: date
    window_from: date | None
    catalogue: Catalogue
    clock: ClockRule
    coverage: Mapping[str, Coverage]
    line_ref: Callable[[], bytes]
    kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What may be said of one subject: the item's body, and the facts that it rests on.

    `covered` is false when the member holds no data that could answer. `found` is false when nothing may be
    said; `disputed` and `used` count facts that were said only, so that what is silent leaves no trace (U3).
    """

    body: ItemBody | None
    found: bool
    covered: bool
    disputed: bool
    used: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Combining:
    """What a combination looks at: verified answers by member, and which members are missing.

    `divisions` gives each member's divisions (prefixes of GB/T 2260). Worked out from the answers' heads:
    `complete`, the domains that each member covers in full; `partial`, the members asked that are missing or
    partial; `incomplete`, these and those without data of some domain. `kept` is as in Scene.
    """

    asker: str
    application_item: str
    today: date
    catalogue: Catalogue
    asked: tuple[str, ...]
    accepted: Mapping[str, Accepted]
    divisions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: Mapping[str, frozenset[str]] = field(init=False)
    partial: frozenset[str] = field(init=False)
    incomplete: tuple[str, ...] = field(init=False)
    kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the heads once for all subjects; a head that names no domain proves nothing."""
        heads = {
            member: {each.domain: each.state for each in self.accepted[member].answer.coverage}
            for member in self.asked
            if member in self.accepted
        }
        full, partial = {CoverageState.COMPLETE}, CoverageState.PARTIAL
        complete = {
            member: frozenset(domain for domain, state in head.items() if state in full)
            for member, head in heads.items()
        }
        unsure = frozenset(
            member for member in self.asked if not heads.get(member) or partial in heads[member].values()
        )
        short = tuple(member for member in self.asked if not heads.get(member) or set(heads[member].values()) != full)
        object.__setattr__(self, "complete", complete)
        object.__setattr__(self, "partial", unsure)
        object.__setattr__(self, "incomplete", short)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A row of the table of kinds."""

    name: str
    question: type[Any]
    item: type[Any]
    fields: Mapping[str, tuple[str, str]]
    """Releasable field name to (attribute of the item body, attribute of its line)."""

    subjects: Callable[[Any], tuple[NamedSubject, ...]]
    requested: Callable[[Any], tuple[str, ...]]
    """Fields that a question asks for."""

    domains: Callable[[Any], tuple[str, ...]]
    """Domains that a question names; empty for all of the grant."""

    window: Callable[[Any], Window | None]
    columns: Callable[[Grant], Columns]
    """Tables and columns that the grant lets out of the database (the register is added for every kind)."""

    needs: Callable[[Grant, Catalogue], Mapping[str, frozenset[str]]]
    """Domain to the record classes whose feeds must be in time for an answer to be COMPLETE."""

    release: Callable[[Any, Mapping[str, Sequence[Fact]], Grant, Scene], Said]
    """(question body, facts by table, grant, scene) -> what may be said."""

    combine: Callable[[str, Mapping[str, Item], Combining], Mapping[str, Any]]
    """(code, items by member that answered, combining) -> fields of SubjectResult beyond the common ones.

    The code itself decides nothing: subjects of whom the same is said share one conclusion.
    """

    known: Callable[[Any, Catalogue], bool] = lambda _body, _catalogue: True
    """Whether what a question names beyond its domains stands in the tables: a typing error must not look clean."""

    question_bytes: int = 64 << 10
    adverse: Callable[[Any], bool]
    """Whether an item body says anything (for the combined state)."""

    against: Callable[[SubjectResult, Mapping[str, Item], Catalogue], Mapping[str, tuple[str, ...]]] = (
        lambda _subject, _items, _catalogue: {}
    )
    """(combined subject, items by member, catalogue) -> member to the codes of what stands against the subject."""

    grade: Callable[[SubjectResult, Mapping[str, Item], Scales], tuple[str, str]] | None = None
    """(combined subject, items by member, scales of the day) -> the grade that holds in its own words, and what the
    signed mapping makes of it, A to D; empty where there is none. None for a kind without grades.
    """


def said_fields(kind: Kind, body: object) -> frozenset[str]:
    """Name the fields that an item body carries: what minimisation and acceptance compare with the grant."""
    found = set()
    for name, (attribute, inner) in kind.fields.items():
        held = getattr(body, attribute)
        lines = held if isinstance(held, tuple) else (held,)
        if any((line is not None if not inner else getattr(line, inner, None) is not None) for line in lines):
            found.add(name)
    return frozenset(found)
