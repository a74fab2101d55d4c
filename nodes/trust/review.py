"""What is looked at before anybody signs a draft: that it extends what is published, its keys, and its grades.

The draft is read as every node would read it: its files are signed by throwaway keys and opened by the nodes' reader.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from gateway.charter import Charter, charter
from gateway.clocks import civil_day
from gateway.errors import GatewayError
from gateway.kinds import KINDS
from gateway.recognition import MappingTable
from gateway.tables import read_all
from keys import suite
from keys.bundle import archive, layout, sections
from keys.directory import Directory, Stop, open_bundle
from keys.envelope import from_json
from keys.errors import KeysError
from keys.members import SEAL, excluded
from nodes.bundle.stops import known
from nodes.federation.signing import Lives, hands, sign_bundle, sign_root
from nodes.setup import DESK
from nodes.trust import grades
from nodes.trust.draft import After, Draft
from nodes.trust.editions import check_editions
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.proposing import digest_of, keys_of
from nodes.trust.published import Published
from nodes.trust.requests import proven
from nodes.trust.standing import on_duty, read_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A draft that nodes could read: the bundle's document and charter before and after it.

    `before` is None for a first bundle, and where no node can read what is published; `mappings` are those published.
    `unknown` is what it quarantines and nothing in it is: such a draft is shown, and signed by nobody.
    """

    before: Charter | None
    after: Charter
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    mappings: tuple[MappingTable, ...] = ()
    unknown: tuple[Stop, ...] = ()


def review(draft: Draft, base: Published | None, *, now: datetime) -> Reviewed:
    """Check everything that can be told before signing.

    Raises:
        TrustRefused: NOT_EXTENDING, DRAFT_ALTERED, KEY_UNFIT, KEY_COPIED, NOT_PROVEN, BUNDLE_REFUSED, ROLES_EXCLUDE,
            TABLES_REFUSED, and what `grades.check_mappings` raises.
    """
    # 1 it extends exactly what is published
    check_extends(draft, base)
    # 2 keys: one owner and one use each, and whoever registers a new one holds it
    after = After(draft=draft, base=base)
    document = document_of(after)
    _check_keys(after, base, document)
    # 3 it can be read, by the nodes' own reader
    _check_rota(document, civil_day(now))
    _check_parties(document)
    directory = rehearse(document, now)
    _check_roles(directory)
    new = charter_of(directory)
    old = None if base is None else _sense_of(base)
    # 4 grades: what no quorum may sign
    mappings = _mappings(base)
    grades.check_mappings(mappings, new.catalogue, civil_day(now))
    # 5 quarantine: what nothing is called stops nothing
    unknown = tuple(each for each in directory.quarantine if not known(document, each.what, each.id))
    before = {} if base is None else _lasting(base.opened.document)
    return Reviewed(before=old, after=new, old=before, new=document, mappings=mappings, unknown=unknown)


def _check_roles(directory: Directory) -> None:
    """Check that nobody has two of the roles of system, security and audit (duty U32, threat 7)."""
    for member in directory.members:
        for one, other in excluded(member.officers):
            raise TrustRefused(Ground.ROLES_EXCLUDE, officer=one.id, other=other.id)


def check_quarantine(reviewed: Reviewed) -> None:
    """Check that the draft holds whatever it quarantines.

    Raises:
        TrustRefused: QUARANTINE_UNKNOWN.
    """
    if reviewed.unknown:
        names = ", ".join(f"{each.what} {each.id}" for each in reviewed.unknown)
        raise TrustRefused(Ground.QUARANTINE_UNKNOWN, names=names)


def document_of(after: After) -> Mapping[str, Any]:
    """Put a draft's files and agreements together as one document.

    Raises:
        TrustRefused: DRAFT_ALTERED when a file is not its role's.
    """
    sheets, files = after.sheets(), after.files()
    parents = {role: name for name, sheet in sheets.items() for role in sheet.seats}
    read = []
    try:
        for role, sheet in sheets.items():
            for path in sheet.files:
                allowed = layout.sections_of(role, parents.get(role, layout.ROOT), path)
                if allowed is None:
                    raise TrustRefused(Ground.DRAFT_ALTERED, file=path)
                read.append(sections.read_file(role, path, files[path], allowed))
        rows = [read_row(from_json(content)) for content in after.agreements().values()]
        return _lasting(sections.assemble(read, rows, {role: sheet.expires for role, sheet in sheets.items()}))
    except (KeysError, ValueError) as error:
        raise TrustRefused(Ground.BUNDLE_REFUSED, why=str(error)) from error


