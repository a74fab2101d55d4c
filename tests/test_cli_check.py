"""`yrdx check`: one verdict a row, resumed after any failure, never twice asked, signed and verified as a whole."""

from __future__ import annotations

import errno
import json
import re
import select
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bundles
import crash_verifiers
import pytest
import worlds
from batches import NAME, BatchDesk, codes, double, facts, read_result, write_list
from bundles import NOW, OFFICER, OFFICERS, SECOND
from click.testing import CliRunner, Result
from test_cli_words import described
from worlds_tables import JIANGSU, MATTER, PURPOSE, ZHEJIANG

from gateway import uscc, wire
from gateway.model.accounts import OfficerAssertion
from gateway.model.codes import RefusalReason
from keys import boxes, custody, suite
from keys.envelope import sign
from nodes.batch import folder as folders
from nodes.batch.folder import Folder
from nodes.cli import desk_client, main, signing, words
from nodes.cli.batch_work import Source
from nodes.cli.session import REFUSED, UNREACHABLE, Ended, Session
from nodes.files import open_table

WORK = boxes.Work(operations=1, memory=8192)
PERSON = "11010519491231002X"
SOLE = [uscc.sample_code("92", "310115", number) for number in range(2)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An officer's folder."""
    return bundles.officers_folder(tmp_path_factory.mktemp("officer"), WORK)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> BatchDesk:
    """A desk in the place of the network, and messages of three subjects."""
    for name in (*words.VARIABLES, "YRDX_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    found = BatchDesk()
    monkeypatch.setattr(desk_client, "connected", found.connected)
    small_messages(monkeypatch)
    return found


def small_messages(patch: pytest.MonkeyPatch) -> None:
    """Put three subjects into a message."""
    patch.setattr(sys.modules["nodes.cli.check"], "SUBJECTS", 3)  # the package names the command so


def run(*arguments: str | Path, now: datetime = NOW) -> Result:
    """Run the command line."""
    texts = [str(each) for each in arguments]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: now), env={"COLUMNS": "200"}, prog_name="yrdx")


def check(
    folder: Path,
    path: Path,
    *more: str | Path,
    kind: str = "measures",
    first: tuple[str, ...] = (),
    now: datetime = NOW,
) -> Result:
    """Check a list, with the result r.csv beside it."""
    terms: list[str | Path] = [
        "--purpose",
        PURPOSE,
        "--item",
        MATTER,
        "--kind",
        kind,
        "--profile",
        folder / "profile.toml",
    ]
    out: list[str | Path] = [] if "--out" in more else ["--out", path.with_name("r.csv")]
    return run(*first, "check", path, *terms, *out, *more, now=now)


def faults(folder: Path, path: Path) -> list[tuple[str, str]]:
    """Verify a manifest; give what failed."""
    result = run("verify", path, "--root", folder / "root.json", "--json")
    found = [(each["check"], each["where"]) for each in json.loads(result.stdout)["faults"]]
    assert result.exit_code == (1 if found else 10)
    return found


def manifest(path: Path) -> Path:
    """Name the manifest beside a list's result."""
    return path.with_name("r.csv.manifest.json")


@pytest.fixture
def eight(tmp_path: Path) -> Path:
    """A list of eight codes: three messages."""
    return write_list(tmp_path / "list.csv", [[each] for each in codes(8)])


def gone() -> Ended:
    """Say that the desk is away."""
    return Ended("desk.unreachable", UNREACHABLE, desk="127.0.0.1:1", status="UNAVAILABLE")


def test_every_row_gets_its_verdict_in_its_order(desk: BatchDesk, folder: Path, tmp_path: Path) -> None:
    """Clean, restricted, unknown, other name, defective, closed and doubled rows; only subjects are asked, once."""
    some, unknown = codes(4), codes(40)[-1]
    bad = next(each for each in codes(40) if each in restricted())
    rows = [
        (some[0], NAME, "NOTHING_FOUND", ""),
        (bad, NAME, "RESTRICTED", "MP01"),
        (SOLE[0], "张三", "KIND_CLOSED", ""),
        (PERSON, "", "INVALID_CODE", "CHECK"),
        (some[1], "别的企业", "NAME_MISMATCH", ""),
        (some[0], NAME, "NOTHING_FOUND", ""),
        (some[1], NAME, "NOTHING_FOUND", ""),
        ("=cmd()", "", "INVALID_CODE", "LENGTH"),
        (some[2].lower(), "", "INVALID_CODE", "LOWER_CASE"),
        ("", "", "INVALID_CODE", "EMPTY"),
    ]
    assert unknown not in {each[0] for each in rows}
    path = write_list(tmp_path / "list.csv", [each[:2] for each in rows], ("uscc", "name"))
    result = check(folder, path)
    assert result.exit_code == 0, result.output
    found = read_result(tmp_path / "r.csv")
    assert [(each["verdict"], each["reasons"]) for each in found] == [each[2:] for each in rows]
    assert [each["row"] for each in found] == [str(number) for number in range(2, 12)]
    shown = ["" if verdict == "INVALID_CODE" else code for code, _, verdict, _ in rows]
    assert [each["code"] for each in found] == shown
    assert Counter(desk.asked) == Counter([some[0], bad, some[1], some[1]])  # one code under two names
    assert faults(folder, manifest(path)) == []


