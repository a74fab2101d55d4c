"""Sections: the rows of a directory, apart in the files that different hands sign, and together again.

`split` and `assemble` are each other's way back. What a row means is for whoever reads the directory.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from keys import jsontext, moments
from keys.bundle import agreements as statements
from keys.bundle import layout
from keys.bundle.agreements import Edition
from keys.errors import BundleMalformed

_Rows = Mapping[str, Any]

_TOP_ROW = ("id", "name", "parent", "divisions", "suspended", "hub")
_SUB_ROW = ("id", "name", "divisions", "suspended")
_STANDING = (*layout.MEMBER_SECTIONS, *layout.AGENCY_SECTIONS)
_MANY = 100_000
_MEMBERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The sections of one verified file, and the role that signed it."""

    role: str
    path: str
    sections: Mapping[str, jsontext.Place]


def read_file(role: str, path: str, content: bytes, allowed: Iterable[str]) -> Signed:
    """Read a file of sections.

    Raises BundleMalformed when it is not strict JSON, or holds a section of another file.
    """
    found = jsontext.load(content, refuse=BundleMalformed, name=path).members((), others=True)
    for name in found.keys() - set(allowed):
        raise BundleMalformed(f"{path} holds the section {name[:40]!r}, which stands elsewhere; move it")
    return Signed(role=role, path=path, sections=found)


def members_in(file: Signed) -> list[str]:
    """Name the members whose rows a file holds."""
    rows = file.sections.get("members")
    found = () if rows is None else rows.items(limit=_MEMBERS)
    return [each.members(("id",), others=True)["id"].text(layout.MEMBER_ID) for each in found]


def editions_in(files: Iterable[Signed]) -> dict[str, Edition]:
    """Return the editions of agreements that the files list.

    Raises BundleMalformed.
    """
    places = (each.sections[layout.EDITIONS] for each in files if layout.EDITIONS in each.sections)
    return {name: edition for place in places for name, edition in statements.read_editions(place).items()}


def assemble(files: Iterable[Signed], agreements: Iterable[_Rows], ends: Mapping[str, datetime]) -> _Rows:
    """Put the sections together as one document; `ends` says until when each role counts.

    Raises BundleMalformed for a member's row that is another's, and for a row of another year than its file.
    """
    shared: dict[str, Any] = {"agreements": tuple(agreements)}
    own: dict[str, dict[str, Any]] = {}
    rows: list[_Rows] = []
    for file in sorted(files, key=lambda each: each.path):
        member = layout.member_of(file.role)
        for name, place in file.sections.items():
            if name == "members":
                rows += [_row(each, member) for each in place.items(limit=_MANY)]
            elif name == layout.EDITIONS:
                continue  # it says of the agreements what they say themselves
            elif member is None:
                _add(shared, name, _of_year(place, layout.year_of(file.path)))
            elif name in layout.RULE_SECTIONS:
                _add(shared, name, _checked(place, member))
            else:
                own.setdefault(member, {})[name] = place.value
    members = tuple(
        {**row, **own.get(row["id"], {}), "expire_time": moments.write(ends[layout.member_role(row["id"])])}
        for row in rows
    )
    return {**shared, "members": members}


def split(document: _Rows) -> dict[str, bytes]:
    """Write a document as target files; agreements are signed one by one, and their editions are listed.

    Rows of yearly files go by their edition, else by the year from which they count, whenever that is done.
    Raises BundleMalformed for a section without a place, a row of no member, or one of no edition.
    """
    return _Split(document).files()


