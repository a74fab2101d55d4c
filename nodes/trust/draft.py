"""A draft: the unsigned next version of what differs from the published bundle, and the signatures given to it so far.

It is a folder that officers hand round: each adds one small file of signatures, so that copies made apart are joined
by copying. It never holds a private key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keys import jsontext
from keys.bundle import layout
from keys.bundle.sheets import Sheet, read_sheet
from keys.errors import KeysError
from nodes.trust import published as files_of
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.published import Published

FORMAT, SIGNATURE_FORMAT = "yrdx.trust-draft.v1", "yrdx.trust-signatures.v1"
HEAD = "draft.json"
AGREEMENTS = "agreements/"
STAGES = (layout.AGREEMENTS, layout.SNAPSHOT, layout.TIMESTAMP)
"""What publishers sign, in order: each names the one before with its signatures."""

Signatures = Mapping[str, Mapping[str, bytes]]
"""Key id to name of what was signed to signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`roles` is unsigned metadata by role, `files` target files by path, `agreements` envelopes by id.

    `listed` names every agreement that there would be; `stage` is what publishers have made so far; `unread` names
    files among the signatures that are none.
    """

    base_version: int
    base_digest: str
    listed: tuple[str, ...]
    roles: Mapping[str, bytes]
    files: Mapping[str, bytes]
    agreements: Mapping[str, bytes]
    proofs: Mapping[str, bytes] = field(default_factory=dict)
    signatures: Signatures = field(default_factory=dict)
    stage: Mapping[str, bytes] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Give the SHA-256 of all that is to be signed; signatures and the publishers' part do not change it."""
        found = hashlib.sha256()
        for name, content in sorted(self.fixed().items()):
            found.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
        return found.hexdigest()

    def fixed(self) -> dict[str, bytes]:
        """Name every file that does not change once the draft is made."""
        head = {"format": FORMAT, "extends": self.base_version, "base": self.base_digest, "agreements": self.listed}
        return {
            HEAD: json.dumps(head, indent=1).encode() + b"\n",
            **{f"metadata/{role}.json": each for role, each in self.roles.items()},
            **{f"targets/{path}": each for path, each in self.files.items()},
            **{f"{AGREEMENTS}{name}.json": each for name, each in self.agreements.items()},
            **{f"proofs/{name}.json": each for name, each in self.proofs.items()},
        }

    def signed(self, name: str) -> dict[str, bytes]:
        """Give the signatures on one thing by key id; none of them is verified."""
        return {key: names[name] for key, names in self.signatures.items() if name in names}

    def with_signatures(self, key_id: str, signatures: Mapping[str, bytes]) -> Draft:
        """Add a key's signatures."""
        held = self.signatures.get(key_id, {})
        return replace(self, signatures={**self.signatures, key_id: {**held, **signatures}})


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The bundle as it would stand once the draft is published: its roles, files and agreements."""

    draft: Draft
    base: Published | None

    def content(self, role: str) -> bytes:
        """Give a role's metadata.

        Raises:
            TrustRefused: DRAFT_ALTERED when neither draft nor bundle has it.
        """
        if role in self.draft.roles:
            return self.draft.roles[role]
        if self.base is None or (role != layout.ROOT and role not in self.base.roles):
            raise TrustRefused(Ground.DRAFT_ALTERED, file=role)
        return self.base.roots[-1] if role == layout.ROOT else self.base.roles[role]

    def sheet(self, role: str) -> Sheet:
        """Read a role's metadata.

        Raises:
            TrustRefused: KEY_UNFIT when it is none that a node would take.
        """
        try:
            return read_sheet(self.content(role), role)
        except KeysError as error:
            raise TrustRefused(Ground.KEY_UNFIT, why=str(error)) from error

    def sheets(self) -> dict[str, Sheet]:
        """Read root, targets and all that they delegate, by role; the publishers' roles are made later."""
        found = {layout.ROOT: self.sheet(layout.ROOT)}
        waiting = [layout.TARGETS]
        while waiting:
            role = waiting.pop()
            found[role] = self.sheet(role)
            waiting += [each for each in found[role].seats if each not in (*found, *STAGES)]
        return found

    def files(self) -> dict[str, bytes]:
        """Give every target file by path, without agreements.

        Raises:
            TrustRefused: DRAFT_ALTERED when one is missing or of other content.
        """
        named = {path: digest for sheet in self.sheets().values() for path, digest in sheet.files.items()}
        return {path: self._file(path, digest) for path, digest in named.items()}

    def agreements(self) -> dict[str, bytes]:
        """Give every agreement's envelope by id, as far as it is signed."""
        base = self.base.files if self.base else {}
        held = {name: base.get(f"{AGREEMENTS}{name}.json", b"") for name in self.draft.listed}
        return {name: self.draft.agreements.get(name, content) for name, content in held.items()}

    def _file(self, path: str, digest: str) -> bytes:
        for held in (self.draft.files, self.base.files if self.base else {}):
            if path in held and hashlib.sha256(held[path]).hexdigest() == digest:
                return held[path]
        raise TrustRefused(Ground.DRAFT_ALTERED, file=path)


