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

import bundles
import pytest
from click import Context
from click.testing import CliRunner, Result
from councils import LATER, draft_of, first, with_key
from keepers import ME, NOW, Desk, make_desk

from keys import suite
from keys.errors import CustodyError, KeyFileTooOpen
from keys.hardware import KeyPlace, Token, TokenPlace, read_uri
from nodes.cli import main
from nodes.cli.profile import unlock
from nodes.cli.session import INCOMPLETE, Ended, Session
from nodes.credentials import Credentials
from nodes.lab import LIGHT
from nodes.mirror import publish
from nodes.trust.ceremony import every
from nodes.trust.draft import read_draft, write_draft, write_signatures
from nodes.trust.errors import TrustRefused
from nodes.trust.requests import REQUEST, load, read_request
from nodes.trust.signing import add
from nodes.trust.standing import counts, may_sign

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
    made = desk.run("rotate", "--config", config, "--use", "sign", "--begin", "2026-03-02T08:00:00Z", "--token")
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


URI = "pkcs11:token=a%20b;object=yrdx/310000/root?module-path=/lib/x.so"
PLACE = TokenPlace(module=Path("/lib/x.so"), label="a b", pin=b"1")


def test_a_uri_names_a_key_as_rfc_7512_has_it() -> None:
    """Token and label in the path, the library in the query; what is percent-encoded is read as it was."""
    assert read_uri(URI, b"1") == KeyPlace(token=PLACE, owner="310000/root", identity=None)
    found = read_uri("pkcs11:id=%00%ff;token=a%20b?module-path=%2Flib%2Fx.so", b"1")
    assert found == KeyPlace(token=PLACE, owner="", identity=b"\x00\xff")


@pytest.mark.parametrize("prefix", ["", "file:"])
def test_a_uri_may_name_the_file_of_its_pin(prefix: str, tmp_path: Path) -> None:
    """The file must be its owner's alone, as any passphrase's."""
    path = tmp_path / "pin"
    path.write_bytes(PIN + b"\n")
    path.chmod(0o600)
    assert read_uri(f"{URI}&pin-source={prefix}{path}", b"other").token.pin == PIN
    path.chmod(0o644)
    with pytest.raises(KeyFileTooOpen):
        read_uri(f"{URI}&pin-source={path}")


@pytest.mark.parametrize(
    "uri",
    [
        URI.removeprefix("pkcs11:"),
        URI.replace("token=a%20b;", ""),
        URI.partition("?")[0],
        f"{URI}&pin-value=73914268",
        f"{URI}&module-path=/lib/y.so",
        URI.replace("a%20b", "%ff"),
        URI.replace("yrdx/310000", "other/310000"),
        "pkcs11:",
    ],
)
def test_any_other_uri_is_refused_without_a_pin(uri: str) -> None:
    """A PIN in a URI would stand in the shell's history: it is refused, and never repeated."""
    with pytest.raises(CustodyError) as caught:
        read_uri(uri, PIN)
    assert PIN.decode() not in str(caught.value)


@needs_token
def test_one_of_several_keys_is_named_by_its_id(place: TokenPlace) -> None:
    """No key and two of one label are told; each of the two is found by its id."""
    token, owner = Token(place), "330000/quorum"
    with pytest.raises(CustodyError, match="has 0 keys"):
        token.signer_of(owner)
    made = token.generate_of(owner)
    assert (token.signer_of(owner).id, made.id) == (made.id, suite.key_id(owner, made.public))
    token.generate_of(owner)
    with pytest.raises(CustodyError, match="has 2 keys"):
        token.signer_of(owner)
    for identity, each in token._signers(owner, f"yrdx/{owner}"):
        assert token.signer_of(owner, identity).id == each.id
    token.close()


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    """Write the PIN's file."""
    path = tmp_path / "token.pin"
    path.write_bytes(PIN)
    path.chmod(0o600)
    return path


@needs_token
def test_a_role_key_on_a_token_is_requested_and_signs(place: TokenPlace, pin: Path, tmp_path: Path) -> None:
    """`yrdx trust init --token` leaves a request and no private byte; `sign` and `publish` take the URI for a path."""
    uri = f"pkcs11:token={LABEL};object=yrdx/320000/{{}}?module-path={place.module}"
    tokens = ["--token", f"pkcs11:token={LABEL}?module-path={place.module}&pin-source={pin}"]
    uses = [part for use in ("root", "publisher") for part in ("--use", use)]
    made = trust("init", tmp_path / "asked", "--member", "320000", *uses, *tokens)
    assert made.exit_code == 0, made.output
    assert [each.name for each in (tmp_path / "asked").iterdir()] == [REQUEST]
    asked = read_request((tmp_path / "asked" / REQUEST).read_bytes())
    loaded = {use: load(uri.format(use), pin) for use in ("root", "publisher")}
    assert {each.id for each in loaded.values()} == {each.id for each in asked.claims}
    now_in = with_key("320000", "publisher", loaded["publisher"], of=with_key("320000", "root", loaded["root"]))
    draft, folder = draft_of(of=now_in, proofs={"request": asked.text}), tmp_path / "draft"
    others = [each for each in every(now_in) if each.id != loaded["root"].id]
    write_draft(draft, folder)
    publish(tmp_path / "bundle", first().parts)
    root = tmp_path / "bundle" / "metadata" / "1.root.json"
    terms = ("--published", tmp_path / "bundle", "--root", root, "--passphrase-file", pin)
    done = trust("sign", folder, *terms, "--key", uri.format("root"), "--yes", draft.digest)
    assert (done.exit_code, loaded["root"].id in read_draft(folder).signatures) == (0, True), done.output
    for each in others:
        if may_sign(counts(draft, first()), each.id):
            write_signatures(add(draft, first(), each), each.id, folder)
    turn = trust("publish", folder, *terms, "--key", uri.format("publisher"), "--stand-in")
    assert (turn.exit_code, pin.with_suffix(".seen").exists()) == (INCOMPLETE, True), turn.output


def trust(*arguments: object) -> Result:
    """Run `yrdx trust`."""
    texts = ["--lang", "en", "trust", *map(str, arguments)]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: LATER, work=LIGHT))


@needs_token
def test_only_a_role_key_signs_a_role(place: TokenPlace, pin: Path) -> None:
    """A key whose label is no role's is refused, as a file of another use is."""
    Token(place).generate_of("330000/witness")
    with pytest.raises(TrustRefused, match="KEY_USE"):
        load(f"pkcs11:token={LABEL};object=yrdx/330000/witness?module-path={place.module}", pin)


@needs_token
def test_a_desk_officers_key_may_be_on_a_token(place: TokenPlace, pin: Path, tmp_path: Path) -> None:
    """The profile names it by its URI; another officer's is refused as a file would be."""
    owner = bundles.OFFICER
    made = Token(place).generate_of(owner)
    (tmp_path / "desk").mkdir()
    folder = bundles.officers_folder(tmp_path / "desk", LIGHT)
    uri = f"pkcs11:token={LABEL};object=yrdx/{owner}?module-path={place.module}&pin-source={pin}"
    profile = folder / "profile.toml"
    profile.write_text(bundles.profile_text(officer_key=uri), encoding="utf-8")
    with Context(main, obj=Session(now=lambda: LATER)):
        officer = unlock(profile).officer
        suite.verify(made.public_key(), b"x", officer.sign(b"x"))
        profile.write_text(bundles.profile_text(approving_officer_key=uri), encoding="utf-8")
        with pytest.raises(Ended) as caught:
            unlock(profile, second=True)
    assert "another officer" in caught.value.format_message()
