"""Makes a member's folder: its keys and certificates, its agencies' leaves, its officers' keys, and a config.

What the federation must learn of it is its `Entry`; no private key leaves the folder.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway.clocks import civil_day
from gateway.lifetimes import KeyRule, Lifetimes
from gateway.ports import Feed
from keys import boxes, custody, possession, suite, tls
from keys.bodies import new_day_key
from keys.envelope import SIGNATURE_LIMIT, to_json
from keys.members import SEAL
from keys.seal import Opener, opener
from keys.suite import Signer
from nodes.config import HUB
from nodes.declarations import FILE, write_feeds
from nodes.federation.compiling import Standing
from nodes.keyring import LEDGER, SIGN, WITNESS
from nodes.turnover import BACKDATE, key_row

DESK = "desk"
"""What an officer's key is for, in a proof of its possession."""
ENTRY = "entry.json"
"""The member's public entry in its folder."""

CONFIG = """\
# One member's node. Relative paths start at this file's folder.
member = "{member}"
{role}data = "data"
exchange_listen = "{exchange_listen}"
desk_listen = "{desk_listen}"
workers = {workers}

[bundle]
mirrors = ["{mirror}"]
root = "{root}"
poll_seconds = {poll_seconds}

[keys]
folder = "keys"
passphrase_file = "keys/passphrase"

[clock]
{clock}
"""

HUB_ROLE = f'role = "{HUB}"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the federation's bundle says of a member: public keys and certificates only.

    `proofs` show, as DSSE JSON, that whoever registers its keys holds them (`keys.possession`).
    """

    member: str
    standing: Standing
    proofs: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Write the entry as the text that goes to the member's trust officers."""
        document = {"member": self.member, **asdict(self.standing), "proofs": self.proofs}
        return json.dumps(document, ensure_ascii=False, indent=1)


def read_entry(text: str) -> Entry:
    """Read an entry as `to_json` wrote it.

    Raises:
        ValueError, KeyError, TypeError: for any other form.
    """
    row = json.loads(text)
    member, proofs = row.pop("member"), tuple(row.pop("proofs", ()))
    return Entry(member=member, standing=Standing(**row), proofs=proofs)


