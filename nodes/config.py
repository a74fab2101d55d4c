"""One member's configuration: a TOML file, read and checked once, whole. All faults are told together."""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_MEMBER = re.compile(r"[0-9]{6}")
_LISTEN = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65_535
_MOST_WORKERS = 8
_LOCALES = ("zh", "en")
_ABSENT = object()

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd hands credentials over to a service (LoadCredential=)."""

MEMBER, HUB = "member", "hub"
"""What a node is: a member's, or a hub that passes on what it cannot read."""

DATABASE = "node.db"
"""The database in the data folder; its file of facts lies beside it."""


class ConfigError(Exception):
    """The configuration cannot be used; `faults` says for each key what is wrong and what to do."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        """Keep the faults; the text is one a line."""
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSetting:
    """Where a token is, and the file of its PIN."""

    module: Path
    label: str
    pin_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked configuration; every path is absolute or starts at the config file's folder."""

    member: str
    role: str
    data: Path
    mirrors: tuple[str, ...]
    """URLs of the bundle's mirrors, each with a slash at its end."""
    root: Path
    poll_seconds: int
    signing_key: Path
    storage_key: Path
    leaf: Path
    passphrase_file: Path
    exchange_listen: str
    desk_listen: str
    metrics_listen: str | None
    workers: int
    locale: str
    clock: Path | None
    """File of a test's clock, or None for the system's."""
    token: TokenSetting | None = None
    """Where signing keys lie on a token besides those in files."""


