"""The configuration is checked once and whole: every fault is named with its key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.config import Config, ConfigError, TokenSetting, is_loopback, read_config

GOOD = """
member = "310000"
data = "data"

[bundle]
mirrors = ["../mirror", "https://example.org/yrdx"]
root = "../root.json"

[keys]
folder = "keys"
passphrase_file = "keys/passphrase"
"""
FILES = ("../root.json", "keys/sign.key", "keys/storage.key", "keys/node.pem", "keys/passphrase")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a member's folder with every file that a config names."""
    folder = tmp_path / "310000"
    (folder / "keys").mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text("content")
    return folder


def written(folder: Path, text: str) -> Path:
    """Write a config."""
    path = folder / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[str]:
    """Give the keys that are at fault, in order."""
    with pytest.raises(ConfigError) as caught:
        read_config(written(folder, text))
    assert str(caught.value).splitlines() == list(caught.value.faults)
    return [each.partition(":")[0] for each in caught.value.faults]


def test_defaults_and_relative_paths(folder: Path) -> None:
    """Relative paths start at the config's folder, key files at the keys' folder, and the rest has defaults."""
    assert read_config(written(folder, GOOD)) == Config(
        member="310000",
        role="member",
        data=folder / "data",
        mirrors=(f"{folder.parent.as_uri()}/mirror/", "https://example.org/yrdx/"),
        root=folder / "../root.json",
        poll_seconds=60,
        signing_key=folder / "keys/sign.key",
        storage_key=folder / "keys/storage.key",
        leaf=folder / "keys/node.pem",
        passphrase_file=folder / "keys/passphrase",
        exchange_listen="127.0.0.1:0",
        desk_listen="127.0.0.1:0",
        metrics_listen=None,
        workers=1,
        locale="zh",
        clock=None,
    )


def test_everything_can_be_set(folder: Path) -> None:
    """Each key is read, and absolute paths are taken as they are."""
    (folder / "clock").write_text("0")
    text = (
        'exchange_listen = "[::1]:7001"\ndesk_listen = "localhost:7002"\nmetrics_listen = "127.0.0.1:7003"\n'
        f'workers = 4\nlocale = "en"\n{GOOD}\nsigning = "{folder}/keys/sign.key"\nstorage = "storage.key"\n'
        'leaf = "node.pem"\n[clock]\nsource = "file"\npath = "clock"\n'
    )
    config = read_config(written(folder, text))
    assert (config.exchange_listen, config.desk_listen, config.metrics_listen) == (
        "[::1]:7001",
        "localhost:7002",
        "127.0.0.1:7003",
    )
    assert (config.workers, config.locale, config.clock) == (4, "en", folder / "clock")
    assert config.signing_key == folder / "keys/sign.key"


def test_secrets_come_from_the_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential of systemd stands in for a passphrase's or a PIN's file, and a token for the first key's."""
    handed = folder / "handed"
    handed.mkdir()
    for name in ("word", "pin"):
        (handed / name).write_text("x")
    (folder / "lib.so").write_text("")
    (folder / "keys/sign.key").unlink()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    text = GOOD.replace('passphrase_file = "keys/passphrase"', 'passphrase_credential = "word"')
    assert text != GOOD
    text += '\ntoken_module = "lib.so"\ntoken_label = "t"\ntoken_pin_credential = "pin"\n'
    config = read_config(written(folder, text))
    assert config.passphrase_file == handed / "word"
    assert config.token == TokenSetting(module=folder / "lib.so", label="t", pin_file=handed / "pin")


@pytest.mark.parametrize("handed", [False, True])
def test_a_credential_is_one_of_two(folder: Path, monkeypatch: pytest.MonkeyPatch, *, handed: bool) -> None:
    """Both a file and a credential, or a credential without a service, is a fault of the credential."""
    if handed:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    else:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    text = GOOD + '\npassphrase_credential = "word"\n'
    if not handed:
        text = text.replace('passphrase_file = "keys/passphrase"', "")
    assert faults(folder, text) == ["keys.passphrase_credential"]


