"""From a federation's folder, members' entries and requests to what the bundle is to say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError
from keys.bundle import sections
from keys.errors import KeysError
from nodes.federation import Standing, document, read_folder
from nodes.setup import Entry
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.proposing import Wanted, keys_of
from nodes.trust.published import Published
from nodes.trust.requests import Request

_STANDING = tuple(each.name for each in fields(Standing) if each.name != "officers")


def wanted(
    federation: Path,
    base: Published | None,
    *,
    entries: Iterable[Entry] = (),
    requests: Iterable[Request] = (),
    renew: Iterable[str] = (),
) -> Wanted:
    """Say what a federation's folder wants; who brings no entry or request keeps what is published of it.

    Raises:
        TrustRefused: TABLES_REFUSED for a folder that is no federation; MEMBER_UNKNOWN for an entry or a request of
            none of its members.
    """
    entries, requests = tuple(entries), tuple(requests)
    standings = _standings(base) | {each.member: each.standing for each in entries}
    try:
        members = read_folder(federation).members
        for member in (*(each.member for each in entries), *(each.member for each in requests)):
            if member not in members:
                raise TrustRefused(Ground.MEMBER_UNKNOWN, member=member)
        kept = {member: each for member, each in standings.items() if member in members}
        found = json.loads(json.dumps(document(federation, kept), ensure_ascii=False))
        files = sections.split(found)
    except (GatewayError, KeysError) as error:
        raise TrustRefused(Ground.TABLES_REFUSED, why=str(error)) from error
    keys = keys_of(base)
    for asked in requests:
        keys |= {(asked.member, use): asked.keys(use) for use in asked.uses}
    return Wanted(
        files=files,
        agreements=tuple(found["agreements"]),
        keys={name: held for name, held in keys.items() if name[0] in members},
        proofs=_proofs(entries, requests),
        renew=frozenset(renew),
    )


def _proofs(entries: Iterable[Entry], requests: Iterable[Request]) -> dict[str, bytes]:
    found = {f"request-{each.member}-{number}": each.text for number, each in enumerate(requests)}
    for each in entries:
        found |= proofs_of(each)
    return found


def proofs_of(entry: Entry) -> dict[str, bytes]:
    """Name the proofs that an entry brings, as they stand in a draft."""
    return {f"entry-{entry.member}-{number}": each.encode() for number, each in enumerate(entry.proofs)}


def _standings(base: Published | None) -> dict[str, Standing]:
    """Read from what is published how each member stands."""
    found = {}
    for row in base.opened.document["members"] if base else ():
        officers = {each["id"]: each["public"] for each in row.get("officers", ())}
        found[row["id"]] = Standing(**{name: _kept(row[name]) for name in _STANDING if name in row}, officers=officers)
    return found


def _kept(value: Any) -> Any:  # noqa: ANN401  any JSON
    return (
        tuple(dict(each) if isinstance(each, Mapping) else each for each in value)
        if isinstance(value, tuple)
        else value
    )
