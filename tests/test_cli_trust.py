"""`yrdx trust` as officers type it: the page's ceremony word for word, resumed, rotated, refused; files only."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from councils import signer

from keys import custody, moments, suite
from keys.directory import open_bundle
from keys.envelope import from_json, to_json
from keys.jsontext import write_octets
from nodes.cli import main
from nodes.cli.session import Session
from nodes.cli.words import LANGUAGES, table
from nodes.federation import REFERENCE, Standing, officers
from nodes.lab import LIGHT
from nodes.setup import DESK, Entry, prove
from nodes.trust import folders, requests
from nodes.trust.draft import write_draft
from nodes.trust.errors import Ground
from nodes.trust.proposing import propose
from nodes.trust.published import read_published

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
ROOT_FILE = "bundle/metadata/1.root.json"
_LOOP = re.compile(r"for (\w+) in ([^;]+); do (.*); done")
_SET = re.compile(r"(\w+)=\$\((.*)\)")


@dataclass
class Desk:
    """A shell of one command: `yrdx`, in this process, at a time of the test's choosing."""

    now: datetime = NOW
    language: str = "en"
    names: dict[str, str] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)

    def run(self, line: str) -> Result:
        """Run one command."""
        words = shlex.split(re.sub(r"\$(\w+)", lambda found: self.names[found[1]], line))
        assert words[0] == "yrdx"
        session = Session(now=lambda: self.now, work=LIGHT)
        done = CliRunner().invoke(main, ["--lang", self.language, *words[1:]], obj=session)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        self.codes.append(done.exit_code)
        return done

    def script(self, text: str) -> None:
        """Run lines of sh: commands, loops on one line, and names set to what a command prints."""
        for line in text.strip().splitlines():
            self._line(line)

    def _line(self, line: str) -> None:
        if line.startswith("cp "):
            shutil.copy(*line.split()[1:])
        elif found := _SET.fullmatch(line):
            self.names[found[1]] = self.run(found[2]).output.strip()
        elif found := _LOOP.fullmatch(line):
            for each in found[2].split():
                self.names[found[1]] = each
                self._line(found[3])
        else:
            self.run(line)


def ceremonies() -> list[str]:
    """Read the ceremonies of the page."""
    page = (ROOT / "docs/bundle.md").read_text(encoding="utf-8")
    return re.findall(r"<!-- ceremony -->\n```sh\n(.*?)```", page, re.DOTALL)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[int]]]:
    """Hold the page's first ceremony in a folder."""
    folder, desk = tmp_path_factory.mktemp("ceremony"), Desk()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        desk.script(ceremonies()[0])
        yield folder, desk.codes