def write_draft(draft: Draft, folder: Path) -> None:
    """Write a new draft's folder, whole or not at all.

    Raises:
        TrustRefused: EXISTS when there is something of this name.
        OSError: when it cannot be written.
    """
    if folder.exists():
        raise TrustRefused(Ground.EXISTS, file=folder.name)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)  # what a crash left must not come into this draft
    for name, content in draft.fixed().items():
        files_of.replace(new / name, content)
    new.rename(folder)


def remove_draft(folder: Path) -> None:
    """Remove a draft's folder, with the signatures in it."""
    shutil.rmtree(folder)


def write_signatures(draft: Draft, key_id: str, folder: Path) -> Path:
    """Write a key's signatures into a draft's folder; give the file."""
    document = {
        "format": SIGNATURE_FORMAT,
        "draft": draft.digest,
        "key": key_id,
        "signatures": {name: base64.b64encode(each).decode() for name, each in draft.signatures[key_id].items()},
    }
    path = folder / "signatures" / f"{_file_of(key_id)}.json"
    files_of.replace(path, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")
    return path


def write_stage(draft: Draft, folder: Path) -> None:
    """Write what publishers made into a draft's folder, the first stage first; what was dropped goes away."""
    for role in STAGES:
        path = folder / "publishing" / f"{role}.json"
        if role in draft.stage:
            files_of.replace(path, draft.stage[role])
        else:
            path.unlink(missing_ok=True)


def read_draft(folder: Path) -> Draft:
    """Read a draft's folder with the signatures that belong to it; those of another draft are passed over.

    What is no file of signatures, or is called after another key than it names, is passed over by name.

    Raises:
        TrustRefused: UNREADABLE.
    """
    try:
        head = jsontext.load((folder / HEAD).read_bytes(), refuse=_Unreadable).members(
            ("format", "extends", "base", "agreements")
        )
        draft = Draft(
            base_version=head["extends"].integer(least=0),
            base_digest=str(head["base"].value),
            listed=tuple(each.text() for each in head["agreements"].items(limit=10_000)),
            roles=_tree(folder / "metadata"),
            files={f"{name}.json": each for name, each in _tree(folder / "targets").items()},
            agreements=_tree(folder / "agreements"),
            proofs=_tree(folder / "proofs"),
            stage=_tree(folder / "publishing"),
        )
        return _with_signatures(draft, _tree(folder / "signatures"))
    except (OSError, KeysError) as error:
        raise TrustRefused(Ground.UNREADABLE, file=folder.name, why=str(error)) from error


class _Unreadable(KeysError):
    """A file of the draft has another form."""


def _tree(folder: Path) -> dict[str, bytes]:
    """Read every JSON file below a folder by its name without the ending."""
    paths = sorted(each for each in folder.rglob("*.json") if each.is_file()) if folder.is_dir() else ()
    return {path.relative_to(folder).as_posix().removesuffix(".json"): path.read_bytes() for path in paths}


def _with_signatures(draft: Draft, files: Mapping[str, bytes]) -> Draft:
    found: dict[str, dict[str, bytes]] = {}
    unread = []
    for name, content in files.items():
        try:
            of, key_id, signatures = _signatures(content)
        except KeysError:
            unread.append(f"{name}.json")
            continue
        if _file_of(key_id) != name:  # or a file of any name could take the place of another key's signatures
            unread.append(f"{name}.json")
        elif of == draft.digest:
            found[key_id] = signatures
    return replace(draft, signatures=found, unread=tuple(unread))


def _signatures(content: bytes) -> tuple[str, str, dict[str, bytes]]:
    """Read a file of signatures: the draft's digest, the key and what it signed."""
    part = jsontext.load(content, refuse=_Unreadable).members(("format", "draft", "key", "signatures"))
    signatures = {name: each.octets() for name, each in _members(part["signatures"]).items()}
    return part["draft"].text(), part["key"].text(), signatures


def _file_of(key_id: str) -> str:
    """Name a key's file of signatures, without its ending."""
    return key_id.replace("/", ".")


def _members(place: jsontext.Place) -> Mapping[str, Any]:
    return place.members((), others=True)