def read_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: with every fault: unknown keys, wrong types, values out of range, missing files.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "I/O error"
        raise ConfigError((f"{path}: cannot be read ({reason}); check the path and its owner",)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError((f"{path}: is no TOML text ({error}); correct it",)) from None
    faults: list[str] = []
    config = _read(_Table(values=document, place="", folder=path.parent, faults=faults))
    if faults:
        raise ConfigError(tuple(faults))
    return config


def is_loopback(listen: str) -> bool:
    """Whether an address such as 127.0.0.1:0 can be reached from this machine only."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table of the document; each reader notes a fault and gives a stand-in, so that all faults are found."""

    values: Mapping[str, Any]
    place: str
    folder: Path
    faults: list[str]

    def fault(self, name: str, problem: str) -> None:
        """Note what is wrong with a key."""
        self.faults.append(f"{self.place}{name}: {problem}")

    def close(self, *known: str) -> None:
        """Note every key that nothing reads."""
        for name in sorted(set(self.values) - set(known)):
            self.fault(name, f"no such key; remove it or correct its name ({', '.join(sorted(known))})")

    def text(self, name: str, default: object = _ABSENT) -> str:
        """Read a text that is not empty."""
        value = self.values.get(name, default)
        if value is _ABSENT:
            self.fault(name, "is missing; add it")
        elif not isinstance(value, str) or not value:
            self.fault(name, "is not a text; write it in quotes")
        else:
            return value
        return ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of texts, one at least."""
        value = self.values.get(name)
        if isinstance(value, list) and value and all(isinstance(each, str) and each for each in value):
            return tuple(value)
        self.fault(name, "is not a list of texts; write at least one, in quotes, between [ and ]")
        return ()

    def chosen(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Read one of some words."""
        value = self.text(name, default)
        if value and value not in choices:
            self.fault(name, f"is none of {', '.join(choices)}; choose one")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Read a whole number of a range."""
        value = self.values.get(name, default)
        if type(value) is not int or not least <= value <= most:
            self.fault(name, f"is not a whole number from {least} to {most}; correct it")
            return default
        return value

    def file(self, name: str, default: object = _ABSENT, *, within: Path | None = None) -> Path:
        """Read the path of a file that is there."""
        text = self.text(name, default)
        path = (within or self.folder) / text
        if text and not path.is_file():
            self.fault(name, f"there is no file {path}; make it or correct the path")
        return path

    def listen(self, name: str, default: str) -> str:
        """Read a host and a port."""
        value = self.text(name, default)
        found = _LISTEN.fullmatch(value)
        if value and (found is None or int(found["port"]) > _HIGHEST_PORT):
            self.fault(name, "is not of the form 127.0.0.1:0 or [::1]:0; correct it")
        return value

    def table(self, name: str) -> "_Table":
        """Read a table; an absent one is empty."""
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            self.fault(name, f"is not a table; write [{name}] and its keys below")
            value = {}
        return _Table(values=value, place=f"{self.place}{name}.", folder=self.folder, faults=self.faults)


def _read(table: _Table) -> Config:
    table.close(
        *("member", "role", "data", "exchange_listen", "desk_listen", "metrics_listen"),
        *("workers", "locale", "bundle", "keys", "clock"),
    )
    member = table.text("member")
    if member and not _MEMBER.fullmatch(member):
        table.fault("member", "is not a division code of six digits; correct it")
    exchange, desk = table.listen("exchange_listen", "127.0.0.1:0"), table.listen("desk_listen", "127.0.0.1:0")
    role = table.chosen("role", MEMBER, (MEMBER, HUB))
    signing, storage, leaf, passphrase, token = _keys(table.table("keys"), hub=role == HUB)
    mirrors, root, poll_seconds = _bundle(table.table("bundle"))
    return Config(
        member=member,
        role=role,
        data=table.folder / table.text("data"),
        mirrors=mirrors,
        root=root,
        poll_seconds=poll_seconds,
        signing_key=signing,
        storage_key=storage,
        leaf=leaf,
        passphrase_file=passphrase,
        token=token,
        exchange_listen=exchange,
        desk_listen=desk,
        metrics_listen=_metrics(table),
        workers=table.number("workers", 1, 1, _MOST_WORKERS),
        locale=table.chosen("locale", "zh", _LOCALES),
        clock=_clock(table.table("clock"), local=is_loopback(exchange) and is_loopback(desk)),
    )


def _bundle(table: _Table) -> tuple[tuple[str, ...], Path, int]:
    table.close("mirrors", "root", "poll_seconds")
    mirrors = tuple(_mirror(each, table) for each in table.texts("mirrors"))
    return mirrors, table.file("root", "root.json"), table.number("poll_seconds", 60, 1, 3600)


def _mirror(text: str, table: _Table) -> str:
    """Give a mirror's URL; what has no scheme is a folder."""
    if "://" not in text and not text.startswith("file:"):
        return f"{(table.folder / text).resolve().as_uri()}/"
    try:
        parts = urlsplit(text)
        whole = parts.scheme == "file" or (parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        whole = False
        parts = urlsplit("")
    if not whole or parts.query or parts.fragment or parts.username:
        table.fault("mirrors", "holds what is neither a folder nor a plain URL of http, https or file; correct it")
    return text if text.endswith("/") else f"{text}/"


def _keys(table: _Table, *, hub: bool) -> tuple[Path, Path, Path, Path, TokenSetting | None]:
    """Read where the keys lie; a hub has none that signs or opens, and names none."""
    own = ("signing", "storage", "token_module", "token_label", "token_pin_file", "token_pin_credential")
    table.close("folder", *(() if hub else own), "leaf", "passphrase_file", "passphrase_credential")
    folder = table.folder / table.text("folder", "keys")
    return (
        folder / "sign.key" if hub else _first_key(table, folder),
        folder / "storage.key" if hub else table.file("storage", "storage.key", within=folder),
        table.file("leaf", "node.pem", within=folder),
        _secret(table, "passphrase"),
        _token(table),
    )


def _first_key(table: _Table, folder: Path) -> Path:
    """Read where the first signing key lies; who has a token, or turned it over and took it away, has no such file."""
    if "token_module" in table.values or next(folder.glob("sign-*.key"), None) is not None:
        return folder / table.text("signing", "sign.key")
    return table.file("signing", "sign.key", within=folder)


def _token(table: _Table) -> TokenSetting | None:
    if "token_module" not in table.values:
        return None
    return TokenSetting(
        module=table.file("token_module"), label=table.text("token_label"), pin_file=_secret(table, "token_pin")
    )


def _secret(table: _Table, name: str) -> Path:
    """Read where a secret lies: a file, or a credential that the service manager hands over (systemd)."""
    credential = f"{name}_credential"
    if credential not in table.values:
        return table.file(f"{name}_file")
    handed = os.environ.get(CREDENTIALS)
    if f"{name}_file" in table.values or handed is None:
        table.fault(credential, f"is one of two, or {CREDENTIALS} is not set; keep one, and start as a service")
        return table.folder
    return table.file(credential, within=Path(handed))


def _metrics(table: _Table) -> str | None:
    if "metrics_listen" not in table.values:
        return None
    listen = table.listen("metrics_listen", "")
    # Metrics are served without TLS and without asking who reads them.
    if listen and not is_loopback(listen):
        table.fault("metrics_listen", "is not on loopback; let a local collector read it there")
    return listen


def _clock(table: _Table, *, local: bool) -> Path | None:
    source = table.chosen("source", "system", ("system", "file"))
    table.close(*(("source", "path") if source == "file" else ("source",)))
    if source != "file":
        return None
    # Whoever sets the clock revives expired questions, keys and directories.
    if not local:
        table.fault("source", "a file's clock is for tests; listen on loopback only, or use the system's")
    return table.file("path")
