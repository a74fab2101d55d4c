"""`yrdx enrol` and `yrdx authorise`: a subject's key from its making to its end, and what people and programs read."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import bundles
import pytest
from bundles import AGENCY, NOW
from click.testing import Result
from consents import IDENTITY, Counter
from desks import in_session
from test_cli import WORK, ask, folder, run
from test_cli import Desk as Asked
from test_cli_words import described
from worlds_tables import PURPOSE, SHANGHAI, USCC, ZHEJIANG

from gateway import wire
from gateway.consents import ConsentDoor, _envelope
from gateway.errors import Refused
from gateway.model.consent import Attestation, Consent
from keys import custody
from keys.envelope import Envelope, from_json
from nodes.cli import desk_client, words
from nodes.cli.profile import Access
from yrdx.exchange.v1 import authorisation_pb2

__all__ = ["folder"]
TERMS = (
    *("--home", SHANGHAI, "--agency", AGENCY, "--purpose", PURPOSE, "--kind", "summary"),
    *("--member", SHANGHAI, "--member", ZHEJIANG, "--until", "2026-12-31", "--text-version", "sample-2026"),
)


class Desk:
    """A desk without a network: the door of a real counter."""

    def __init__(self, counter: Counter) -> None:
        """Serve a counter."""
        nobody: Any = None
        door = ConsentDoor(counter.authorising, nobody)
        self.calls: dict[str, Callable[[Envelope, str], Any]] = {
            "EnrolKey": door._enrol,
            "RevokeKey": door._revoke,
            "GiveAuthorisation": door._give,
            "WithdrawAuthorisation": door._withdraw,
            "ListAuthorisations": door._list,
        }
        self.sent: list[Envelope] = []
        self.answer = b""

    def call(self, access: Access, method: str, request: bytes) -> bytes:
        """Stand in for `desk_client.call`."""
        name = method.removeprefix("/yrdx.exchange.v1.ConsentService/")
        self.sent.append(_envelope(getattr(authorisation_pb2, f"{name}Request")(), request))
        if self.answer:
            return self.answer
        try:
            return bytes(asyncio.run(self.calls[name](self.sent[-1], access.profile.agency)))
        except Refused as error:
            raise desk_client.refused(error.reason) from error


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """Give Shanghai's counter."""
    (tmp_path / "store").mkdir()
    found = Counter(folder=tmp_path / "store")
    yield found
    found.store.close()


