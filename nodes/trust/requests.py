"""An officer's keys: made as encrypted files, and told to the federation as a request that proves possession.

A request names new keys of one member. It replaces all keys of the uses that it names.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from keys import boxes, custody, files, hardware, suite
from keys.bundle import layout, rolekeys
from keys.envelope import from_json, to_json
from keys.errors import EnvelopeMalformed, KeysError, WeakKey
from keys.possession import Claim, open_proof, prove
from keys.suite import PublicKey, Signer
from nodes.trust.errors import Ground, TrustRefused

REQUEST = "request.json"
OFFICERS = 2
USES = ("root", "quorum", "publisher", layout.OFFICER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Keys of one member for the bundle's roles, each proven; `text` is the request as it was read."""

    member: str
    claims: tuple[Claim, ...]
    text: bytes

    @property
    def uses(self) -> frozenset[str]:
        """Name the uses whose keys it replaces."""
        return frozenset(each.use for each in self.claims)

    def keys(self, use: str) -> tuple[PublicKey, ...]:
        """Give the keys of a use."""
        return tuple(
            PublicKey(id=each.id, suite=each.suite, raw=each.public) for each in self.claims if each.use == use
        )


def names(uses: Iterable[str], officers: int = OFFICERS) -> Iterator[tuple[str, str]]:
    """Give the name of each key to be made, and its use: a member's officers hold one each."""
    for use in uses:
        numbers = range(1, officers + 1) if use == layout.OFFICER else ()
        yield from ((f"{use}-{number}", use) for number in numbers) if numbers else ((use, use),)


def init(
    folder: Path,
    member: str,
    *,
    uses: Iterable[str] = USES,
    officers: int = OFFICERS,
    work: boxes.Work,
    tokens: Sequence[str] = (),
) -> Request:
    """Make role keys in a new folder, each an encrypted file with a passphrase of its own, and the request.

    With `tokens`, URIs that name no key, the keys are made there, on one after the other, and the folder holds the
    request alone. The folder is there with all of it, or not at all.

    Raises:
        TrustRefused: MEMBER_MALFORMED when the member is no id; EXISTS when there is something of the folder's name;
            KEYS_MISSING for fewer than two officers.
        CustodyError: when a file cannot be written.
    """
    chosen = tuple(names(uses, officers))
    if not layout.MEMBER_ID.fullmatch(member):
        raise TrustRefused(Ground.MEMBER_MALFORMED, member=member)
    if folder.exists():
        raise TrustRefused(Ground.EXISTS, file=folder.name)
    if 0 < sum(use == layout.OFFICER for _, use in chosen) < OFFICERS:
        raise TrustRefused(Ground.KEYS_MISSING, member=member, use=layout.OFFICER, wanted=OFFICERS)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)  # keys that a crash left, and nobody was told of
    new.mkdir(mode=0o700, parents=True)
    opened = [hardware.Token(hardware.read_uri(each).token) for each in tokens]
    made = [
        (use, opened[number % len(opened)].generate_of(f"{member}/{use}"))
        if opened
        else (use, _make(new, name, f"{member}/{use}", use, work))
        for number, (name, use) in enumerate(chosen)
    ]
    text = to_json(prove(made))
    found = read_request(text)
    files.write(new / REQUEST, text)
    new.rename(folder)
    return found


def _make(folder: Path, name: str, owner: str, use: str, work: boxes.Work) -> Signer:
    passphrase, seed = secrets.token_urlsafe(24).encode(), suite.generate_seed()
    files.write(folder / f"{name}.passphrase", passphrase)
    custody.save_seed(folder / f"{name}.key", seed, passphrase, owner=owner, suite=suite.INT_1, use=use, work=work)
    return suite.signer(seed, owner=owner)


def load(key: str | Path, passphrase_file: Path) -> Signer:
    """Load a role key, whichever of the uses it is for: a file, or one on a token by its URI, opened by its PIN.

    Raises:
        TrustRefused: KEY_USE when it is no role key.
        CustodyError: when it does not open.
    """
    if str(key).startswith(hardware.SCHEME):
        on_token = hardware.load_signer(str(key), custody.read_passphrase(passphrase_file))
        _name(on_token.id)
        return on_token
    path = Path(key)
    use = _use_of(path)
    found = custody.load_signer(path, custody.read_passphrase(passphrase_file), use=use)
    if _name(found.id).use != use:
        raise TrustRefused(Ground.KEY_USE, key=path.name)
    return found


def read_request(text: bytes) -> Request:
    """Read a request and check every key in it.

    Raises:
        TrustRefused: KEY_UNFIT for a low-order, non-canonical or copied key, KEY_USE for one whose id is not its
            member's and use's, NOT_PROVEN when a private key did not sign, UNREADABLE.
    """
    claims = proven(text)
    named = [_name(each.id) for each in claims]
    if len({each.member for each in named}) != 1 or any(
        name.use != claim.use for name, claim in zip(named, claims, strict=True)
    ):
        raise TrustRefused(Ground.KEY_USE, key=REQUEST)
    return Request(member=named[0].member, claims=claims, text=text)


def proven(text: bytes) -> tuple[Claim, ...]:
    """Read a proof of possession of any keys.

    Raises:
        TrustRefused: KEY_UNFIT, NOT_PROVEN or UNREADABLE.
    """
    try:
        return open_proof(from_json(text))
    except WeakKey as error:
        raise TrustRefused(Ground.KEY_UNFIT, why=str(error)) from error
    except EnvelopeMalformed as error:
        raise TrustRefused(Ground.UNREADABLE, file=REQUEST, why=str(error)) from error
    except (KeysError, ValueError) as error:
        raise TrustRefused(Ground.NOT_PROVEN, why=str(error)) from error


def _name(key_id: str) -> rolekeys.RoleKeyName:
    try:
        return rolekeys.name_of(key_id)
    except KeysError as error:
        raise TrustRefused(Ground.KEY_USE, key=REQUEST) from error


def _use_of(path: Path) -> str:
    """Read for what a key file says its key is; custody holds the key to it."""
    try:
        use = json.loads(path.read_bytes())["use"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrustRefused(Ground.UNREADABLE, file=path.name, why=type(error).__name__) from error
    if use not in USES:
        raise TrustRefused(Ground.KEY_USE, key=path.name)
    return str(use)
