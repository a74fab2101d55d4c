"""The layout: which role signs which files, with whose keys, and which section stands in which file.

Every name of a role, a path or a file is made and judged here; the rest of the package asks.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
MAPPINGS, AGREEMENTS = "mappings", "agreements"
MEMBER_ROLE = "members-"
EDITIONS = "agreement_editions"
"""Section in which the quorum lists the agreements in force."""

USE: Mapping[str, str] = MappingProxyType(
    {
        ROOT: "root",
        TARGETS: "quorum",
        MAPPINGS: "quorum",
        AGREEMENTS: "publisher",
        SNAPSHOT: "publisher",
        TIMESTAMP: "publisher",
    }
)
OFFICER = "officer"
USES = frozenset({*USE.values(), OFFICER})
"""What a role key may be for; a member's role is signed by its officers."""

FEDERATION = "federation"
MEMBER_SECTIONS = ("endpoint", "via", "ca_certificates", "issuing_certificates", "keys")
AGENCY_SECTIONS = ("agencies", "officers")
RULE_SECTIONS = ("clocks", "measure_lists", "inspection_rules", "write_rules")
"""Sections of rows that each name a member: a member signs its own."""

_TARGET_FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "federation": ("minimum_version", "members", "rota", "quarantine", "gaps"),
        "purposes": ("purposes", "participants"),
        "domains": ("domains", "list_types", "division_codes"),
        "measures": ("measures",),
        "rules": (
            "agency_codes",
            "ceilings",
            "class_rules",
            "classification_version",
            "loading_rules",
            "quality_goals",
        ),
        "limits": ("key_alarms", "key_rules", "limits", "watch_rules"),
        "suites": ("suites",),
        "agreements": (EDITIONS,),
    }
)
_YEARLY_FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "lists/data": ("data_items",),
        "lists/behaviour": ("behaviours",),
        "lists/application": ("applications",),
        "calendar": ("working_days",),
    }
)
_MEMBER_FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "member": MEMBER_SECTIONS,
        "agencies": AGENCY_SECTIONS,
        "rules": RULE_SECTIONS,
        "members": ("members",),
    }
)
_MAPPING_SECTIONS = ("schemes", "mappings")
_YEARLY = re.compile(r"((?:lists/)?[a-z]+)-([0-9]{4})\.json")
_AGREEMENT = re.compile(r"agreements/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.json")
MEMBER_ID = re.compile(r"[0-9]{6}")


def member_role(member: str) -> str:
    """Name the role of a member."""
    return MEMBER_ROLE + member


def member_of(role: str) -> str | None:
    """Give the member whose role this is, or None for a role of the federation."""
    member = role.removeprefix(MEMBER_ROLE)
    return member if member != role and MEMBER_ID.fullmatch(member) else None


def use_of(role: str) -> str:
    """Say for which use a key must be to sign a role."""
    return USE.get(role, OFFICER)


def folder(role: str, delegator: str) -> str:
    """Give the folder of a delegated role's files, with its slash; "" for targets itself."""
    if role in (MAPPINGS, AGREEMENTS):
        return f"{role}/"
    member, parent = member_of(role), member_of(delegator)
    return "" if member is None else f"members/{parent}/{member}/" if parent else f"members/{member}/"


def paths(role: str, delegator: str) -> tuple[str, ...]:
    """Give the path patterns with which a role must be delegated; a member's leave room for its sub-members."""
    own = folder(role, delegator)
    return (f"{own}*", f"{own}*/*") if delegator == TARGETS and member_of(role) else (f"{own}*",)


def expected(role: str, members: Iterable[str]) -> frozenset[str]:
    """Name the roles that a role must delegate, and no other; `members` are those whose rows it signs."""
    own = {member_role(each) for each in members}
    return frozenset(own | {MAPPINGS, AGREEMENTS} if role == TARGETS else own)


def sections_of(role: str, delegator: str, path: str) -> tuple[str, ...] | None:
    """Name the sections that a file may hold; None when the role may not sign a file of this path."""
    own = folder(role, delegator)
    name = path.removeprefix(own).removesuffix(".json")
    if own + name + ".json" != path:
        return None
    if role == TARGETS:
        yearly = _YEARLY.fullmatch(path)
        return _YEARLY_FILES.get(yearly[1]) if yearly else _TARGET_FILES.get(name)
    if role == MAPPINGS:
        return _MAPPING_SECTIONS if name == MAPPINGS else None
    return None if name == "members" and member_of(delegator) else _MEMBER_FILES.get(name)


def year_of(path: str) -> str | None:
    """Give the year of a file that there is one of each year, or None for another file."""
    found = _YEARLY.fullmatch(path)
    return found[2] if found else None


def agreement_of(path: str) -> str | None:
    """Give the id of the agreement in a file of this path, or None when it is no such path."""
    found = _AGREEMENT.fullmatch(path)
    return found[1] if found else None


def file_of(section: str) -> tuple[str, bool] | None:
    """Give the file of a section of the federation, without its ending, and whether it is one a year."""
    for table, yearly in (
        (_TARGET_FILES, False),
        (_YEARLY_FILES, True),
        ({"mappings/mappings": _MAPPING_SECTIONS}, False),
    ):
        for name, sections in table.items():
            if section in sections:
                return name, yearly
    return None


def metadata_name(role: str, version: int) -> str:
    """Name a role's metadata in an archive or a mirror (consistent snapshots; TUF 1.0 section 6.2)."""
    return f"metadata/{role}.json" if role == TIMESTAMP else f"metadata/{version}.{role}.json"


def target_name(path: str, sha256: str) -> str:
    """Name a target file in an archive or a mirror, by the hexadecimal SHA-256 of its content."""
    above, slash, name = path.rpartition("/")
    return f"targets/{above}{slash}{sha256}.{name}"