def prove(keys: Iterable[tuple[str, suite.Signer]]) -> tuple[str, ...]:
    """Prove the possession of keys, given by use, as an entry's `proofs`: as many at a time as an envelope signs."""
    pairs = tuple(keys)
    groups = (pairs[start : start + SIGNATURE_LIMIT] for start in range(0, len(pairs), SIGNATURE_LIMIT))
    return tuple(to_json(possession.prove(group)).decode("ascii") for group in groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a node listens, how many workers it has, and where it finds the federation's files."""

    mirror: str = "mirror"
    root: str = "root.json"
    poll_seconds: int = 60
    exchange_listen: str = "127.0.0.1:0"
    desk_listen: str = "127.0.0.1:0"
    workers: int = 1
    clock: str = 'source = "system"'


def init_node(
    folder: Path,
    member: str,
    *,
    agencies: Mapping[str, Sequence[str]],
    feeds: Iterable[Feed],
    lifetimes: Lifetimes,
    now: datetime,
    setting: Setting,
    work: boxes.Work = boxes.MODERATE,
) -> Entry:
    """Make a member's folder; `agencies` maps each agency to its officers.

    Raises:
        CustodyError: when a key file exists; nothing is overwritten.
        FileExistsError: when the folder holds a config.
        CatalogueMalformed: when a use of keys has no rule.
    """
    rules = _rules(lifetimes, now, SIGN, SEAL, LEDGER, WITNESS, "leaf", "agency", "issuing")
    keys = folder / "keys"
    passphrase, authority, issuing = _certify(keys, member, now, rules)
    custody.save_secret(keys / "storage.key", new_day_key(), passphrase, work=work)
    signers = {
        use: suite.signer(_seed(keys, use, member, passphrase, work), owner=member) for use in (SIGN, LEDGER, WITNESS)
    }
    opens = opener(_seed(keys, SEAL, member, passphrase, work), owner=member)
    officers = _agencies(folder, member, agencies, issuing, now, rules["agency"].life_days, work)
    write_feeds(folder / FILE, feeds)
    _config(folder, member, setting)
    start = now.replace(microsecond=0) - BACKDATE
    made: dict[str, Signer | Opener] = {**signers, SEAL: opens}
    standing = replace(
        _standing(setting, authority, issuing),
        keys=tuple(key_row(key, use, start, start + timedelta(days=rules[use].life_days)) for use, key in made.items()),
        officers={name: _text(each.public) for name, each in officers.items()},
    )
    proofs = prove([*signers.items(), *((DESK, each) for each in officers.values())])
    return Entry(member=member, standing=standing, proofs=proofs)


def init_hub(folder: Path, member: str, *, lifetimes: Lifetimes, now: datetime, setting: Setting) -> Entry:
    """Make a hub's folder: certificates and a config. It has no key that signs or opens, no agency and no feed.

    Raises:
        CustodyError, FileExistsError, CatalogueMalformed: as `init_node`.
    """
    _, authority, issuing = _certify(folder / "keys", member, now, _rules(lifetimes, now, "leaf", "issuing"))
    _config(folder, member, setting, role=HUB_ROLE)
    return Entry(member=member, standing=_standing(setting, authority, issuing))


def _rules(lifetimes: Lifetimes, now: datetime, *uses: str) -> Mapping[str, KeyRule]:
    today = civil_day(now)
    return {use: lifetimes.need(use, today) for use in uses}


def _certify(
    keys: Path, member: str, now: datetime, rules: Mapping[str, KeyRule]
) -> tuple[bytes, tls.Issuer, tls.Issuer]:
    """Make the passphrase, the CA, the issuing CA and the node's leaf."""
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    passphrase = _passphrase(keys / "passphrase")
    authority = tls.make_ca(member, now=now)
    issuing = authority.issue_intermediate(member, now, days=rules["issuing"].life_days)
    custody.save_issuer(keys / "ca.pem", authority, passphrase)
    custody.save_issuer(keys / "issuing.pem", issuing, passphrase)
    (keys / "ca.crt").write_bytes(authority.certificate_pem)
    days = rules["leaf"].life_days
    leaf = issuing.issue_leaf(member=member, role="node", name="node-1", now=now, days=days)
    custody.save_leaf(keys / "node.pem", leaf, passphrase)
    return passphrase, authority, issuing


def _standing(setting: Setting, authority: tls.Issuer, issuing: tls.Issuer) -> Standing:
    return Standing(
        endpoint=None if setting.exchange_listen.endswith(":0") else setting.exchange_listen,
        ca_certificates=(authority.certificate_pem.decode(),),
        issuing_certificates=(issuing.certificate_pem.decode(),),
    )


def _seed(keys: Path, use: str, member: str, passphrase: bytes, work: boxes.Work) -> bytes:
    """Make the first key of a use and its file."""
    seed = suite.generate_seed()
    path = keys / f"{use}.key"
    custody.save_seed(path, seed, passphrase, owner=member, suite=suite.INT_1, use=use, work=work)
    return seed


def _passphrase(path: Path) -> bytes:
    passphrase = secrets.token_urlsafe(24).encode()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(passphrase)
    return passphrase


def _agencies(
    folder: Path,
    member: str,
    agencies: Mapping[str, Sequence[str]],
    issuing: tls.Issuer,
    now: datetime,
    days: int,
    work: boxes.Work,
) -> Mapping[str, suite.Signer]:
    """Make each officer's folder: a leaf of the agency, the officer's key, and a passphrase that nobody else has."""
    signers = {}
    for agency, officers in agencies.items():
        for officer in officers:
            home = folder / "agencies" / officer
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            passphrase, seed = _passphrase(home / "passphrase"), suite.generate_seed()
            leaf = issuing.issue_leaf(member=member, role="agency", name=agency, now=now, days=days)
            custody.save_leaf(home / "leaf.pem", leaf, passphrase)
            custody.save_seed(home / "officer.key", seed, passphrase, owner=officer, suite=suite.INT_1, work=work)
            signers[officer] = suite.signer(seed, owner=officer)
    return signers


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _config(folder: Path, member: str, setting: Setting, *, role: str = "") -> None:
    values = {name: getattr(setting, name) for name in setting.__slots__}
    with (folder / "node.toml").open("x", encoding="utf-8") as file:
        file.write(CONFIG.format(member=member, role=role, **values))
