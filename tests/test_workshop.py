"""The workshop's own promises: clean locks, short scripts, and a tree without secrets or machine paths."""

import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())
LONGEST_SCRIPT = 29
# Spelt in two parts, so that this file does not find itself.
MACHINE_PATHS = re.compile(rb"(?<![\w.$}/-])/(?:wo" rb"rk|ro" rb"ot|ho" rb"me/\w+|Us" rb"ers/\w+)/")
PRIVATE_KEYS = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE" rb" KEY-----|AGE-SECRET" rb"-KEY-1")
KEY_FILES = (".key", ".pem", ".p12", ".pfx")


def tracked() -> list[Path]:
    """Every file that git tracks or would track."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def needs() -> dict[str, list[str]]:
    """What pyproject.toml asks of each lock."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = table["project"]["dependencies"]
    return {
        "requirements.lock": runtime,
        "requirements-dev.lock": runtime + table["dependency-groups"]["dev"],
    }


def pins(lock: str) -> dict[str, str]:
    """The pinned version of every package in a lock."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([a-z0-9-]+)==([^ ;\\]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address(lock: str) -> None:
    """A lock names packages and hashes, never the place they come from."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r"http|file:|--index|--find-links|--trusted", text) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    """No package can be swapped on its way: each pin is followed by at least one SHA-256."""
    entries = re.split(r"^(?=\w)", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [e.split("==")[0] for e in entries if e.strip() and "--hash=sha256:" not in e] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_meets_pyproject(lock: str) -> None:
    """Each declared dependency is pinned in its lock at a version the declaration accepts."""
    have = pins(lock)
    wanted = [Requirement(need) for need in needs()[lock]]
    unmet = [str(want) for want in wanted if have.get(want.name, "0") not in want.specifier]
    assert unmet == [], "run scripts/lock"


def test_the_locks_agree() -> None:
    """What is tested is what is run: the dev lock repeats every pin of the runtime lock."""
    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: dev.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_short_and_executable(script: Path) -> None:
    """A script can be read at one glance: POSIX sh, strict, one line on what it does."""
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/sh"
    assert lines[1].startswith("# ")
    assert lines[2] == "set -eu"
    assert len(lines) <= LONGEST_SCRIPT
    assert script.stat().st_mode & stat.S_IXUSR


def test_no_tracked_file_names_a_machine() -> None:
    """The tree knows no path of the machine it was written on."""
    assert [path.name for path in tracked() if MACHINE_PATHS.search(path.read_bytes())] == []


def test_no_private_key_is_tracked() -> None:
    """Private keys never enter the tree, neither as a file nor inside one."""
    files = tracked()
    assert [path.name for path in files if path.suffix in KEY_FILES] == []
    assert [path.name for path in files if PRIVATE_KEYS.search(path.read_bytes())] == []


def test_the_searches_can_fail() -> None:
    """The patterns find what they are meant to find, and leave a relative path alone."""
    assert PRIVATE_KEYS.search(b"-----BEGIN EC PRIVATE" + b" KEY-----")
    assert MACHINE_PATHS.search(b"read " + b"/ro" + b"ot/member")
    assert MACHINE_PATHS.search(b'"$here' + b"/wo" + b'rk/member"') is None


def test_every_stub_has_its_proto() -> None:
    """No generated module outlives the words it was made from."""
    proto = ROOT / "proto"
    stubs = [path for path in proto.rglob("*_pb2*.py*") if "__pycache__" not in path.parts]
    orphans = [p.name for p in stubs if not p.with_name(f"{p.name.split('_pb2')[0]}.proto").exists()]
    assert orphans == []