def restricted() -> set[str]:
    """Name the codes that the fake world has a measure against."""
    return set(facts(codes(40))[JIANGSU])


def test_a_person_in_the_list_reaches_no_output(desk: BatchDesk, folder: Path, tmp_path: Path) -> None:
    """A resident's number in the code column is neither sent, shown nor written (duty U11)."""
    path = write_list(tmp_path / "list.csv", [[PERSON], [f"{PERSON} "], *([each] for each in codes(2))])
    result = check(folder, path)
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file() and each != path)
    assert (PERSON in result.output, PERSON.encode() in written, PERSON in desk.asked) == (False, False, False)
    assert not any(each in "".join(map(str, tmp_path.rglob("*"))) for each in codes(2))


def test_a_code_that_may_be_a_persons_number_is_not_asked(desk: BatchDesk, folder: Path, tmp_path: Path) -> None:
    """Right by GB 32100 and by GB 11643: neither sent nor repeated, with a reason of its own, and genuine."""
    (both,) = double()
    assert uscc.defect(both) is None
    path = write_list(tmp_path / "list.csv", [[both, PERSON], *([each, NAME] for each in codes(2))], ("uscc", "name"))
    result = check(folder, path)
    row = read_result(tmp_path / "r.csv")[0]
    assert (row["verdict"], row["reasons"], row["code"], both in desk.asked) == (
        "INVALID_CODE", "PERSON_NUMBER", "", False,
    )  # fmt: skip
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file() and each != path)
    assert (both in result.output, both.encode() in written) == (False, False)
    assert faults(folder, manifest(path)) == []