def rehearse(document: Mapping[str, Any], now: datetime) -> Directory:
    """Read a document as if it were published: under throwaway keys, which sign nothing else.

    Raises:
        TrustRefused: BUNDLE_REFUSED for whatever a node would refuse.
    """
    plain = json.loads(json.dumps(document, default=_plain))
    members = {row["id"]: row.get("parent") for row in plain["members"]}
    tops = [each for each, parent in members.items() if parent is None]
    found, lives, issued = hands(members, tops), Lives(), now.replace(microsecond=0)
    try:
        root = sign_root(found, issued=issued, lives=lives)
        parts = sign_bundle(plain, found, root=root, version=_version(plain), issued=issued, lives=lives)
        return open_bundle(archive.pack(parts), root=root)
    except KeysError as error:
        raise TrustRefused(Ground.BUNDLE_REFUSED, why=str(error)) from error


def charter_of(directory: Directory) -> Charter:
    """Read the tables of a directory.

    Raises:
        TrustRefused: TABLES_REFUSED when they contradict themselves.
    """
    try:
        return charter(directory.members[0].id, directory, KINDS)
    except (GatewayError, KeysError) as error:
        raise TrustRefused(Ground.TABLES_REFUSED, why=str(error)) from error


def _sense_of(base: Published) -> Charter | None:
    """Read the tables of what is published; senseless ones are to be replaced, and so no ground to refuse."""
    try:
        return charter_of(base.directory)
    except TrustRefused:
        return None


def _mappings(base: Published | None) -> tuple[MappingTable, ...]:
    """Read the mapping tables that are published: also beside senseless tables they stay as they are."""
    try:
        return read_all(MappingTable, base.opened.document.get("mappings", ()) if base else (), "mappings")
    except GatewayError:
        return ()


def check_extends(draft: Draft, base: Published | None) -> None:
    """Check that a draft extends exactly what is published, role by role and agreement by agreement.

    Raises:
        TrustRefused: NOT_EXTENDING, and what `check_editions` raises.
    """
    if (draft.base_version, draft.base_digest) != (base.version if base else 0, digest_of(base)):
        raise TrustRefused(Ground.NOT_EXTENDING, version=draft.base_version, published=base.version if base else 0)
    after = After(draft=draft, base=base)
    for role in draft.roles:
        held = base is not None and (role == layout.ROOT or role in base.roles)
        last = base.sheet(role).version if base is not None and held else 0
        if after.sheet(role).version != last + 1:
            raise TrustRefused(Ground.NOT_EXTENDING, version=after.sheet(role).version, published=last)
    check_editions(after, base)


def _check_keys(after: After, base: Published | None, document: Mapping[str, Any]) -> None:
    """Find copies among all keys, and proofs for those that are new and can sign (threat 9)."""
    listed = [*_role_keys(after), *_message_keys(document)]
    owners: dict[bytes, str] = {}
    for key_id, _, public in listed:
        if owners.setdefault(public, key_id) != key_id:
            raise TrustRefused(Ground.KEY_COPIED, key=key_id, other=owners[public])
    claims = {(each.id, each.use, each.public) for text in after.draft.proofs.values() for each in proven(text)}
    known = {key.id for keys in keys_of(base).values() for key in keys}
    known |= {key_id for key_id, _, _ in _message_keys(base.opened.document)} if base else set()
    for key_id, use, public in listed:
        if key_id not in known and use != SEAL and (key_id, use, public) not in claims:
            raise TrustRefused(Ground.NOT_PROVEN, why=key_id)


def _check_rota(document: Mapping[str, Any], today: date) -> None:
    try:
        on_duty(document, today)
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise TrustRefused(Ground.TABLES_REFUSED, why="rota: from, days, order") from error


def _check_parties(document: Mapping[str, Any]) -> None:
    members = {row["id"] for row in document["members"]}
    for row in document["agreements"]:
        for party in row["parties"]:
            if party not in members:
                raise TrustRefused(Ground.TABLES_REFUSED, why=f"agreements {row['id']}: {party} is no member")


def _role_keys(after: After) -> Iterator[tuple[str, str, bytes]]:
    for sheet in after.sheets().values():
        for seat in sheet.seats.values():
            yield from ((key.id, key.id.split("/")[1], key.raw) for key in seat.keys)


def _message_keys(document: Mapping[str, Any]) -> Iterator[tuple[str, str, bytes]]:
    for member in document["members"]:
        for row in member.get("keys", ()):
            yield row["id"], row["use"], base64.b64decode(row["public"])
        for row in member.get("officers", ()):
            public = base64.b64decode(row["public"])
            yield suite.key_id(row["id"], public), DESK, public


def _lasting(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out when each member's role ends: it changes with every signing, and nobody signs it."""
    members = [{name: value for name, value in row.items() if name != "expire_time"} for row in document["members"]]
    return {**document, "members": members}


def _version(document: Mapping[str, Any]) -> int:
    return max(1, int(document.get("minimum_version", 0)))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)
