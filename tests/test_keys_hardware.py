"""Signing keys on a token: made there, never taken out, found again, and what is told when something is wrong."""

from __future__ import annotations

import builtins
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keepers import ME, NOW, Desk, make_desk

from keys import suite
from keys.errors import CustodyError
from keys.hardware import Token, TokenPlace
from nodes.credentials import Credentials

LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
LIBRARY = next((Path(each) for each in LIBRARIES if Path(each).exists()), None)
UTILITY = shutil.which("softhsm2-util")
PIN = b"73914268"
ROOT = Path(__file__).resolve().parent.parent
LABEL = "yrdx-test"

needs_token = pytest.mark.skipif(
    LIBRARY is None or UTILITY is None, reason="SoftHSM is absent: apt-get install softhsm2 has these tests run"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenPlace]:
    """Make a token of SoftHSM in a folder of its own."""
    assert LIBRARY is not None
    assert UTILITY is not None
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n", encoding="utf-8"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(config)
    command = [UTILITY, "--init-token", "--free", "--label", LABEL, "--pin", PIN.decode(), "--so-pin", "5678901"]
    subprocess.run(command, check=True, capture_output=True)
    yield TokenPlace(module=LIBRARY, label=LABEL, pin=PIN)
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@needs_token
def test_a_key_on_the_token_signs_like_any_other(place: TokenPlace) -> None:
    """Its signatures verify by the suite, it has the member's name, and it is found again under its use alone."""
    token = Token(place)
    made = token.generate("340000", "sign")
    suite.verify(made.public_key(), b"message", made.sign(b"message"))
    assert made.id == suite.key_id("340000", made.public)
    other = token.generate("340000", "ledger")
    assert [each.id for each in token.signers("340000", "sign")] == [made.id]
    assert [each.id for each in token.signers("340000", "ledger")] == [other.id]
    assert token.signers("330000", "sign") == ()
    token.close()


@needs_token
def test_a_wrong_pin_or_token_is_told_without_it(place: TokenPlace) -> None:
    """Who opens it is told what kind of thing is wrong, and neither PIN nor the library's text."""
    code = (
        "import sys; from pathlib import Path; from keys.hardware import Token, TokenPlace\n"
        "Token(TokenPlace(module=Path(sys.argv[1]), label=sys.argv[2], pin=b'00000000'))"
    )
    # In a process of its own: a login is the process's, and here another test may have logged in.
    command = [sys.executable, "-c", code, str(place.module), LABEL]
    told = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert "CustodyError: the token refused (PinIncorrect)" in told.stderr
    for wrong in (
        TokenPlace(module=place.module, label="none", pin=PIN),
        TokenPlace(module=Path("/nowhere.so"), label=LABEL, pin=PIN),
    ):
        with pytest.raises(CustodyError, match="the token refused") as caught:
            Token(wrong)
        assert wrong.pin.decode() not in str(caught.value)
        assert wrong.pin.decode() not in repr(wrong)


@needs_token
def test_a_node_signs_with_the_token(place: TokenPlace, tmp_path: Path) -> None:
    """A key that is made on the token is listed, and signs without any signing key in a file."""
    desk = _with_token(tmp_path, place)
    config = desk.home / "node.toml"
    refused = desk.run("generate", "--config", config, "--use", "seal", "--token")
    assert "kept in a file" in refused.output
    made = desk.run("rotate", "--config", config, "--use", "sign", "--begin", "2026-03-02T07:00:00Z", "--token")
    assert made.exit_code == 0, made.output
    desk.publish()
    (desk.keys / "sign.key").unlink()
    held = Credentials(desk.lab.config(ME), lambda: desk.charter, lambda: NOW)
    signer = held.signer()
    suite.verify(desk.charter.directory.key(signer.id, use="sign", at=NOW), b"x", signer.sign(b"x"))
    assert {each["kept"] for each in desk.shown()["keys"] if each["id"] == signer.id} == {"token"}


def _with_token(folder: Path, place: TokenPlace) -> Desk:
    desk = make_desk(folder)
    (desk.keys / "pin").write_bytes(PIN)
    (desk.keys / "pin").chmod(0o600)
    config = desk.home / "node.toml"
    lines = f'token_module = "{place.module}"\ntoken_label = "{LABEL}"\ntoken_pin_file = "keys/pin"\n'
    config.write_text(config.read_text(encoding="utf-8").replace("[keys]\n", f"[keys]\n{lines}"), encoding="utf-8")
    return desk


def test_without_the_extra_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A config with a token on a machine without python-pkcs11 says what to install."""
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pkcs11"):
            raise ImportError
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(CustodyError, match="extra hsm"):
        Token(TokenPlace(module=Path("x"), label="x", pin=b"x"))


def test_a_config_without_a_token_makes_none(tmp_path: Path) -> None:
    """--token without a token in the config is told, and nothing is made."""
    desk = make_desk(tmp_path)
    told = desk.run("generate", "--config", desk.home / "node.toml", "--use", "sign", "--token")
    assert (told.exit_code, "names no token" in told.output) == (2, True)