@pytest.fixture
def desk(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Put a counter in the place of the network; key files are made fast."""
    for name in (*words.VARIABLES, "YRDX_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    found = Desk(counter)
    monkeypatch.setattr(desk_client, "call", found.call)
    monkeypatch.setattr(custody, "save_seed", partial(custody.save_seed, work=WORK))
    return found


class Subject:
    """A subject's own folder and what it does there."""

    def __init__(self, home: Path, profile: Path) -> None:
        """Write a passphrase and a form."""
        self.home, self.profile = home, ("--profile", profile)
        self.scan, self.request, self.key = home / "form.pdf", home / "request.json", home / "subject.key"
        self.scan.write_bytes(b"signed and stamped")
        (home / "secret").write_bytes(b"a passphrase of a subject")
        (home / "secret").chmod(0o600)
        self.by_key = ("--key", self.key, "--passphrase-file", home / "secret")
        self.by_paper = ("--scan", self.scan)

    def enrol(self) -> Result:
        """Make a key and have it attested."""
        made = run("enrol", "request", USCC, "--home", SHANGHAI, *self.by_key, "--out", self.request)
        assert (made.exit_code, made.stdout) == (0, ""), made.stderr
        return run("enrol", "attest", self.request, *self.by_paper, *self.profile, "--json")

    def give(self, *more: Any) -> Result:
        """Give an authorisation."""
        return run("authorise", "give", USCC, *TERMS, *(more or self.by_key), *self.profile, "--json")


@pytest.fixture
def subject(desk: Desk, folder: Path, tmp_path: Path) -> Subject:
    """Give a subject."""
    assert desk.sent == []
    (tmp_path / "subject").mkdir()
    return Subject(tmp_path / "subject", folder / "profile.toml")


def document(result: Result) -> dict[str, Any]:
    """Read the JSON of a command that succeeded."""
    assert (result.exit_code, result.stderr) == (0, "")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_key_is_made_attested_and_ended(desk: Desk, subject: Subject) -> None:
    """The key file opens for its owner alone; two officers attest a scan of which only the digest travels."""
    enrolled = document(subject.enrol())
    assert list(enrolled) == described("enrolment")
    assert list(enrolled["key"]) == described("SubjectKey")
    assert (enrolled["key"]["roles"], enrolled["existing"]) == (["VIEW", "CONSENT"], [])
    attestation = wire.decode(Attestation, desk.sent[0].payload)
    assert attestation.scan_digest == hashlib.sha256(b"signed and stamped").digest()
    assert {each.key_id.rpartition("/")[0] for each in desk.sent[0].signatures} == {bundles.OFFICER, bundles.SECOND}
    assert b"signed and stamped" not in wire.encode(desk.sent[0])
    key_id = enrolled["key"]["key_id"]
    ended = run("enrol", "revoke", key_id, USCC, "--home", SHANGHAI, *subject.by_key, *subject.profile, "--json")
    assert document(ended)["key"]["revoke_time"] == "2026-03-10T04:00:00Z"
    assert subject.key.stat().st_mode & 0o777 == 0o600


def test_an_authorisation_from_its_giving_to_its_end(counter: Counter, subject: Subject) -> None:
    """What is given, listed and withdrawn is one document; its days are whole days in China."""
    subject.enrol()
    given = document(subject.give(*subject.by_key, "--uses", "3", "--from", "2026-03-11"))
    assert list(given) == described("authorisation")
    assert list(given["consent"]) == described("Consent")
    assert (given["status"], given["use_count"], given["consent"]["use_limit"]) == ("IN_FORCE", 0, 3)
    assert (given["consent"]["valid_from_time"], given["consent"]["valid_until_time"]) == (
        "2026-03-10T16:00:00Z", "2026-12-31T16:00:00Z",
    )  # fmt: skip
    paper = document(subject.give(*subject.by_paper))
    listed = document(run("authorise", "list", USCC, *subject.by_key, *subject.profile, "--json"))
    assert list(listed) == described("authorisations")
    assert [each["reference"] for each in listed["authorisations"]] == [given["reference"], paper["reference"]]
    assert len(listed["keys"]) == 1
    gone = run("authorise", "withdraw", given["reference"], USCC, *subject.by_key, *subject.profile, "--json")
    assert document(gone)["status"] == "WITHDRAWN"
    assert [each.status.value for each in counter.store.consents.consents(USCC)] == ["WITHDRAWN", "IN_FORCE"]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_people_read_tables_without_a_code(subject: Subject, language: str) -> None:
    """Keys and authorisations are shown in both languages; an officer sees no key."""
    lang, said = ("--lang", language), words.Words(language=language)
    subject.enrol()
    given = run(*lang, "authorise", "give", USCC, *TERMS, *subject.by_key, *subject.profile)
    mine = run(*lang, "authorise", "list", USCC, *subject.by_key, *subject.profile)
    officers = run(*lang, "authorise", "list", USCC, *subject.profile)
    for result in (given, mine, officers):
        assert (result.exit_code, result.stderr) == (0, "")
        assert said.code("authorisation_status", "IN_FORCE") in result.stdout
        assert said.say("authorise.standing") in result.stdout
        assert USCC not in result.stdout
    assert [said.code("key_role", "VIEW") in each.stdout for each in (mine, officers)] == [True, False]


def test_what_a_key_signed_elsewhere_is_handed_in(desk: Desk, subject: Subject) -> None:
    """A subject signs without a desk, and an officer hands the file in as it is."""
    subject.enrol()
    give, withdraw = subject.home / "give.json", subject.home / "withdraw.json"
    desk.sent.clear()
    assert run("authorise", "give", USCC, *TERMS, *subject.by_key, "--out", give).exit_code == 0
    assert desk.sent == []
    given = document(run("authorise", "send", give, *subject.profile, "--json"))
    taken_back = ("authorise", "withdraw", given["reference"], USCC, *subject.by_key, "--out", withdraw)
    assert run(*taken_back).exit_code == 0
    gone = document(run("authorise", "send", withdraw, *subject.profile, "--json"))
    assert (given["status"], gone["status"]) == ("IN_FORCE", "WITHDRAWN")
    assert desk.sent == [from_json(each.read_bytes()) for each in (give, withdraw)]
    out, key_id = subject.home / "revoke.json", desk.sent[-1].signatures[0].key_id
    assert run("enrol", "revoke", key_id, USCC, "--home", SHANGHAI, *subject.by_key, "--out", out).exit_code == 0
    assert run("authorise", "send", out, *subject.profile).exit_code == 0


def test_pages_are_read_to_the_end(counter: Counter, subject: Subject) -> None:
    """A list longer than a page is whole."""
    subject.enrol()
    one = wire.decode(Consent, from_json(signed_file(subject)).payload)

    async def fill() -> None:
        for number in range(101):
            identity = number.to_bytes(16, "big")
            value = replace_id(one, identity)
            await counter.store.consents.give(value, identity, b"e", limit=1_000, now=NOW)

    asyncio.run(fill())
    listed = document(run("authorise", "list", USCC, *subject.by_key, *subject.profile, "--json"))
    assert len(listed["authorisations"]) == 101


def signed_file(subject: Subject) -> bytes:
    """Sign an authorisation without sending it."""
    out = subject.home / "one.json"
    assert run("authorise", "give", USCC, *TERMS, *subject.by_key, "--out", out).exit_code == 0
    return out.read_bytes()


def replace_id(consent: Consent, identity: bytes) -> Consent:
    """Give the same authorisation another id."""
    return replace(consent, authorisation_id=identity)


@pytest.mark.parametrize("hours", [8, -1], ids=["running", "over"])
def test_a_session_beside_the_profile_changes_nothing(desk: Desk, subject: Subject, folder: Path, hours: int) -> None:
    """Every command of subjects works in a session as without one, for officers sign here with their own keys."""
    with in_session(folder, bundles.OFFICERS[bundles.OFFICER], NOW + timedelta(hours=hours)):
        key_id = document(subject.enrol())["key"]["key_id"]
        given = document(subject.give(*subject.by_key))["reference"]
        paper = document(subject.give(*subject.by_paper))["reference"]
        listed = document(run("authorise", "list", USCC, *subject.profile, "--json"))
        assert [each["reference"] for each in listed["authorisations"]] == [given, paper]
        out = subject.home / "withdraw.json"
        assert run("authorise", "withdraw", given, USCC, *subject.by_key, "--out", out).exit_code == 0
        ends = (
            ("authorise", "send", out),
            ("authorise", "withdraw", paper, USCC, *subject.by_paper),
            ("enrol", "revoke", key_id, USCC, "--home", SHANGHAI, *subject.by_paper),
        )
        for end in ends:
            document(run(*end, *subject.profile, "--json"))
    signers = {each.key_id for sent in desk.sent for each in sent.signatures}
    assert signers == {key_id, *(each.id for each in bundles.OFFICERS.values())}


WRONG: dict[str, tuple[Callable[[Subject], tuple[Any, ...]], str]] = {
    "neither key nor scan": (lambda s: ("authorise", "give", USCC, *TERMS, *s.profile), "authorise.one_way"),
    "key and scan": (lambda s: ("authorise", "give", USCC, *TERMS, *s.by_key, *s.by_paper), "authorise.one_way"),
    "a key without its passphrase": (
        lambda s: ("authorise", "give", USCC, *TERMS, *s.by_key[:2]), "authorise.one_way",
    ),
    "a list by half a key": (
        lambda s: ("authorise", "list", USCC, *s.by_key[:2], *s.profile), "authorise.one_way",
    ),
    "a scan into a file": (
        lambda s: ("authorise", "give", USCC, *TERMS, *s.by_paper, "--out", s.home / "x"), "authorise.scan_is_sent",
    ),
    "no day": (
        lambda s: ("authorise", "give", USCC, *TERMS, *s.by_key, "--from", "soon"), "authorise.bad_day",
    ),
    "no reference": (
        lambda s: ("authorise", "withdraw", "330000", USCC, *s.by_key), "authorise.bad_reference",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_told_before_anything_is_sent(desk: Desk, subject: Subject, name: str) -> None:
    """Half of a signature, two of them, a day or a reference that is none: exit 2, and nothing leaves."""
    make, key = WRONG[name]
    result = run(*make(subject))
    assert (result.exit_code, desk.sent) == (2, [])
    assert words.Words(language="en").say(key) in result.stderr


def test_files_at_fault_are_named_and_nothing_is_sent(desk: Desk, subject: Subject) -> None:
    """A key, a scan, a signed file or a place to write that is no use: exit 2 with the file's name."""
    gone, other = subject.home / "gone", subject.home / "other.json"
    other.write_bytes(subject.scan.read_bytes())
    attest = ("enrol", "attest", subject.request, *subject.profile, "--scan")
    give = ("authorise", "give", USCC, *TERMS, *subject.by_key)
    assert "gone" in run(*give[:-4], "--key", gone, *subject.by_key[2:], *subject.profile).stderr
    assert "request.json" in run(*attest, subject.scan).stderr
    subject.enrol()
    desk.sent.clear()
    again = run("enrol", "request", USCC, "--home", SHANGHAI, *subject.by_key, "--out", subject.home / "y")
    results = [
        again, run(*attest, gone), run("authorise", "send", other, *subject.profile),
        run("authorise", "send", subject.request, *subject.profile), run(*give, "--out", subject.request),
    ]  # fmt: skip
    assert [each.exit_code for each in results] == [2] * 5
    names = ("subject.key", "gone", "other.json", "request.json", "request.json")
    assert all(name in each.stderr for name, each in zip(names, results, strict=True))
    assert run("enrol", "request", "x", "--home", SHANGHAI, *subject.by_key, "--out", gone).exit_code == 2
    assert desk.sent == []
    with subject.scan.open("wb") as file:
        file.truncate((64 << 20) + 1)
    assert run(*attest, subject.scan).exit_code == 2


def test_a_torn_response_is_not_shown(desk: Desk, subject: Subject) -> None:
    """What the desk sends and is no response ends with 1 and shows nothing."""
    subject.enrol()
    for answer in (b"\xff\xff", authorisation_pb2.GiveAuthorisationResponse().SerializeToString() or b"\x0a\x00"):
        desk.answer = answer
        result = subject.give()
        assert (result.exit_code, result.stdout) == (1, "")


def test_a_refusal_is_told_with_what_to_do(desk: Desk, subject: Subject) -> None:
    """A key that nobody enrolled gives nothing: exit 4 with the reason."""
    made = run("enrol", "request", USCC, "--home", SHANGHAI, *subject.by_key, "--out", subject.request)
    assert "subject/" in made.stderr
    result = subject.give()
    assert (result.exit_code, "KEY_NOT_VALID" in result.stderr) == (4, True)
    assert len(desk.sent) == 1


def test_an_officer_names_an_authorisation_or_carries_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ask --authorisation` takes a reference, which the node looks up, beside files."""
    asked = Asked()
    monkeypatch.setattr(desk_client, "call", asked.call)
    held = bundles.authorisation(folder / "named.json")
    reference = f"{SHANGHAI}/{IDENTITY.hex()}"
    ask(folder, "rating", "--authorisation", reference, "--authorisation", folder / "named.json")
    (intent,) = asked.intents
    assert (intent.authorisation_references, intent.authorisations) == ((reference,), (held,))
