"""`yrdx keys`: what is shown and made, what is told when it cannot be, and that no private byte is ever printed."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from keepers import ME, Desk, make_desk

from keys import custody
from nodes.cli.words import Words
from nodes.drill import KeysStory

BEGIN = "2026-03-04T08:00:00Z"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a member of a federation whose clock stands."""
    return make_desk(tmp_path)


def config(desk: Desk) -> tuple[str, Path]:
    """Name the node."""
    return "--config", desk.home / "node.toml"


def secrets(desk: Desk) -> list[str]:
    """Give what must not be printed: the passphrase and the boxes of the key files."""
    passphrase = desk.passphrase.decode()
    boxes = [line for each in desk.keys.glob("*.key") for line in each.read_text(encoding="utf-8").splitlines()]
    return [passphrase, *(line.split('"')[3] for line in boxes if '"box"' in line or '"salt"' in line)]


def test_show_tells_everything_but_the_keys(desk: Desk) -> None:
    """Ids, uses, times and places of keys and certificates; what is nowhere listed, and what is not here."""
    made = desk.run("rotate", *config(desk), "--use", "sign", "--begin", BEGIN)
    assert made.exit_code == 0, made.output
    found = desk.shown()
    old, new = (each for each in found["keys"] if each["use"] == "sign")
    assert (old["kept"], old["listed"], new["listed"]) == ("sign.key", True, False)
    assert (new["kept"], new["valid_from"]) == (f"sign-{new['id'].rpartition('/')[2]}.key", BEGIN)
    (desk.keys / new["kept"]).unlink()
    assert {each["id"]: each["kept"] for each in desk.shown()["keys"]}[new["id"]] is None
    assert {each["use"] for each in found["certificates"]} == {"leaf", "issuing", "ca"}
    told = desk.run("show", *config(desk))
    assert new["id"] in told.output
    assert not any(each in told.output + made.output for each in secrets(desk))


def test_a_key_in_no_entry_is_shown(desk: Desk) -> None:
    """A key file that nobody listed has no times."""
    before = desk.entry
    desk.run("generate", *config(desk), "--use", "witness")
    (desk.home / "entry.json").write_text(before.to_json(), encoding="utf-8")
    stray = desk.shown()["keys"][-1]
    assert (stray["listed"], stray["valid_from"], stray["kept"][:8]) == (False, None, "witness-")


def test_the_entry_is_where_it_is_said_to_be(desk: Desk, tmp_path: Path) -> None:
    """--entry names another file, and that one alone changes."""
    other, before = tmp_path / "other.json", desk.entry
    other.write_text(before.to_json(), encoding="utf-8")
    done = desk.run("generate", *config(desk), "--use", "sign", "--entry", other)
    assert (done.exit_code, desk.entry == before, other.read_text() == before.to_json()) == (0, True, False)


def test_an_issuing_ca_is_made_with_the_members_own(desk: Desk, tmp_path: Path) -> None:
    """The CA's file may lie elsewhere under a passphrase of its own."""
    authority = custody.load_issuer(desk.keys / "ca.pem", desk.passphrase)
    custody.save_issuer(tmp_path / "ca.pem", authority, b"apart")
    (tmp_path / "word").write_bytes(b"apart")
    (tmp_path / "word").chmod(0o600)
    (desk.keys / "ca.pem").unlink()
    lost = desk.run("rotate", *config(desk), "--use", "issuing")
    assert (lost.exit_code, "ca.pem cannot be read" in lost.output) == (2, True)
    given = ("--ca", tmp_path / "ca.pem", "--ca-passphrase-file", tmp_path / "word")
    assert desk.run("rotate", *config(desk), "--use", "issuing", *given).exit_code == 0
    assert len(desk.entry.standing.issuing_certificates) == 2


def test_a_key_is_revoked_in_the_entry(desk: Desk) -> None:
    """With a suspicion; an unknown key, or a time of another form, is told and changes nothing."""
    row = desk.entry.standing.keys[0]
    wrong = desk.run("revoke", "310000/x", *config(desk))
    assert (wrong.exit_code, "lists no key of that id" in wrong.output) == (2, True)
    time = desk.run("revoke", row["id"], *config(desk), "--suspect-from", "yesterday")
    assert (time.exit_code, "in UTC" in time.output) == (2, True)
    assert desk.entry.standing.keys[0]["revoked_time"] is None
    done = desk.run("revoke", row["id"], *config(desk), "--suspect-from", "2026-03-01T00:00:00Z")
    assert (done.exit_code, desk.entry.standing.keys[0]["suspect_from"]) == (0, "2026-03-01T00:00:00Z")


def test_a_backup_is_taken_and_restored(desk: Desk, tmp_path: Path) -> None:
    """Into an empty folder; over files that are there it is refused."""
    word = tmp_path / "word"
    word.write_bytes(b"backup")
    word.chmod(0o600)
    given = ("--passphrase-file", word)
    taken = desk.run("backup", *config(desk), *given, "--out", tmp_path / "b")
    assert taken.exit_code == 0, taken.output
    back = ("restore", tmp_path / "b", "--member", ME, *given, "--folder")
    assert desk.run(*back, tmp_path / "new").exit_code == 0
    assert (tmp_path / "new/sign.key").read_bytes() == (desk.keys / "sign.key").read_bytes()
    over = desk.run(*back, desk.keys)
    assert (over.exit_code, Words(language="en").say("keys.stopped", why="")[:20] in over.output) == (2, True)


def test_the_documents_are_described(desk: Desk) -> None:
    """docs/json.md names every field of what is shown and of the drill, in its order."""
    found = desk.shown()
    assert described("keys_shown") == list(found)
    assert described("key_shown") == list(found["keys"][0])
    assert set(found["certificates"][0]) <= set(described("key_shown"))
    assert described("drill_keys") == ["format", *(each.name for each in fields(KeysStory))]


def described(mark: str) -> list[str]:
    """Give the names in a table of docs/json.md."""
    page = (Path(__file__).resolve().parent.parent / "docs/json.md").read_text(encoding="utf-8")
    rows = page.partition(f"<!-- table: {mark} -->\n")[2].split("\n\n")[0].splitlines()[2:]
    return [row.split("`")[1] for row in rows]