@pytest.fixture
def desk(held: tuple[Path, list[int]], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Sit down where the first ceremony was held."""
    monkeypatch.chdir(held[0])
    return Desk()


def said(desk: Desk, line: str) -> dict[str, Any]:
    """Run a command with --json and read what it says."""
    document: dict[str, Any] = json.loads(desk.run(f"{line} --json").output)
    return document


def test_the_ceremony_of_the_page(held: tuple[Path, list[int]]) -> None:
    """Every command ends well, publishers take turns, and what is published opens under its first root."""
    folder, codes = held
    assert [each for each in codes if each != 0] == [3, 3, 3]
    root = (folder / "bundle/metadata/1.root.json").read_bytes()
    for place in ("bundle", "mirror"):
        assert open_bundle((folder / place / "archives/1.tar").read_bytes(), root=root).version == 1
    names = {each.relative_to(folder / "mirror").as_posix() for each in (folder / "mirror").rglob("*.json")}
    assert {"metadata/timestamp.json", "metadata/1.snapshot.json", "metadata/1.root.json"} <= names


def test_no_private_key_is_in_a_draft_or_published(held: tuple[Path, list[int]]) -> None:
    """What the key files hold, and their passphrases, stand nowhere else; key files are their owner's alone."""
    folder = held[0]
    keys = list(folder.glob("officers/3*/*.key"))
    secrets = [json.loads(each.read_text())["box"].encode() for each in keys]
    secrets += [each.read_bytes() for each in folder.glob("officers/3*/*.passphrase")]
    public = [each for name in ("draft-1", "bundle", "mirror") for each in (folder / name).rglob("*") if each.is_file()]
    public += list(folder.glob("officers/*/request.json"))
    assert (len(keys), len(secrets)) == (20, 40)
    assert [each for each in public if any(secret in each.read_bytes() for secret in secrets)] == []
    assert {each.stat().st_mode & 0o077 for each in keys} == {0}


def test_the_page_rotates_a_root_key_and_refreshes(
    held: tuple[Path, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second ceremony makes a root of version 2 by old and new holders, the third a timestamp of each day."""
    shutil.copytree(held[0], tmp_path / "next")
    monkeypatch.chdir(tmp_path / "next")
    desk = Desk(now=NOW + timedelta(hours=1))
    desk.script(ceremonies()[1])
    assert desk.codes == [0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 0]
    assert said(desk, "yrdx trust status --published bundle")["complete"]
    check_seats(desk)
    desk.now = NOW + timedelta(hours=20)
    late = said(desk, "yrdx trust status --published bundle")
    assert (desk.codes[-1], [each["role"] for each in late["published"] if each["expiring"]]) == (3, ["timestamp"])
    shutil.copytree("bundle", "before")
    desk.script(ceremonies()[2])
    assert desk.codes[-3:] == [3, 0, 0]
    desk.now += timedelta(hours=20)
    desk.script(ceremonies()[2])
    assert desk.codes[-3:] == [3, 0, 0]
    for member in ("320000", "340000"):
        key = f"--key officers/{member}/publisher.key --passphrase-file officers/{member}/publisher.passphrase"
        line = f"yrdx trust publish behind --published before --root root.json --refresh {key} --stand-in"
        assert "does not follow" in desk.run(line).stderr.replace("\n", " ")
    found = read_published(Path("mirror"), Path("bundle/metadata/1.root.json"))
    assert found is not None
    versions = {each.name: each.version for each in found.opened.roles}
    assert {each.name for each in Path("mirror/archives").iterdir()} == {"1.tar", "2.tar"}
    assert (len(found.roots), versions["root"], versions["snapshot"], versions["timestamp"]) == (2, 2, 2, 4)


def check_seats(desk: Desk) -> None:
    """Look that the draft told the old and the new root key whole, in text and JSON, as the request's maker saw it."""
    publics = {}
    for name, folder in (("removed", "320000"), ("added", "new")):
        claim = requests.read_request(Path(f"officers/{folder}/request.json").read_bytes()).claims[0]
        publics[name] = [{"key": claim.id, "public": claim.public.hex()}]
    told = said(desk, "yrdx trust show draft-2 --published mirror")
    assert told["seats"] == [{"role": "root", "threshold_before": 3, "threshold_after": 3, **publics}]
    shown = re.sub(r"\s", "", desk.run("yrdx trust show draft-2 --published mirror").output)
    assert [each[0]["public"] in shown and each[0]["key"] in shown for each in publics.values()] == [True, True]


def test_whoever_makes_keys_is_told_them_whole(desk: Desk, tmp_path: Path) -> None:
    """The maker reads the public keys to those who are asked to sign."""
    done = desk.run(f"yrdx trust init {tmp_path / 'made'} --member 310000")
    claims = requests.read_request((tmp_path / "made/request.json").read_bytes()).claims
    assert [each.id in done.output and each.public.hex() in done.output for each in claims] == [True] * 5


def test_a_draft_is_shown_before_it_is_signed(desk: Desk) -> None:
    """In both languages, for people and programs; nothing is signed without its digest."""
    for desk.language in LANGUAGES:
        shown = desk.run("yrdx trust show draft-1 --published none").output
        assert "YRD-4-2026" in shown
        assert table()["title"]["roles"][desk.language] in shown
    told = said(desk, "yrdx trust show draft-1 --published none")
    fields = {"format", "digest", "extends", "roles", "seats", "agreements", "rows", "grades", "sights"}
    assert fields | {"unknown_stops", "senseless"} == set(told)
    sign = "yrdx trust sign draft-1 --published none --key officers/310000/root.key"
    done = desk.run(f"{sign} --passphrase-file officers/310000/root.passphrase --yes {'0' * 64}")
    assert (done.exit_code, told["digest"] in done.stderr) == (2, False)
    done = desk.run(f"{sign} --passphrase-file officers/310000/root.passphrase")
    assert (done.exit_code, told["digest"] in done.stdout, told["digest"] in done.stderr) == (2, True, False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_quarantine_of_nothing_is_warned_of(language: str, desk: Desk, tmp_path: Path) -> None:
    """`show` names what would be stopped and is not there, `propose` writes no draft of it, `sign` does not sign it."""
    desk.language = language
    shutil.copytree(REFERENCE, tmp_path / "tables", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    row = '[[quarantine]]\nwhat = "purpose"\nid = "NO_SUCH"\nground = "sample"\n'
    (tmp_path / "tables" / "quarantine.toml").write_text(row, encoding="utf-8")
    done = desk.run(f"yrdx trust propose {tmp_path / 'draft'} --published bundle --federation {tmp_path / 'tables'}")
    assert (done.exit_code, "purpose NO_SUCH" in done.stderr, (tmp_path / "draft").exists()) == (2, True, False)
    base = read_published(Path("bundle"))
    write_draft(propose(folders.wanted(tmp_path / "tables", base), base, now=desk.now), tmp_path / "made")
    warned = table()["trust"]["unknown_stop"][language]
    shown = "".join(desk.run(f"yrdx trust show {tmp_path / 'made'} --published bundle").output.split())
    assert "".join(warned.format(what=table()["stop_what"]["purpose"][language], id="NO_SUCH").split()) in shown
    told = said(desk, f"yrdx trust show {tmp_path / 'made'} --published bundle")
    assert told["unknown_stops"] == [{"what": "purpose", "id": "NO_SUCH", "ground": "sample"}]
    key = "--key officers/310000/quorum.key --passphrase-file officers/310000/quorum.passphrase"
    done = desk.run(
        f"yrdx trust sign {tmp_path / 'made'} --published bundle --root {ROOT_FILE} {key} --yes {told['digest']}"
    )
    assert (done.exit_code, "purpose NO_SUCH" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("line", "ground"),
    [
        ("propose draft-9 --published bundle", Ground.NOTHING_CHANGED),
        ("propose draft-1 --published bundle --renew mappings", Ground.EXISTS),
        ("propose draft-9 --published none", Ground.KEYS_MISSING),
        ("propose draft-9 --published bundle --federation officers", Ground.TABLES_REFUSED),
        ("propose draft-9 --published bundle --request stranger/request.json", Ground.MEMBER_UNKNOWN),
        ("propose draft-9 --published bundle --request draft-1/draft.json", Ground.UNREADABLE),
        ("propose draft-9 --published bundle --request forged.json", Ground.NOT_PROVEN),
        ("init officers/310000 --member 310000", Ground.EXISTS),
        ("init officers/zz --member 31x000", Ground.MEMBER_MALFORMED),
        ("show draft-1 --published bundle", Ground.NOT_EXTENDING),
        ("show draft-7 --published bundle", Ground.UNREADABLE),
        ("mirror out --published none", Ground.UNREADABLE),
        ("status --published bundle --root stranger.json", Ground.BUNDLE_REFUSED),
        (
            (
                "sign draft-1 --published bundle --key officers/310000/root.key "
                "--passphrase-file officers/310000/root.passphrase --yes x"
            ),
            Ground.ROOT_WANTED,
        ),
        (
            (
                "publish today --refresh --published bundle --key officers/310000/publisher.key "
                "--passphrase-file officers/310000/publisher.passphrase"
            ),
            Ground.ROOT_WANTED,
        ),
        (
            (
                "publish today --refresh --published bundle --root stranger.json --key officers/310000/publisher.key "
                "--passphrase-file officers/310000/publisher.passphrase"
            ),
            Ground.BUNDLE_REFUSED,
        ),
        (
            "sign draft-1 --published none --key forged.json --passphrase-file officers/310000/root.passphrase --yes x",
            Ground.UNREADABLE,
        ),
        (
            "sign draft-1 --published none --key node.key --passphrase-file officers/310000/root.passphrase --yes x",
            Ground.KEY_USE,
        ),
    ],
)
def test_a_refusal_says_what_to_do_next(desk: Desk, line: str, ground: Ground) -> None:
    """Each ends with 2 and the text of its ground, and writes nothing."""
    if not Path("stranger").exists():
        desk.run("yrdx trust init stranger --member 990000")
        proof = from_json(Path("officers/310000/request.json").read_bytes())
        forged = to_json(
            type(proof)(payload_type=proof.payload_type, payload=proof.payload, signatures=proof.signatures[1:])
        )
        Path("forged.json").write_bytes(forged)
        custody.save_seed(Path("node.key"), bytes(32), b"any", owner="310000", suite=suite.INT_1, work=LIGHT)
        Path("stranger.json").write_bytes(Path("draft-1/metadata/root.json").read_bytes())
    before = sorted(Path().rglob("*"))
    done = desk.run(f"yrdx trust {line}")
    text = table()["trust_refusal"][ground.value]["en"]
    pattern = re.sub(r"\\\{\w+\\\}", ".*", re.escape(text))
    assert (done.exit_code, re.search(pattern, done.stderr.replace("\n", " ")) is not None) == (2, True), done.stderr
    assert sorted(Path().rglob("*")) == before


def test_copies_signed_apart_are_joined_by_copying(desk: Desk, tmp_path: Path) -> None:
    """Two officers sign copies of one draft; their small files together are the draft signed by both."""
    for name in ("quorum", "root"):
        shutil.copytree("draft-1", tmp_path / name, ignore=shutil.ignore_patterns("signatures", "publishing"))
        digest = desk.run(f"yrdx trust show {tmp_path / name} --published none --digest").output.strip()
        key = f"--key officers/310000/{name}.key --passphrase-file officers/310000/{name}.passphrase"
        desk.run(f"yrdx trust sign {tmp_path / name} --published none {key} --yes {digest}")
    shutil.copytree(tmp_path / "root/signatures", tmp_path / "quorum/signatures", dirs_exist_ok=True)
    found = said(desk, f"yrdx trust status --published none --draft {tmp_path / 'quorum'}")
    signed = {each["name"]: len(each["signed"]) for each in found["counts"] if each["signed"]}
    assert (signed, found["complete"]) == ({"root": 1, "targets": 1, "mappings": 1}, False)


def test_a_spoilt_file_of_signatures_spoils_no_other(desk: Desk, tmp_path: Path) -> None:
    """What is no file of signatures, or names a key that its file is not called after, is passed over by its name."""
    draft = tmp_path / "draft"
    shutil.copytree("draft-1", draft)
    before = said(desk, f"yrdx trust status --published none --draft {draft}")
    good = min((draft / "signatures").iterdir())
    row = json.loads(good.read_bytes())
    false = {**row, "signatures": dict.fromkeys(row["signatures"], "AAAA")}
    (draft / "signatures/zz.json").write_text(json.dumps(false))
    (draft / "signatures/x.json").write_text("{")
    (draft / "signatures/y.json").write_text(json.dumps({**row, "signatures": {"root": "no base64!"}}))
    (draft / "signatures/folder.json").mkdir()
    after = said(desk, f"yrdx trust status --published none --draft {draft}")
    assert (before["unread"], after["unread"]) == ([], ["x.json", "y.json", "zz.json"])
    assert after["counts"] == before["counts"]
    for desk.language in LANGUAGES:
        assert "x.json" in desk.run(f"yrdx trust status --published none --draft {draft}").output


def test_what_a_crash_left_comes_into_nothing(desk: Desk, tmp_path: Path) -> None:
    """A folder half made is begun anew, and a draft holds only what was proposed."""
    (tmp_path / ".draft.new/proofs").mkdir(parents=True)
    (tmp_path / ".draft.new/proofs/left.json").write_text("{}")
    desk.run(f"yrdx trust propose {tmp_path / 'draft'} --published bundle --renew mappings")
    assert sorted(each.name for each in (tmp_path / "draft").rglob("*.json")) == ["draft.json", "mappings.json"]
    (tmp_path / ".new.new").mkdir()
    (tmp_path / ".new.new/root.key").write_text("half")
    desk.run(f"yrdx trust init {tmp_path / 'new'} --member 310000 --use root")
    assert {each.name for each in (tmp_path / "new").iterdir()} == {"root.key", "root.passphrase", "request.json"}


def test_every_ground_has_its_text() -> None:
    """A ground of refusal that is added needs a text in both languages."""
    assert {each.value for each in Ground} == set(table()["trust_refusal"])


def test_the_page_names_every_command_and_option() -> None:
    """docs/cli.md has a row for each command of `yrdx trust`, with all its options."""
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    group: Any = main.commands["trust"]
    for name, found in group.commands.items():
        row = next(each for each in page.splitlines() if each.startswith(f"| `yrdx trust {name}"))
        options = [each.opts[0] for each in found.params if isinstance(each, click.Option)]
        assert [each for each in options if f"`{each}`" not in row] == [], name


def test_the_json_page_lists_every_field(desk: Desk) -> None:
    """docs/json.md tells the fields of both documents in their order."""
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    for mark, line in (("trust_draft", "show draft-1 --published none"), ("trust_status", "status --published bundle")):
        rows = page.partition(f"<!-- table: {mark} -->\n")[2].split("\n\n")[0].splitlines()[2:]
        assert [re.findall(r"`(\w+)`", row)[0] for row in rows] == list(said(desk, f"yrdx trust {line}")), mark


def entry_of(member: str) -> Entry:
    """Write an entry with a new message key and the keys of two officers, each proven."""
    names = [each[0] for each in list(officers(REFERENCE, member).values())[:2]]
    desks = {name: signer(name, name) for name in names}
    own = signer("message", member)
    row = {
        "id": own.id,
        "suite": own.suite,
        "use": "sign",
        "public": write_octets(own.public),
        "valid_from": moments.write(NOW),
        "valid_until": moments.write(NOW + timedelta(days=365)),
        "revoked_time": None,
        "suspect_from": None,
    }
    publics = {name: write_octets(each.public) for name, each in desks.items()}
    return Entry(
        member=member,
        standing=Standing(keys=(row,), officers=publics),
        proofs=prove([("sign", own), *((DESK, each) for each in desks.values())]),
    )


def test_a_members_entry_is_taken_with_its_proofs(desk: Desk, tmp_path: Path) -> None:
    """A node's new keys and its officers' come into the bundle with the entry that proves them, and not without."""
    entry = entry_of("340000")
    named = {each.partition("/")[0] for each in entry.standing.officers}
    for name, each in (("whole", entry), ("bare", replace(entry, proofs=()))):
        (tmp_path / f"{name}.json").write_text(each.to_json(), encoding="utf-8")
    propose = f"yrdx trust propose {tmp_path / 'draft'} --published bundle --entry"
    done = desk.run(f"{propose} {tmp_path / 'bare.json'}")
    assert (done.exit_code, "private key" in done.stderr, (tmp_path / "draft").exists()) == (2, True, False)
    assert desk.run(f"{propose} {tmp_path / 'whole.json'}").exit_code == 0
    told = said(desk, f"yrdx trust show {tmp_path / 'draft'} --published bundle")
    assert [each["role"] for each in told["roles"]] == ["members-340000"]
    added = {each["table"] for each in told["rows"] if each["what"] == "ADDED"}
    assert added == {"keys", "officers"}
    assert {agency for each in told["sights"][0]["changes"] for agency in each["agencies"]} <= named
    assert all(each["gained"] for each in told["sights"][0]["changes"])


def test_rows_that_come_or_go_are_shown_with_every_field(desk: Desk, tmp_path: Path) -> None:
    """A new key, officer or agreement is more than a name: each value of it stands where the officer reads."""
    entry = entry_of("340000")
    (tmp_path / "entry.json").write_text(entry.to_json(), encoding="utf-8")
    desk.run(f"yrdx trust propose {tmp_path / 'draft'} --published bundle --entry {tmp_path / 'entry.json'}")
    shown = re.sub(r"\s", "", desk.run(f"yrdx trust show {tmp_path / 'draft'} --published bundle").output)
    publics = [*entry.standing.officers.values(), *(each["public"] for each in entry.standing.keys)]
    assert [each for each in publics if each not in shown] == []
    first = re.sub(r"\s", "", desk.run("yrdx trust show draft-1 --published none").output)
    assert [each for each in ("310118", "RATING_RECOGNITION", "area", "parties") if each not in first] == []
