"""The kinds that can be asked from the command line: a row each, with the options that mean something to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway import uscc
from gateway.model.codes import Window
from gateway.model.question import (
    Body,
    MeasuresQuestion,
    NamedSubject,
    NoViolationQuestion,
    RatingQuestion,
    SummaryQuestion,
)
from nodes.cli.session import Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was typed."""

    codes: tuple[str, ...]
    name: str | None = None
    window: str | None = None
    domains: tuple[str, ...] = ()
    data_items: tuple[str, ...] = ()
    scheme: str | None = None

    def subjects(self) -> tuple[NamedSubject, ...]:
        """Give the subjects as a question names them."""
        return tuple(NamedSubject(uscc=code, name=self.name) for code in self.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A kind: the options it has, whether it wants a window, and how its question is made."""

    options: frozenset[str]
    windowed: bool
    build: Callable[[Asked], Body]


OPTIONS: Mapping[str, str] = {
    "window": "--window",
    "domains": "--domain",
    "data_items": "--data-item",
    "scheme": "--scheme",
}
KINDS: Mapping[str, Row] = {
    "summary": Row(
        options=frozenset({"window", "domains", "data_items"}),
        windowed=True,
        build=lambda asked: SummaryQuestion(
            subjects=asked.subjects(),
            domains=asked.domains,
            window=Window(asked.window),
            data_items=asked.data_items,
        ),
    ),
    "rating": Row(
        options=frozenset({"scheme"}),
        windowed=False,
        build=lambda asked: RatingQuestion(subjects=asked.subjects(), scheme_id=asked.scheme or ""),
    ),
    "measures": Row(
        options=frozenset({"domains"}),
        windowed=False,
        build=lambda asked: MeasuresQuestion(subjects=asked.subjects(), domains=asked.domains),
    ),
    "no_violation": Row(
        options=frozenset({"window", "domains"}),
        windowed=True,
        build=lambda asked: NoViolationQuestion(
            subjects=asked.subjects(), domains=asked.domains, window=Window(asked.window)
        ),
    ),
}


def body_of(kind: str, asked: Asked) -> Body:
    """Make the question's body.

    Raises:
        Ended: for an option that the kind does not have, one that it wants, or an ill-formed subject.
    """
    row = KINDS[kind]
    alien = [flag for name, flag in OPTIONS.items() if getattr(asked, name) and name not in row.options]
    if alien:
        raise Ended("ask.alien_option", kind=kind, options=", ".join(alien))
    if row.windowed and not asked.window:
        raise Ended("ask.window_wanted", kind=kind)
    if asked.name is not None and len(asked.codes) != 1:
        raise Ended("ask.one_name")
    for number, code in enumerate(asked.codes, 1):  # the place, never the code: errors end up in logs
        if (found := uscc.defect(code)) is not None:
            raise Ended("ask.bad_code", number=number, defect=found.value)
    if len(set(asked.codes)) != len(asked.codes):
        raise Ended("ask.code_twice")
    return row.build(asked)
