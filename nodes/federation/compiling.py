"""From a federation's folder to the document of its directory: short rules become complete rows.

Nothing is checked here that a reader of the bundle checks too: the same reader is run once before signing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gateway.catalogue import read_catalogue
from gateway.errors import CatalogueMalformed
from gateway.lifetimes import Lifetimes
from gateway.tables import ALL
from gateway.uscc import sample_code
from keys.members import EXCLUSIVE
from keys.suite import INT_1
from nodes.federation.folder import Folder, Row, entry, read_folder

_AS_THEY_STAND = (
    "domains",
    "list_types",
    "measures",
    "data_items",
    "agreements",
    "behaviours",
    "class_rules",
    "clocks",
    "ceilings",
    "schemes",
    "mappings",
    "working_days",
    "loading_rules",
    "quality_goals",
    "division_codes",
    "inspection_rules",
    "participants",
    "key_rules",
    "key_alarms",
    "watch_rules",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a member brings to the directory besides its rows, in the directory's own forms (`keys.entries`).

    Certificates are PEM texts, `officers` gives each officer's public key in base64; one without a key cannot
    sign and is left out.
    """

    endpoint: str | None = None
    ca_certificates: tuple[str, ...] = ()
    issuing_certificates: tuple[str, ...] = ()
    keys: tuple[Mapping[str, Any], ...] = ()
    officers: Mapping[str, str] = field(default_factory=dict)


def sections(folder: Path) -> dict[str, Any]:
    """Give the tables of policy of a folder as the JSON-able sections of a directory.

    Raises:
        CatalogueMalformed: for a file that cannot be read, or a reference to no row.
    """
    return _sections(read_folder(folder))


def document(folder: Path, standings: Mapping[str, Standing], *, minimum_version: int = 0) -> dict[str, Any]:
    """Write the directory of a folder's members as one document, ready to be split into the bundle's files.

    Raises:
        CatalogueMalformed: as `sections`, for a table that no catalogue can be read from, or a standing of no
            member.
    """
    found = read_folder(folder)
    for member in standings:
        entry(found.members, member, "members")
    tables = _sections(found)
    read_catalogue(tables)
    whole = {name: found.tables[name] for name in ("rota", "quarantine", "gaps") if name in found.tables}
    return (
        tables
        | whole
        | {
            "minimum_version": minimum_version,
            "suites": [INT_1],
            "members": [_member(found, row, standings.get(name, Standing())) for name, row in found.members.items()],
        }
    )


def lifetimes(folder: Path) -> Lifetimes:
    """Read how long keys and certificates live in a folder's federation.

    Raises:
        CatalogueMalformed: as `sections`, or for a fault in a row.
    """
    return read_catalogue(sections(folder)).lifetimes


def officers(folder: Path, member: str) -> Mapping[str, tuple[str, ...]]:
    """Name the officers of each of a member's agencies that may ask: keys are to be made for them.

    Raises:
        CatalogueMalformed: as `sections`, or when there is no such member.
    """
    found = read_folder(folder)
    named: dict[str, tuple[str, ...]] = {}
    for officer, agency, _ in _officers(found, member):
        named[agency] = (*named.get(agency, ()), officer)
    return named


def is_hub(folder: Path, member: str) -> bool:
    """Tell whether a member only relays.

    Raises:
        CatalogueMalformed: when there is no such member.
    """
    return bool(entry(read_folder(folder).members, member, "members").get("hub"))


def _sections(folder: Folder) -> dict[str, Any]:
    found: dict[str, Any] = {name: list(folder.rows(name)) for name in _AS_THEY_STAND}
    items = [*_items(folder), *folder.rows("applications")]
    return found | {
        "purposes": [_purpose(row, folder.table("fields")) for row in folder.rows("purposes")],
        "applications": items,
        "measure_lists": [_measure_list(folder, row) for row in folder.rows("measure_lists")],
        "classification_version": folder.tables.get("classification_version", ""),
        "limits": dict(folder.table("limits")),
        "agency_codes": [*folder.rows("agency_codes"), *_agency_codes(folder)],
        "write_rules": [{"member": member, **row} for member in folder.members for row in folder.rows("writers")],
    }


def _purpose(row: Row, fields: Row) -> Row:
    return {**row, "kinds": {name: _purpose_kind(kind, fields) for name, kind in row["kinds"].items()}}


def _purpose_kind(kind: Row, fields: Row) -> Row:
    named = [name for item in kind.get("items", ()) for name in entry(fields, item, "fields")]
    rest = {name: value for name, value in kind.items() if name != "items"}
    return {**rest, "fields": [*rest.get("fields", ()), *named]}


