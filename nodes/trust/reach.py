"""Who could see what under a bundle on a day: worked out by the very checks that answer questions, not beside them.

An agency's sights are compared, not the rows that give them: whatever changes what is seen shows, from any table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import product

from gateway.charter import Charter
from gateway.errors import Refused
from gateway.exchange.permit import check_agency, check_agreement, check_item, check_purpose
from gateway.kinds.row import Kind
from gateway.model.codes import Window
from gateway.model.question import Body, QuestionHeader
from gateway.policy import Grant, grant
from gateway.purposes import Consent

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_ANYONE = QuestionHeader(
    question_id=b"", suite="", asker_member="", asker_agency="", officer="", officer_assertion_digest=b"",
    answerer_member="", asked_time=_LONG_AGO, expire_time=_LONG_AGO, purpose="", application_item="",
    case_reference="any", agreement_id="", pair_sequence=1, bundle_version=1,
)  # fmt: skip

Atom = tuple[str, str, str, str, str]
"""One thing seen: area, field, domain, window, conditions."""

What = tuple[tuple[str, ...], ...]
"""Atoms as they are told: their areas, fields, domains, windows and conditions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What may be seen at once: each field of each domain over each window, of subjects in each area.

    `conditions` says what the purpose demands or opens beside it: whoever loosens one gains.
    """

    areas: frozenset[str]
    fields: frozenset[str]
    domains: frozenset[str]
    windows: frozenset[str]
    conditions: str

    def atoms(self) -> Iterator[Atom]:
        """Give every single thing seen."""
        return product(self.areas, self.fields, self.domains, self.windows or {""}, (self.conditions,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An agency, why it asks what, and the member whose records it asks for."""

    agency: str
    purpose: str
    kind: str
    answerer: str