def test_the_first_key_may_be_gone_once_it_was_turned_over(folder: Path) -> None:
    """Its successor lies beside it under a name of its own; without either the file is missed."""
    (folder / "keys/sign.key").rename(folder / "keys/sign-0011223344556677.key")
    assert read_config(written(folder, GOOD)).signing_key == folder / "keys/sign.key"
    (folder / "keys/sign-0011223344556677.key").unlink()
    assert faults(folder, GOOD) == ["keys.signing"]


def test_all_faults_are_told_together(folder: Path) -> None:
    """Unknown keys, wrong types, missing values and files, and bad ranges come in one report."""
    (folder / "keys/sign.key").unlink()
    (folder.parent / "root.json").unlink()
    text = 'member = 310000\nworkers = 9\nlocale = "fr"\nport = 1\n'
    text += 'exchange_listen = "7001"\n[bundle]\nroot = "../root.json"\n[keys]\n'
    assert sorted(faults(folder, text)) == [
        "bundle.mirrors",
        "bundle.root",
        "data",
        "exchange_listen",
        "keys.passphrase_file",
        "keys.signing",
        "locale",
        "member",
        "port",
        "workers",
    ]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('member = "31"', "member"),
        ("workers = true", "workers"),
        ("workers = 0", "workers"),
        ('desk_listen = "127.0.0.1:65536"', "desk_listen"),
        ('desk_listen = ""', "desk_listen"),
        ('metrics_listen = "0.0.0.0:9000"', "metrics_listen"),
        ('clock = "system"', "clock"),
        ('clock = { source = "ntp" }', "clock.source"),
        ('clock = { path = "clock" }', "clock.path"),
        ('clock = { source = "file" }', "clock.path"),
        ('clock = { source = "file", path = "absent" }', "clock.path"),
    ],
)
def test_each_fault_names_its_key(folder: Path, line: str, key: str) -> None:
    """One wrong value gives one fault under its key."""
    good = GOOD.replace('member = "310000"\n', "") if line.startswith("member") else GOOD
    assert faults(folder, f"{line}\n{good}") == [key]


@pytest.mark.parametrize(
    "mirror",
    [
        "ftp://example.org/", "https://", "http://example.org/?x", "https://example.org/#x", "https://[::1/",
        "https://name:secret@example.org/", "http://example.org:99999/",
    ],
)  # fmt: skip
def test_a_mirror_is_a_folder_or_a_plain_address(folder: Path, mirror: str) -> None:
    """A mirror of another scheme, without a host, with a query or with a secret in it is refused."""
    assert faults(folder, GOOD.replace("https://example.org/yrdx", mirror)) == ["bundle.mirrors"]


@pytest.mark.parametrize(
    ("key", "value"), [("mirrors", "[]"), ("mirrors", '"x"'), ("mirrors", "[1]"), ("poll_seconds", "0")]
)
def test_the_bundles_keys_have_their_types(folder: Path, key: str, value: str) -> None:
    """At least one mirror, and a poll each second at the most."""
    good = GOOD.replace('mirrors = ["../mirror", "https://example.org/yrdx"]\n', "") if key == "mirrors" else GOOD
    assert faults(folder, good.replace("[bundle]", f"[bundle]\n{key} = {value}")) == [f"bundle.{key}"]


@pytest.mark.parametrize("door", ["exchange_listen", "desk_listen"])
def test_a_files_clock_stays_on_loopback(folder: Path, door: str) -> None:
    """A clock that a file sets is refused on a node that others can reach."""
    (folder / "clock").write_text("0")
    text = f'{door} = "0.0.0.0:7001"\n{GOOD}[clock]\nsource = "file"\npath = "clock"\n'
    assert faults(folder, text) == ["clock.source"]


@pytest.mark.parametrize("text", [None, "member = ", "member = \udcff"])
def test_an_unreadable_file_is_one_fault(folder: Path, text: str | None) -> None:
    """A missing file, and one that is no TOML, are named with their path."""
    path = folder / "node.toml"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"node\.toml"):
        read_config(path)


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("127.0.0.1:0", True),
        ("127.9.9.9:1", True),
        ("[::1]:0", True),
        ("localhost:0", True),
        ("0.0.0.0:0", False),
        ("[::]:0", False),
        ("example:0", False),
        ("localhost.example:0", False),
    ],
)
def test_loopback_addresses(listen: str, *, local: bool) -> None:
    """Only addresses of this machine count as loopback."""
    assert is_loopback(listen) is local