def _items(folder: Folder) -> Iterator[Row]:
    """Write the application items of each member with letters: one a matter and edition."""
    for member in folder.rows("members"):
        for edition, days in folder.table("editions").items():
            for matter in folder.rows("matters") if "letters" in member else ():
                yield {
                    "id": _item_id(member, edition, matter["number"]),
                    "member": member["id"],
                    "name": matter["name"],
                    "purpose": matter["purpose"],
                    "domains": matter.get("domains", [ALL]),
                    "edition": edition,
                    **days,
                }


def _item_id(member: Row, edition: str, number: str) -> str:
    return f"{member['letters']}-{edition}-{number}"


def _measure_list(folder: Folder, row: Row) -> Row:
    """Write a member's published list: the common rows without those that it leaves out."""
    name = partial(_item_id, entry(folder.members, row["member"], "members"), row["edition"])
    published = [
        {"code": each["code"], "rank": each["rank"], "applications": [name(n) for n in each["matters"]]}
        for each in folder.rows("published")
        if each["code"] not in row.get("without", ())
    ]
    return {key: value for key, value in row.items() if key != "without"} | {"measures": published}


def _agency_codes(folder: Folder) -> Iterator[Row]:
    """Give the code 机关代码 that stands in each agency's decisions now."""
    since = _day(folder, "decides_from")
    for member in folder.members:
        for division, sort in folder.agencies(member):
            serial = folder.table("agency_kinds")[sort]["serial"]
            code = sample_code("11", division, serial)
            yield {"code": code, "agency": f"{division}-{sort}", "valid_from": since}


def _member(folder: Folder, row: Row, standing: Standing) -> Row:
    member = row["id"]
    return {
        "id": member,
        "name": row["name"],
        "parent": row.get("parent"),
        "divisions": row["divisions"],
        "suspended": row.get("suspended", False),
        "hub": row.get("hub", False),
        "endpoint": standing.endpoint,
        "via": row.get("via", []),
        "ca_certificates": list(standing.ca_certificates),
        "issuing_certificates": list(standing.issuing_certificates),
        "keys": [dict(each) for each in standing.keys],
        "agencies": [_agency(folder, division, sort) for division, sort in folder.agencies(member)],
        "officers": [
            {
                "id": officer,
                "agency": agency,
                "public": standing.officers[officer],
                "roles": [{"role": role, "from": _day(folder, "active_from"), "until": None} for role in held],
            }
            for officer, agency, held in _officers(folder, member)
            if officer in standing.officers
        ],
    }


def _agency(folder: Folder, division: str, sort: str) -> Row:
    kind, place = folder.table("agency_kinds")[sort], _division_name(folder, division)
    return {
        "id": f"{division}-{sort}",
        "name": {"zh": place["zh"] + kind["zh"], "en": f"{place['en']}, {kind['en']}"},
        "division": division,
        "purposes": _purposes(folder, sort),
        "active_from": _day(folder, "active_from"),
        "active_until": None,
        "suspended": False,
        "sort": kind.get("sort", "department"),
        "filing": _filing(folder, division, sort),
    }


def _filing(folder: Folder, division: str, sort: str) -> Row | None:
    """Give the filing of an agency of a sort that has one."""
    row = folder.table("filings").get(sort)
    return row and {**row, "number": row["number"].format(division=division)}


def _division_name(folder: Folder, division: str) -> Row:
    own = folder.members.get(division)
    found: Row = own["name"] if own is not None else entry(folder.table("divisions"), division, "divisions")
    return found


def _purposes(folder: Folder, sort: str) -> list[str]:
    name = folder.table("agency_kinds")[sort]["purposes"]
    named: list[str] = entry(folder.table("purpose_sets"), name, "purpose_sets")
    return [row["code"] for row in folder.rows("purposes")] if named == [ALL] else named


def _officers(folder: Folder, member: str) -> Iterator[tuple[str, str, list[str]]]:
    """Give id, agency and roles of the officers of each agency that may ask for anything."""
    for division, sort in folder.agencies(member):
        if _purposes(folder, sort):
            leading = folder.table("lead_officers") if sort == "credit" else {}
            for name, roles in {**folder.table("officers"), **leading}.items():
                if len(EXCLUSIVE.intersection(roles)) > 1:
                    raise CatalogueMalformed(f"federation officers: {name} has roles that exclude one another")
                yield f"{division}-{sort}/{name}", f"{division}-{sort}", roles


def _day(folder: Folder, name: str) -> str:
    found = entry(folder.table("dates"), name, "dates")
    if not isinstance(found, str):
        raise CatalogueMalformed(f"federation dates: {name} is no day; write it as 2026-01-31")
    return found