def test_subjects_stand_in_no_text(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Codes stand in the result and nowhere on the terminal."""
    result = check(folder, eight)
    assert [each for each in codes(8) if each in result.output] == []


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_what_is_needed_and_left_is_said_before_sending(
    desk: BatchDesk, folder: Path, eight: Path, language: str
) -> None:
    """A batch that does not fit is not begun, and the advice is to open another case (duty U14)."""
    desk.limit, desk.spent = 10, 3
    result = check(folder, eight, "--case", "C-7", first=("--lang", language))
    assert (result.exit_code, desk.intents) == (REFUSED, [])
    assert "yrdx case open REF --subjects N --second-officer" in result.stderr
    assert "C-7" not in result.stderr  # a reference that has its case cannot be opened again
    assert [each in result.stderr for each in (" 8 ", "7")] == [True, True]
    desk.limit = 11
    assert check(folder, eight, "--case", "C-7").exit_code == 0


def test_an_officer_who_is_removed_meanwhile_is_told_and_keeps_what_was_answered(
    desk: BatchDesk, folder: Path, eight: Path
) -> None:
    """The next message of a run is refused by name; what was answered before stays, and is not asked again (U7)."""
    removed = desk_client.refused(RefusalReason.KEY_NOT_VALID)
    desk.fail = lambda number: removed if number == 3 else None
    ended = check(folder, eight)
    assert (ended.exit_code, "KEY_NOT_VALID" in ended.stderr) == (REFUSED, True)
    answered = len(desk.asked)
    desk.fail = lambda _: None
    assert check(folder, eight).exit_code == 0
    assert (answered, len(desk.asked), len(set(desk.asked))) == (6, 8, 8)


def test_a_session_asks_and_the_officers_own_key_signs_the_manifest(
    desk: BatchDesk, folder: Path, eight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is evidence: it verifies under the officer's key whoever asked, and tells nothing of a session."""
    monkeypatch.setattr(boxes, "INTERACTIVE", WORK)
    seed, own = bytes([88]) * 32, OFFICERS[OFFICER]
    said = OfficerAssertion(
        assertion_id=bytes(16), agency=bundles.AGENCY, officer=OFFICER, from_time=NOW, roles=("ask",),
        session_public=suite.signer(seed, owner=OFFICER).public, until_time=NOW + timedelta(hours=8),
    )  # fmt: skip
    envelope = sign(wire.PAYLOAD_TYPES[OfficerAssertion], wire.encode(said), own)
    known = OFFICERS | {"session": suite.signer(seed, owner=OFFICER)}  # whose session it is the desk knows
    monkeypatch.setattr("batches.OFFICERS", known)
    signing.save(folder, seed, envelope, custody.read_passphrase(folder / "passphrase"), officer=OFFICER)
    try:
        assert check(folder, eight).exit_code == 0
    finally:
        signing.remove(folder, OFFICER)
    assert faults(folder, manifest(eight)) == []
    (signer,) = json.loads(manifest(eight).read_bytes())["signatures"]
    assert signer["keyid"] == own.id


def test_a_resumed_batch_is_not_charged_twice(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """What was on its way when a run ended may have been charged: a case of exact size still completes."""
    desk.limit, desk.fail = 8, lambda number: gone() if number == 3 else None
    assert check(folder, eight).exit_code == UNREACHABLE
    desk.spent, desk.fail = 8, lambda _: None
    assert check(folder, eight).exit_code == 0


STOPS: dict[str, Callable[[pytest.MonkeyPatch, BatchDesk], None]] = {}


def stop(name: str) -> Callable[[Any], Any]:
    """Name a way to end a run half-way."""

    def keep(act: Any) -> Any:
        STOPS[name] = act
        return act

    return keep


for _nth in (1, 2, 3):

    @stop(f"desk away at {_nth}")
    def _away(_patch: pytest.MonkeyPatch, desk: BatchDesk, nth: int = _nth) -> None:
        desk.fail = lambda number: gone() if number == nth else None

    @stop(f"interrupted at {_nth}")
    def _interrupted(_patch: pytest.MonkeyPatch, desk: BatchDesk, nth: int = _nth) -> None:
        desk.fail = lambda number: KeyboardInterrupt() if number == nth else None


for _name, _nth in (("put", 2), ("put", 3), ("put", 4), ("put", 5), ("publish", 1), ("publish", 2)):

    @stop(f"disk full at {_name} {_nth}")
    def _full(patch: pytest.MonkeyPatch, _desk: BatchDesk, name: str = _name, nth: int = _nth) -> None:
        owner: Any = Folder if name == "put" else folders
        real, calls = getattr(owner, name), iter(range(1, 100))

        def put(*given: Any) -> None:
            if next(calls) == nth:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(*given)

        patch.setattr(owner, name, put)


@pytest.mark.parametrize("name", sorted(STOPS))
def test_a_run_that_ended_half_way_resumes(
    desk: BatchDesk, folder: Path, eight: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ended it, the same command completes, and asks again only what was not kept."""
    with monkeypatch.context() as patch:
        STOPS[name](patch, desk)
        result = check(folder, eight)
        assert result.exit_code in {2, 3, UNREACHABLE}, result.output
    work = eight.with_name("r.csv.work")
    kept = {each.name: each.read_bytes() for each in work.glob("*.answer")}
    before = len(desk.asked)
    desk.fail = lambda _: None
    assert check(folder, eight).exit_code == 0
    assert {each.name: each.read_bytes() for each in work.glob("*.answer") if each.name in kept} == kept
    assert len(desk.asked) - before == 8 - sum((3, 3, 2)[int(each[:6]) - 1] for each in kept)
    assert [each["verdict"] for each in read_result(eight.with_name("r.csv"))].count("INCOMPLETE") == 0
    assert faults(folder, manifest(eight)) == []
    assert sorted(each.name for each in eight.parent.iterdir()) == [
        "list.csv", "r.csv", "r.csv.manifest.json", "r.csv.work",
    ]  # fmt: skip


def test_a_finished_batch_asks_nothing_and_says_the_same(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """The command once more shows what is there."""
    check(folder, eight)
    before = (eight.with_name("r.csv").read_bytes(), manifest(eight).read_bytes())
    desk.fail = lambda _: gone()
    assert check(folder, eight).exit_code == 0
    assert (eight.with_name("r.csv").read_bytes(), manifest(eight).read_bytes()) == before


def test_retry_asks_only_what_awaits_a_member(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Rows that miss a member, restricted ones too, are asked again; the result is its own, the first stays."""
    desk.change = {"silent": (ZHEJIANG,)}
    assert check(folder, eight).exit_code == 3
    first = read_result(eight.with_name("r.csv"))
    pending = [each["code"] for each in first]
    assert {each["verdict"] for each in first} == {"INCOMPLETE", "RESTRICTED"}
    assert {each["missing_members"] for each in first} == {ZHEJIANG}
    before = len(desk.asked)
    assert check(folder, eight, "--retry").exit_code == 3
    assert desk.asked[before:] == pending
    desk.change, before = {}, len(desk.asked)
    desk.fail = lambda number: gone() if number == 8 else None
    desk.calls = 6
    assert check(folder, eight, "--retry").exit_code == UNREACHABLE
    desk.fail = lambda _: None
    assert check(folder, eight, "--retry").exit_code == 0
    assert Counter(desk.asked[before:]) == Counter(pending)
    assert {each["verdict"] for each in read_result(eight.with_name("r.3.csv"))} == {"NOTHING_FOUND", "RESTRICTED"}
    assert read_result(eight.with_name("r.csv")) == first
    for name in ("r.csv", "r.2.csv", "r.3.csv"):
        assert faults(folder, eight.with_name(f"{name}.manifest.json")) == []
    result = check(folder, eight, "--retry")
    assert (result.exit_code, "nothing was asked again" in result.stderr) == (0, True)
    assert not eight.with_name("r.4.csv").exists()


@pytest.mark.parametrize(
    ("more", "terms"),
    [
        (("--case", "C-8"), "case_reference"),
        (("--member", JIANGSU), "members"),
        (("--seed", "x"), "seed"),
        (("--second-officer",), "approving_officer"),
        (("--domain", "TAX"), "domains"),
    ],
)
def test_a_work_folder_serves_one_batch(
    desk: BatchDesk, folder: Path, eight: Path, more: tuple[str, ...], terms: str
) -> None:
    """Other terms are refused by name: answers to one matter say nothing about another."""
    check(folder, eight)
    result = check(folder, eight, *more)
    assert (result.exit_code, f"({terms})" in result.stderr) == (2, True)


def test_a_changed_list_is_refused(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """The same name with another content is another list."""
    check(folder, eight)
    write_list(eight, [[each] for each in codes(9)])
    result = check(folder, eight)
    assert (result.exit_code, "(input_digest)" in result.stderr) == (2, True)


def test_nothing_is_written_over(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """A name that is taken ends the command before anything is asked."""
    eight.with_name("r.csv").write_text("mine", encoding="utf-8")
    result = check(folder, eight)
    assert (result.exit_code, desk.intents, eight.with_name("r.csv").read_text(encoding="utf-8")) == (2, [], "mine")
    assert not eight.with_name("r.csv.work").joinpath("batch.json").exists()


def test_files_are_their_owners_alone(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Results, manifests and answers are readable by one; answer files are numbered."""
    check(folder, eight)
    made = [each for each in eight.parent.rglob("*") if each != eight]
    modes = {stat.S_IMODE(each.stat().st_mode) for each in made if each.is_file()}
    assert (modes, stat.S_IMODE(eight.with_name("r.csv.work").stat().st_mode)) == ({0o600}, 0o700)
    assert sorted(each.name for each in made if each.suffix == ".answer") == [f"00000{n}.answer" for n in (1, 2, 3)]


def test_a_forged_answer_is_never_kept(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """What the desk sends is verified like anybody's file; the rest that verified is kept."""
    bad = iter((True,))

    def tamper(found: Any) -> None:
        if next(bad, False):
            found.result.signatures[0].signature = bytes(64)

    desk.tamper = tamper
    result = check(folder, eight)
    assert (result.exit_code, "SIGNATURE" in result.stderr) == (1, True)
    assert len(list(eight.with_name("r.csv.work").glob("*.answer"))) == 2
    assert not eight.with_name("r.csv").exists()


def test_an_answer_that_was_changed_in_the_folder_is_not_used(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Nor one that belongs to another message; taken away, it is asked again."""
    desk.fail = lambda number: gone() if number == 3 else None
    check(folder, eight)
    one, two = (eight.with_name("r.csv.work") / f"00000{n}.answer" for n in (1, 2))
    two.write_bytes(one.read_bytes())
    desk.fail = lambda _: None
    assert check(folder, eight).exit_code == 1
    two.unlink()
    assert check(folder, eight).exit_code == 0


def test_a_refusal_keeps_its_reason(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """What the desk refuses, for instance a purpose without the subjects' authorisations, ends the run with 4."""
    desk.fail = lambda _: desk_client.refused(RefusalReason.AUTHORISATION_MISSING)
    result = check(folder, eight)
    assert (result.exit_code, "AUTHORISATION_MISSING" in result.stderr) == (REFUSED, True)


def test_authorisations_must_cover_the_list(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """A list under authorisations has one for each subject, so that it fits into one question."""
    held = bundles.authorisation(folder / "consent.json")
    more = ("--authorisation", folder / "consent.json")
    assert (check(folder, eight, *more).exit_code, desk.intents) == (2, [])
    one = write_list(eight.with_name("one.csv"), [codes(1)])
    assert check(folder, one, *more).exit_code == 0
    assert desk.intents[0].authorisations == (held,)


def test_sole_traders_are_asked_where_the_purpose_opens_them(desk: BatchDesk, folder: Path, tmp_path: Path) -> None:
    """The verified directory decides, not the desk."""

    def opens(document: dict[str, Any]) -> None:
        for each in document["purposes"]:
            each["opens_sole_traders"] = True

    desk.change = {"edit": opens}
    path = write_list(tmp_path / "list.csv", [codes(1), [SOLE[0]]])
    check(folder, path)
    assert desk.asked == [*codes(1), SOLE[0]]
    assert faults(folder, manifest(path)) == []


def formed(check_form: str) -> Callable[[dict[str, Any]], None]:
    """Give the purpose a form, and Shanghai a table of inspections."""

    def edit(document: dict[str, Any]) -> None:
        document["purposes"][0]["check"] = check_form
        tiers = [{"grade": "A", "share": 0.5, "unless_triggered": True}, {"grade": "B", "share": 1.0}]
        document["inspection_rules"] = [{
            "member": "310000", "edition": "2026", "seed_bytes": 32, "sample": True, "valid_from": "2026-01-01",
            "tiers": tiers,
        }]  # fmt: skip

    return edit


def test_a_project_list_gets_lights(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """GREEN, RED with its reasons, and none while a member is missing (requirement A10)."""
    desk.change = {"edit": formed("LIGHT")}
    check(folder, eight)
    rows = read_result(eight.with_name("r.csv"))
    assert {(each["verdict"], each["light"], each["light_reasons"]) for each in rows} == {
        ("NOTHING_FOUND", "GREEN", ""), ("RESTRICTED", "RED", "MP01"),
    }  # fmt: skip
    assert faults(folder, manifest(eight)) == []


@pytest.mark.parametrize("more", [("--member", JIANGSU), ("--domain", "TAX"), ("--data-item", "penalty")])
def test_no_light_is_earned_by_not_asking(desk: BatchDesk, folder: Path, eight: Path, more: tuple[str, str]) -> None:
    """A narrowed scope is refused by name once the directory is known, nothing is kept, and the whole scope runs."""
    summary = ("--window", "M36") if more[0] == "--data-item" else ()
    kind = "summary" if summary else "measures"
    desk.change = {"edit": formed("LIGHT"), **({"members": (JIANGSU,)} if more[0] == "--member" else {})}
    result = check(folder, eight, *more, *summary, kind=kind)
    assert (result.exit_code, more[0] in result.stderr) == (2, True), result.output
    assert list(eight.with_name("r.csv.work").glob("*.answer")) == []
    assert not eight.with_name("r.csv").exists()


def test_listings_alone_earn_a_light(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """A project list asks for listings, which is its whole scope."""
    desk.change = {"edit": formed("LIGHT")}
    assert check(folder, eight, "--data-item", "listing", "--window", "M36", kind="summary").exit_code in {0, 3}
    assert "GREEN" in {each["light"] for each in read_result(eight.with_name("r.csv"))}


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_narrowed_scope_is_named_wherever_its_result_is(
    desk: BatchDesk, folder: Path, eight: Path, language: str
) -> None:
    """On the terminal, in JSON and when verified, a reader sees what was not asked."""
    lang = ("--lang", language)
    shown = check(folder, eight, "--domain", "TAX", first=lang)
    said = words.Words(language=language).code("scope", "domains") + " TAX"
    assert said in shown.stdout
    assert json.loads(check(folder, eight, "--domain", "TAX", "--json").stdout)["domains"] == ["TAX"]
    root = ("--root", folder / "root.json")
    assert said in run(*lang, "verify", manifest(eight), *root).stdout
    assert json.loads(run("verify", manifest(eight), *root, "--json").stdout)["domains"] == ["TAX"]


def test_a_finished_batch_that_expired_is_late(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Genuine for ever, to be relied on for a time: verify says which; the finished result is still shown."""
    check(folder, eight)
    root = ("--root", folder / "root.json")
    found = json.loads(run("verify", manifest(eight), *root, "--json").stdout)
    until = datetime.fromisoformat(found["valid_until_time"])
    assert (found["genuine"], found["in_time"]) == (True, True)
    for now, code in ((until - timedelta(seconds=1), 10), (until, 11)):
        result = run("verify", manifest(eight), *root, now=now)
        assert result.exit_code == code
        assert ("NO LONGER IN TIME" in result.stdout) is (code == 11)
    late = json.loads(run("verify", manifest(eight), *root, "--json", now=until).stdout)
    assert (late["genuine"], late["in_time"], late["faults"]) == (True, False, [])
    before = len(desk.asked)
    assert check(folder, eight, now=until).exit_code == 0
    assert len(desk.asked) == before


@pytest.mark.parametrize("failing", [2, 3, None])
def test_no_new_result_rests_on_expired_answers(
    desk: BatchDesk, folder: Path, eight: Path, failing: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run taken up long after is refused before anything is asked, also when only its result was missing."""
    if failing is None:
        with monkeypatch.context() as patch:
            patch.setattr(Source, "rows", failed_at(3, Source.rows))
            assert check(folder, eight).exit_code != 0
    else:
        desk.fail = lambda number: gone() if number == failing else None
        assert check(folder, eight).exit_code == UNREACHABLE
    desk.fail = lambda _: None
    before = len(desk.asked)
    result = check(folder, eight, now=NOW + timedelta(days=40))
    assert (result.exit_code, "--out" in result.stderr, len(desk.asked)) == (2, True, before), result.output
    assert not eight.with_name("r.csv").exists()
    assert check(folder, eight).exit_code == 0


def failed_at(nth: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """Fail from the nth call on."""
    calls = iter(range(1, 100))

    def rows(source: Any) -> Any:
        if next(calls) >= nth:
            raise OSError(errno.EIO, "Input/output error")
        return real(source)

    return rows


def test_a_retry_long_after_is_refused(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """What was answered then and what is answered now make no one result; the first result stays as it was."""
    desk.change = {"silent": (ZHEJIANG,)}
    check(folder, eight)
    before = len(desk.asked)
    result = check(folder, eight, "--retry", now=NOW + timedelta(days=40))
    assert (result.exit_code, len(desk.asked)) == (2, before)
    assert check(folder, eight).exit_code == 3


def test_what_has_no_light_ends_with_3(desk: BatchDesk, folder: Path, tmp_path: Path) -> None:
    """A restricted row that misses a member has no light; neither it nor a row without a code is decided."""
    desk.change = {"edit": formed("LIGHT"), "silent": (ZHEJIANG,)}
    bad = next(each for each in codes(40) if each in restricted())
    path = write_list(tmp_path / "list.csv", [[bad], ["x"]])
    result = check(folder, path, "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["incomplete"], found["undecided"]) == (3, 1, 2)
    desk.change = {"edit": formed("LIGHT")}
    result = check(folder, path, "--retry", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["incomplete"], found["undecided"]) == (3, 0, 1)
    assert [each["light"] for each in read_result(tmp_path / "r.2.csv")] == ["RED", ""]
    assert faults(folder, tmp_path / "r.2.csv.manifest.json") == []


def test_a_kind_without_grades_has_no_tiers_and_says_so(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Instead of empty columns and rows that nothing decides."""
    desk.change = {"edit": formed("TIER")}
    result = check(folder, eight)
    assert (result.exit_code, "--kind rating" in result.stderr) == (0, True)
    assert "tier" not in read_result(eight.with_name("r.csv"))[0]
    assert faults(folder, manifest(eight)) == []


def test_a_supervision_list_gets_tiers(desk: BatchDesk, folder: Path, tmp_path: Path) -> None:
    """Shares come from the signed table, the draw from the seed, and a trigger decides (requirement A27)."""
    rated = {each: {"rating": [worlds.rating()], "register": [bundles.register()]} for each in codes(40)}
    desk.change = {"edit": formed("TIER"), "facts": {"310000": rated}}
    path = write_list(tmp_path / "list.csv", [[each, "举报" * (place < 3)] for place, each in enumerate(codes(40))],
                      ("uscc", "cause"))  # fmt: skip
    drawn = {}
    for name, seed in (("a", "one"), ("b", "one"), ("c", "two")):
        out = tmp_path / f"{name}.csv"
        result = check(folder, path, "--seed", seed, "--triggered-column", "cause", "--out", out, kind="rating")
        assert result.exit_code == 0, result.output
        assert faults(folder, out.with_name(f"{name}.csv.manifest.json")) == []
        drawn[name] = [(each["grade"], each["triggered"], each["tier"], each["share"]) for each in read_result(out)]
    assert drawn["a"] == drawn["b"] != drawn["c"]
    assert drawn["a"][:3] == [("A", "YES", "INSPECT", "1")] * 3
    assert {each[2:] for each in drawn["a"][3:]} == {("INSPECT", "0.5"), ("NOT_SELECTED", "0.5")}


def test_a_list_of_closed_sole_traders_is_closed_by_the_desks_refusal(
    desk: BatchDesk, folder: Path, tmp_path: Path
) -> None:
    """With nobody else in the list no directory says so: the desk refuses, and no row claims more than its code."""
    desk.fail = lambda _: desk_client.refused(RefusalReason.SUBJECT_KIND_CLOSED)
    path = write_list(tmp_path / "list.csv", [[each] for each in SOLE])
    assert check(folder, path).exit_code == 0
    assert {each["verdict"] for each in read_result(tmp_path / "r.csv")} == {"KIND_CLOSED"}
    assert not manifest(path).exists()


@pytest.mark.parametrize("rows", [[], [["x"], [""]]])
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_list_of_which_nothing_was_asked_has_no_manifest(
    desk: BatchDesk, folder: Path, tmp_path: Path, rows: list[list[str]], language: str
) -> None:
    """No answer names the officer: the result is written and nothing is signed; the command again says the same."""
    path = write_list(tmp_path / "list.csv", rows)
    for _ in range(2):
        result = check(folder, path, first=("--lang", language))
        assert (result.exit_code, desk.calls) == (0, 0), result.output
        assert words.Words(language=language).say("batch.unsigned", result="r.csv") in result.stdout
        assert len(read_result(tmp_path / "r.csv")) == len(rows)
        assert not manifest(path).exists()
    assert json.loads(check(folder, path, "--json").stdout)["manifest"] is None
    assert check(folder, path, "--case", "C-8").exit_code == 2


@pytest.mark.parametrize("when", ["refused", "too many"])
def test_a_batch_that_was_refused_runs_under_another_case(
    desk: BatchDesk, folder: Path, eight: Path, when: str
) -> None:
    """Until something was answered the work folder is bound to nothing; from then on to its terms."""
    desk.limit = 1 if when == "too many" else 100
    desk.fail = lambda _: desk_client.refused(RefusalReason.CASE_MISSING)
    for _ in range(2):
        assert check(folder, eight).exit_code == REFUSED
    assert desk.intents == []
    desk.limit, desk.fail = 100, lambda _: None
    assert check(folder, eight, "--case", "C-7").exit_code == 0
    assert faults(folder, manifest(eight)) == []
    assert check(folder, eight, "--case", "C-8").exit_code == 2


def test_the_second_officer_signs_every_message(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Where four eyes are wanted, both officers sign each intent."""
    check(folder, eight, "--second-officer")
    assert {each.approving_officer for each in desk.intents} == {SECOND}


def test_results_and_lists_may_be_workbooks(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """XLSX out has the same cells as CSV."""
    check(folder, eight)
    out = eight.with_name("r.xlsx")
    assert check(folder, eight, "--out", out).exit_code == 0
    with open_table(out) as found, open_table(eight.with_name("r.csv")) as wanted:
        assert [found.header, *found.rows()] == [wanted.header, *wanted.rows()]
    assert faults(folder, out.with_name("r.xlsx.manifest.json")) == []
    assert check(folder, out, "--code-column", "code", "--out", eight.with_name("again.csv")).exit_code == 0


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        ("code\n1\n", (), "--code-column"),
        ("uscc,统一社会信用代码\n,\n", (), "at 1, 2"),
        ("uscc\n", ("--name-column", "x"), "no column x"),
        ("uscc\n", ("--code-column", "x"), "no column x"),
        ("uscc\n", ("--seed", "7" * 5_000), "for seed cannot"),
        ("uscc\n", ("--item", "M\u202e"), "application_item"),
        ("uscc\n", ("--case", "\udc80"), "case_reference"),
        ("uscc," + "n" * 201 + "\n", ("--name-column", "n" * 201), "name_column"),
        ("uscc\n", ("--out", "n" * 190 + ".csv"), "--out"),
        ("uscc\n", ("--out", "名" * 70 + ".csv"), "--out"),
        ("uscc\n", ("--out", "a\\b.csv"), "--out"),
        ("uscc\n", ("--work", ".."), "--work"),
        ("uscc\n", ("--out", "r.txt"), ".xlsx"),
        ("uscc\n", ("--window", "M36"), "--window"),
        ("", (), "NO_HEADER"),
        ("uscc,name\n91310115XX0000019T,甲 11010519491231002X\n", (), "row 2"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_asked(
    desk: BatchDesk, folder: Path, tmp_path: Path, content: str, more: tuple[str, ...], said: str
) -> None:
    """The list, its columns, the options: each fault says where and what to do, and no cell."""
    path = tmp_path / "list.csv"
    path.write_text(content, encoding="utf-8")
    result = check(folder, path, *more)
    assert (result.exit_code, desk.intents) == (2, []), result.output
    assert said in result.stderr or said in words.table()["fault"], result.stderr
    assert PERSON not in result.stderr


@pytest.mark.parametrize(
    ("header", "given"), [("USCC", ()), ("Uscc", ()), ("统一社会\n信用代码", ("--code-column", "统一社会 信用代码"))]
)
def test_a_header_in_capitals_or_on_two_lines_is_found(
    desk: BatchDesk, folder: Path, tmp_path: Path, header: str, given: tuple[str, ...]
) -> None:
    """As spreadsheets write it; what was kept of it is read again by a resumed run and by verify."""
    path = write_list(tmp_path / "list.csv", [[each] for each in codes(2)], (header,))
    for _ in range(2):
        assert check(folder, path, *given).exit_code == 0
    assert faults(folder, manifest(path)) == []


def test_a_list_of_too_many_messages_is_refused_before_the_first(
    desk: BatchDesk, folder: Path, eight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest names so many answer files and no more."""
    monkeypatch.setattr("nodes.batch.run.ANSWER_LIMIT", 2)
    result = check(folder, eight)
    assert (result.exit_code, desk.calls, "more than 2 messages" in result.stderr) == (2, 0, True)


def test_the_place_of_a_fault_is_apart_from_its_advice(desk: BatchDesk, folder: Path, tmp_path: Path) -> None:
    """The place stands in brackets before the reason."""
    path = tmp_path / "list.csv"
    path.write_text("uscc\na,b\n", encoding="utf-8")
    assert re.search(r"\(.*row 2.*\) and nothing was asked: ", check(folder, path).stderr)


def test_two_runs_on_one_folder_exclude_one_another(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """The second is told to wait."""
    with folders.opened(eight.with_name("r.csv.work")):
        result = check(folder, eight)
    assert (result.exit_code, "another run" in result.stderr, desk.intents) == (2, True, [])


@pytest.mark.parametrize("text", ["{}", '{"format": "other", "order": {}, "retries": 0}', "torn"])
def test_a_folder_of_another_sort_is_refused(desk: BatchDesk, folder: Path, eight: Path, text: str) -> None:
    """A work folder that is none of ours is left alone."""
    work = eight.with_name("r.csv.work")
    work.mkdir()
    (work / "batch.json").write_text(text, encoding="utf-8")
    result = check(folder, eight)
    assert (result.exit_code, "r.csv.work" in result.stderr, desk.intents) == (2, True, [])


def test_json_prints_counts_rate_and_files(desk: BatchDesk, folder: Path, eight: Path) -> None:
    """Every field is described, and none names a subject."""
    result = check(folder, eight, "--json")
    document = json.loads(result.stdout)
    assert list(document) == described("check")
    assert (document["rows"], document["subjects"], document["asked"]) == (8, 8, 8)
    assert sum(document["verdicts"].values()) == 8
    assert document["answers"] == [f"00000{n}.answer" for n in (1, 2, 3)]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_counts_are_shown_in_words(desk: BatchDesk, folder: Path, eight: Path, language: str) -> None:
    """A person reads how many rows came to what, and what to do about the rest."""
    desk.change = {"silent": (ZHEJIANG,)}
    result = check(folder, eight, first=("--lang", language))
    assert words.Words(language=language).code("row_verdict", "INCOMPLETE") in result.stdout
    assert "--retry" in result.stdout
    shown = run("--lang", language, "verify", manifest(eight), "--root", folder / "root.json")
    assert (shown.exit_code, "310000-market/o1" in shown.stdout) == (10, True)


def test_help_names_the_exit_codes() -> None:
    """The help says what a script needs."""
    text = run("check", "--help").stdout
    assert re.findall(r"^\s+(\d)  ", text, re.MULTILINE) == ["0", "1", "2", "3", "4", "5"]


def test_verifiers_end_with_a_killed_parent() -> None:
    """A run that is killed leaves no process behind: their common output ends when the last of them does."""
    line = [sys.executable, "-P", crash_verifiers.__file__]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        assert select.select([parent.stdout], [], [], 30)[0]  # whoever lives holds it open
        assert parent.stdout.read() == ""


def test_a_batch_longer_than_a_few_messages_is_verified_apart(
    desk: BatchDesk, folder: Path, eight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes find the same as this one."""
    monkeypatch.setattr("nodes.cli.batch_desk.APART", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert check(folder, eight).exit_code == 0
    assert faults(folder, manifest(eight)) == []