class _Split:
    """A document on its way into files."""

    def __init__(self, document: _Rows) -> None:
        self._document = document
        self._files: dict[str, dict[str, Any]] = {}
        rows = [row for row in document["members"] if isinstance(row, Mapping)]
        tops = {row.get("id") for row in rows if row.get("parent") is None}
        self._parents = {row.get("id"): row["parent"] if row.get("parent") in tops else None for row in rows}

    def files(self) -> dict[str, bytes]:
        """Write each section where its signer's file is."""
        for name, value in self._document.items():
            if name in layout.RULE_SECTIONS:
                for row in value:
                    self._add(self._folder(row["member"]) + "rules", name, row)
            elif name == "members":
                self._file(layout.FEDERATION)[name] = []
                for row in value:
                    self._member(row)
            elif name == "agreements":
                self._file(layout.AGREEMENTS)[layout.EDITIONS] = statements.list_editions(value)
            else:
                self._shared(name, value)
        return {f"{path}.json": _text(held) for path, held in self._files.items()}

    def _shared(self, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
        place = layout.file_of(name)
        if place is None:
            raise BundleMalformed(f"no file of the bundle holds the section {name[:40]!r}; take it out")
        path, yearly = place
        if not yearly:
            self._file(path)[name] = value
            return
        for row in value:
            edition = _edition(row)
            if not edition:
                raise BundleMalformed(f"a row of {name} names no edition; say of which year it is")
            self._add(f"{path}-{edition}", name, row)

    def _member(self, row: Any) -> None:  # noqa: ANN401 - any JSON
        """Write a member's row where its parent or the federation signs it, and its own files."""
        if not isinstance(row, Mapping):
            self._add(layout.FEDERATION, "members", row)
            return
        member = row.get("id")
        parent, folder = self._parents[member], self._folder(member)
        own = {name: value for name, value in row.items() if name not in _STANDING}
        if parent is None:
            self._add(layout.FEDERATION, "members", {"hub": False, **own})
        else:
            own = {name: value for name, value in own.items() if name != "parent" and (name, value) != ("hub", False)}
            self._add(f"members/{parent}/members", "members", own)
        self._file(f"{folder}member").update({"via": [], **{n: row[n] for n in layout.MEMBER_SECTIONS if n in row}})
        self._file(f"{folder}agencies").update({n: row[n] for n in layout.AGENCY_SECTIONS if n in row})

    def _folder(self, member: Any) -> str:  # noqa: ANN401 - any JSON
        if member not in self._parents:
            raise BundleMalformed("a row names a member that is not listed; list the member or take the row out")
        parent = self._parents[member]
        return f"members/{parent}/{member}/" if parent else f"members/{member}/"

    def _file(self, path: str) -> dict[str, Any]:
        return self._files.setdefault(path, {})

    def _add(self, path: str, section: str, row: Any) -> None:  # noqa: ANN401 - any JSON
        self._file(path).setdefault(section, []).append(row)


def _edition(row: _Rows) -> str:
    return str(row.get("edition") or row.get("year") or str(row.get("valid_from", ""))[:4])


def _text(held: Mapping[str, Any]) -> bytes:
    return json.dumps(held, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _row(place: jsontext.Place, parent: str | None) -> _Rows:
    part = place.members(_TOP_ROW if parent is None else _SUB_ROW)
    if parent is None and part["parent"].value is not None:
        part["parent"].fail("is named by the federation; the parent signs the rows of its sub-members")
    return dict(place.value) if parent is None else {**place.value, "parent": parent, "hub": False}


def _checked(place: jsontext.Place, member: str) -> jsontext.Place:
    for row in place.items(limit=_MANY):
        if row.members(("member",), others=True)["member"].value != member:
            row.fail("is of another member than its signer")
    return place


def _of_year(place: jsontext.Place, year: str | None) -> jsontext.Place:
    """Check that the rows of a yearly file are of its year: none names another, or no year at all."""
    for row in place.items(limit=_MANY) if year else ():
        row.members((), others=True)
        if _edition(row.value) != year:
            row.fail("is of another year than its file")
    return place


def _add(shared: dict[str, Any], name: str, place: jsontext.Place) -> None:
    """Add a section; what may stand in several files is a list, by then."""
    shared[name] = shared[name] + place.value if name in shared else place.value