Reach = Mapping[Asked, frozenset[Sight]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a group of agencies gains or loses in the records of each of some members."""

    gained: bool
    purpose: str
    kind: str
    agencies: tuple[str, ...]
    answerers: tuple[str, ...]
    areas: tuple[str, ...]
    fields: tuple[str, ...]
    domains: tuple[str, ...]
    windows: tuple[str, ...]
    conditions: tuple[str, ...]


def reach(charter: Charter, on: date) -> Reach:
    """Work out who could see what on a day."""
    found: dict[Asked, set[Sight]] = defaultdict(set)
    known: dict[tuple[str, str, str, str], tuple[Sight, ...]] = {}
    for header in _headers(charter, on):
        for kind, agreement in product(charter.kinds.values(), charter.catalogue.agreements.values()):
            for answerer in agreement.parties:
                asked = replace(header, answerer_member=answerer, agreement_id=agreement.id)
                if not _may_ask(asked, kind, charter, on):
                    continue
                key = (header.asker_member, header.purpose, kind.name, agreement.id)
                if key not in known:
                    known[key] = tuple(_sights(asked, kind, charter, on))
                who = Asked(agency=header.asker_agency, purpose=header.purpose, kind=kind.name, answerer=answerer)
                found[who].update(known[key])
    return {asked: frozenset(sights) for asked, sights in found.items() if sights}


def changes(before: Reach, after: Reach) -> tuple[Change, ...]:
    """Tell what could then be seen by whom that could not before, and the reverse; alike ones together, gains first."""
    only: dict[tuple[frozenset[Sight], frozenset[Sight]], What] = {}
    groups: dict[tuple[bool, str, str, What], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for asked in before.keys() | after.keys():
        old, new = before.get(asked, frozenset()), after.get(asked, frozenset())
        for gained, more, less in ((True, new, old), (False, old, new)):
            if (more, less) not in only:
                only[more, less] = _only_in(more, less)
            if what := only[more, less]:
                groups[gained, asked.purpose, asked.kind, what][asked.agency].add(asked.answerer)
    found = [each for key, agencies in groups.items() for each in _told(*key, agencies)]
    return tuple(sorted(found, key=lambda each: (not each.gained, each.purpose, each.kind, each.agencies)))


def _told(gained: bool, purpose: str, kind: str, what: What, agencies: Mapping[str, set[str]]) -> Iterator[Change]:  # noqa: FBT001  a key's part
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for agency, members in sorted(agencies.items()):
        alike[tuple(sorted(members))].append(agency)
    areas, names, domains, windows, conditions = what
    for answerers, group in alike.items():
        yield Change(
            gained=gained, purpose=purpose, kind=kind, agencies=tuple(group), answerers=answerers, areas=areas,
            fields=names, domains=domains, windows=windows, conditions=conditions,
        )  # fmt: skip


def _only_in(more: Iterable[Sight], less: Iterable[Sight]) -> What:
    """Tell what one side sees and the other does not; an area lies in every prefix of it. Empty for nothing."""
    if more == less:
        return ()
    held = {atom for sight in less for atom in sight.atoms()}
    left = {atom for sight in more for atom in sight.atoms() if not _within(atom, held)}
    return tuple(tuple(sorted({name for name in names if name})) for names in zip(*left, strict=True)) if left else ()


def _within(atom: Atom, held: set[Atom]) -> bool:
    area, *rest = atom
    return any((area[:size], *rest) in held for size in range(1, len(area) + 1))


def _headers(charter: Charter, on: date) -> Iterator[QuestionHeader]:
    """Give a header of each agency and purpose that one of its officers may ask for."""
    for member in charter.directory.members:
        for agency in () if _suspended(charter, member.id) else member.agencies:
            officers = [each.id for each in member.officers if each.agency == agency.id]
            for purpose in agency.purposes:
                asked = partial(replace, _ANYONE, asker_member=member.id, asker_agency=agency.id, purpose=purpose)
                headers = (asked(officer=officer) for officer in officers)
                yield from [each for each in headers if _passes(check_agency, each, charter, on)][:1]


def _may_ask(header: QuestionHeader, kind: Kind, charter: Charter, on: date) -> bool:
    return (
        not _suspended(charter, header.answerer_member)
        and _passes(check_purpose, header, kind, charter, on)
        and _passes(check_agreement, header, kind, charter, on)
    )


def _suspended(charter: Charter, member: str) -> bool:
    """Say whether a member is suspended as the bundle is issued: its role's end is no matter of policy."""
    return charter.directory.suspended(member, charter.directory.issued_time)


def _sights(header: QuestionHeader, kind: Kind, charter: Charter, on: date) -> Iterator[Sight]:
    """Give what is granted under each item that the asker publishes, for the widest question of each window."""
    items = (replace(header, application_item=each) for each in charter.catalogue.applications)
    for item in [each.application_item for each in items if _passes(check_item, each, charter, on)]:
        for body in _bodies(kind):
            found = _granted(kind, body, replace(header, application_item=item), charter, on)
            if found is not None:
                yield Sight(
                    areas=frozenset(found.agreement.area),
                    fields=found.fields,
                    domains=found.domains,
                    windows=frozenset({found.window.value}) if found.window else frozenset(),
                    conditions=_conditions(found),
                )


def _bodies(kind: Kind) -> tuple[Body, ...]:
    names = {each.name for each in fields(kind.question)}
    common = {"subjects": ()} if "subjects" in names else {}
    windows = [{"window": each} for each in Window] if "window" in names else [{}]
    return tuple(kind.question(**common, **each) for each in windows)


def _granted(kind: Kind, body: Body, header: QuestionHeader, charter: Charter, on: date) -> Grant | None:
    tables = charter.catalogue
    try:
        return grant(
            kind, body, purpose=tables.purposes[header.purpose], item=tables.applications[header.application_item],
            agreement=tables.agreements[header.agreement_id], catalogue=tables, on=on,
        )  # fmt: skip
    except Refused:
        return None


def _conditions(found: Grant) -> str:
    said = {
        "AUTHORISATION": found.purpose.authorisation is not Consent.NONE,
        "CASE": found.purpose.case_required,
        "SECOND_OFFICER": found.four_eyes,
        "SOLE_TRADERS": found.purpose.opens_sole_traders,
        "REPAIRED": found.purpose.shows_repaired,
        **{each.value: True for each in found.severities},
    }
    return " ".join(sorted(name for name, holds in said.items() if holds))


def _passes(check: Callable[..., object], *arguments: object) -> bool:
    try:
        check(*arguments)
    except Refused:
        return False
    return True
