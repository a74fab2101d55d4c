"""One metadata file of TUF: read strictly, judged by the layout, verified against who delegated it.

It checks the shape, the keys and the signatures of a file; whether the files belong together is for `opening`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar, cast

from tuf.api.metadata import DelegatedRole, Metadata, MetaFile, Role, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError, SerializationError

from keys import jsontext
from keys.bundle import layout, rolekeys
from keys.errors import BundleMalformed, BundleMixed, KeysError, SignatureInvalid
from keys.suite import PublicKey

SIZE_LIMIT = 512 * 1024
_LEAST = 2

_T = TypeVar("_T", Root, Timestamp, Snapshot, Targets)
_Delegator = Root | Targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who may sign a role, and how many of them must; who signed a file stands in `signed_by`."""

    keys: tuple[PublicKey, ...]
    threshold: int
    signed_by: tuple[str, ...] = ()


def read(content: bytes, kind: type[_T], name: str) -> Metadata[_T]:
    """Read a metadata file of this kind; nothing of it is verified yet.

    Raises BundleMalformed for anything but strict JSON of TUF 1.0, WeakKey for a key that is not fit.
    """
    _check(len(content) <= SIZE_LIMIT, name, "is too large")
    top = jsontext.load(content, refuse=BundleMalformed, name=name).members(("signatures", "signed"))
    signed = top["signed"].members(("_type", "version"), others=True)
    signed["version"].integer(least=1)
    _check(signed["_type"].value == kind.type, name, "is of another role")
    try:
        found: Metadata[Any] = Metadata.from_bytes(content)
        _ = found.signed_bytes
    except (DeserializationError, SerializationError) as error:
        cause = error.__cause__
        if isinstance(cause, KeysError):
            raise cause from None
        raise BundleMalformed(f"the bundle's {name} is not metadata of TUF 1.0; fetch the bundle again") from None
    return cast("Metadata[_T]", found)


def verify(found: Metadata[Any], role: str, delegator: _Delegator, *, others: Iterable[str] = ()) -> Seat:
    """Return who signed a role's metadata, once enough of those whom its delegator names did, and nobody besides.

    `others` are signers who were verified before. Raises SignatureInvalid below the threshold or for a signature that
    does not verify, and what `seat_of` raises.
    """
    seat, signed = seat_of(role, delegator), signers(found, role, delegator)
    # A further bad one is no harmless decoration: the same bundle would have many forms.
    if found.signatures.keys() - signed - set(others):
        raise SignatureInvalid(f"{role} bears a signature that does not verify; have it taken out or made anew")
    return Seat(keys=seat.keys, threshold=seat.threshold, signed_by=tuple(sorted(signed)))


def signers(found: Metadata[Any], role: str, delegator: _Delegator) -> frozenset[str]:
    """Return the ids of the keys that signed a role's metadata, once they are enough for its delegator.

    Raises SignatureInvalid below the threshold.
    """
    result = delegator.get_verification_result(role, found.signed_bytes, found.signatures)
    if not result:
        raise SignatureInvalid(
            f"{role} has {len(result.signed)} of {result.threshold} signatures; have the others sign it"
        )
    return frozenset(result.signed)


def seat_of(role: str, delegator: _Delegator) -> Seat:
    """Return who may sign a role.

    Raises BundleMalformed when its keys are of another use, owner or number than the layout wants, or two of one
    member's sit where each member has one seat.
    """
    entry = delegator.get_delegated_role(role)
    keys = tuple(rolekeys.public_key(delegator.get_key(each)) for each in entry.keyids)
    names = [rolekeys.name_of(each.id) for each in keys]
    use, member = layout.use_of(role), layout.member_of(role)
    _check(all(each.use == use for each in names), role, f"is given to a key that is not for {use!r}")
    if member is None:
        _check(len({each.member for each in names}) == len(names), role, "gives two seats to one member")
    else:
        _check(all(each.member == member for each in names), role, "is given to another member's key")
    _check(_LEAST <= _whole(entry) <= len(keys), role, "wants one signature, or more than there are keys")
    if use in ("root", "quorum"):
        _check(2 * entry.threshold > len(keys), role, "wants less than a majority of its keys")
    return Seat(keys=keys, threshold=entry.threshold)


def check_root(root: Root) -> None:
    """Return when a root is as the layout wants it.

    Raises BundleMalformed.
    """
    _check(root.consistent_snapshot is True, layout.ROOT, "does not ask for consistent snapshots")
    used = {key for role in root.roles.values() for key in role.keyids}
    _check(used == root.keys.keys(), layout.ROOT, "lists a key of no role, or none for a key of a role")
    for role in (layout.ROOT, layout.TARGETS, layout.SNAPSHOT, layout.TIMESTAMP):
        seat_of(role, root)


def delegated(targets: Targets, role: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """Return the roles that a role delegates, each with its prescribed paths; `parents` names who delegated which.

    Raises BundleMalformed for other paths, a role that another one delegates too, or a key of no role.
    """
    if targets.delegations is None:
        return ()
    roles = targets.delegations.roles
    _check(roles is not None and targets.delegations.succinct_roles is None, role, "delegates by hashes")
    entries = cast("dict[str, DelegatedRole]", roles)
    for name, entry in entries.items():
        _check(name not in parents, role, f"delegates {name[:40]!r}, which {parents.get(name)} delegates")
        prescribed = list(layout.paths(name, role))
        _check(entry.terminating and entry.paths == prescribed, role, f"delegates {name[:40]!r} with other paths")
    used = {key for entry in entries.values() for key in entry.keyids}
    _check(used == targets.delegations.keys.keys(), role, "lists a key of no role, or none for a key of a role")
    return tuple(entries)


def digest_of(said: MetaFile | TargetFile, name: str) -> str:
    """Return the hexadecimal SHA-256 under which a snapshot or a role names a file.

    Raises BundleMalformed when it names it by anything else.
    """
    hashes = said.hashes or {}
    _check(hashes.keys() == {"sha256"}, name, "is not named by its SHA-256 alone")
    return hashes["sha256"]


def check_content(content: bytes, said: MetaFile | TargetFile, name: str) -> None:
    """Return when the content is what a snapshot or a role says of it.

    Raises BundleMixed for other content, BundleMalformed as `digest_of`.
    """
    if len(content) != said.length or sha256(content).hexdigest() != digest_of(said, name):
        raise BundleMixed(f"the bundle's {name} is not the one of its snapshot; fetch the bundle again")


def _whole(entry: Role) -> int:
    return entry.threshold if type(entry.threshold) is int else 0


def _check(holds: bool, name: str, problem: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise BundleMalformed(f"the bundle's {name} {problem}; correct it and have it signed again")
