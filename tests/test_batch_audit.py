"""The manifest of a batch: every way of tampering ends in a named check, and no text of a fault names a subject."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from batches import BatchDesk, codes, write_list
from bundles import OFFICER, OFFICERS, SECOND, officers_folder
from hypothesis import given
from hypothesis import strategies as st
from test_cli_check import WORK, check, run, small_messages
from test_cli_words import ROOT, described
from worlds_tables import ZHEJIANG

from gateway.inspection import GradeShare, InspectionRule
from gateway.purposes import CheckForm
from gateway.verdicts import RowFinding, RowVerdict
from keys.envelope import from_json, sign, to_json
from nodes.batch.answers import Terms, latest
from nodes.batch.audit import BatchCheck
from nodes.batch.folder import digest
from nodes.batch.manifest import PAYLOAD_TYPE, BatchMalformed, Manifest, read_manifest
from nodes.batch.result import Sheet
from nodes.cli import desk_client

COUNT = 8
Tamper = Callable[[Path], None]


@pytest.fixture(scope="session")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an officer's profile and two batches: r.csv with one retry, and other/r.csv of another case."""
    folder = officers_folder(tmp_path_factory.mktemp("batch"), WORK)
    with pytest.MonkeyPatch.context() as patch:
        desk = BatchDesk(change={"silent": (ZHEJIANG,)})
        small_messages(patch)
        patch.setattr(desk_client, "connected", desk.connected)
        path = write_list(folder / "list.csv", [[each] for each in codes(COUNT)])
        assert check(folder, path).exit_code == 3
        desk.change = {}
        assert check(folder, path, "--retry").exit_code == 0
        (folder / "other").mkdir()
        other = write_list(folder / "other" / "list.csv", [[each] for each in codes(COUNT)])
        assert check(folder, other, "--case", "C-9").exit_code == 0
    return folder


@pytest.fixture
def copy(batch: Path, tmp_path: Path) -> Path:
    """A copy to tamper with; gives the manifest after the retry."""
    shutil.copytree(batch, tmp_path / "copy")
    return tmp_path / "copy" / "r.2.csv.manifest.json"


def found(path: Path) -> list[tuple[str, str]]:
    """Verify; give what failed."""
    result = run("verify", path, "--root", path.with_name("root.json"), "--json")
    assert [each for each in codes(COUNT) if each in result.output] == []
    return [(each["check"], each["where"]) for each in json.loads(result.stdout)["faults"]]


def resign(path: Path, officer: str = OFFICER, **changes: Any) -> None:
    """Change a manifest and sign it again, as an officer who forges can."""
    manifest = replace(read_manifest(from_json(path.read_bytes()).payload), **changes)
    path.write_bytes(to_json(sign(PAYLOAD_TYPE, manifest.payload(), OFFICERS[officer])))


def manifest_of(path: Path) -> Manifest:
    """Read a manifest."""
    return read_manifest(from_json(path.read_bytes()).payload)


def edit(path: Path, change: Callable[[list[str]], object]) -> None:
    """Change the lines of the result, and have its digest signed."""
    result = path.with_name("r.2.csv")
    lines = result.read_text(encoding="utf-8-sig").splitlines()
    change(lines)
    result.write_text("\ufeff" + "".join(f"{each}\r\n" for each in lines), encoding="utf-8", newline="")
    resign(path, result_digest=digest(result))


def acquit(lines: list[str]) -> None:
    """Write NOTHING_FOUND over a restriction."""
    place = next(number for number, each in enumerate(lines) if "RESTRICTED" in each)
    row = lines[place].split(",")
    lines[place] = ",".join([*row[:2], "NOTHING_FOUND", "", "", *row[5:]])


def test_an_untouched_batch_is_genuine(copy: Path) -> None:
    """Both manifests verify, before and after the retry."""
    assert (found(copy), found(copy.with_name("r.csv.manifest.json"))) == ([], [])


def answer(path: Path, number: int) -> Path:
    """Name an answer file."""
    return path.with_name("r.csv.work") / f"{number:06d}.answer"


def swap(path: Path) -> None:
    """Swap two answer files."""
    one, two = answer(path, 4), answer(path, 5)
    held = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(held)


def foreign(path: Path) -> None:
    """Take another case's answers, and have their digests signed."""
    folder = path.with_name("other") / "r.csv.work"
    for number in (1, 2, 3):
        answer(path, number + 3).write_bytes((folder / f"{number:06d}.answer").read_bytes())
    files = [replace(each, digest=digest(answer(path, each.number))) for each in manifest_of(path).answers]
    resign(path, answers=tuple(files))


def older(path: Path) -> None:
    """Let every row rest on the first answer about it, which was incomplete."""

    def change(lines: list[str]) -> None:
        first = path.with_name("r.csv").read_text(encoding="utf-8-sig").splitlines()
        lines[:] = first

    edit(path, change)


def edit_only(path: Path, change: Callable[[list[str]], object]) -> None:
    """Change the result and leave the manifest."""
    held = path.read_bytes()
    edit(path, change)
    path.write_bytes(held)


def torn(path: Path) -> None:
    """Cut an answer file short, and have it signed."""
    answer(path, 4).write_bytes(answer(path, 4).read_bytes()[:-9])
    files = [replace(each, digest=digest(answer(path, each.number))) for each in manifest_of(path).answers]
    resign(path, answers=tuple(files))


def added(lines: list[str]) -> None:
    """Add a row that is right but for being there."""
    lines.append(f"{len(lines) + 1},{lines[-1].partition(',')[2]}")


def unanswered(lines: list[str]) -> None:
    """Claim a verdict without any answer."""
    lines[1] = ",".join([*lines[1].split(",")[:-1], ""])


def altered(path: Path) -> None:
    """Change the payload under the old signature."""
    envelope = from_json(path.read_bytes())
    changed = replace(manifest_of(path), counts={})
    path.write_bytes(to_json(replace(envelope, payload=changed.payload())))


TAMPERS: dict[str, tuple[Tamper, set[str]]] = {
    "verdict changed": (lambda path: edit_only(path, acquit), {"RESULT_DIGEST", "ROW", "COUNTS"}),
    "verdict changed and signed": (lambda path: edit(path, acquit), {"ROW", "COUNTS"}),
    "answer missing": (lambda path: answer(path, 4).unlink(), {"ANSWER_MISSING", "ROW"}),
    "answers swapped": (swap, {"ANSWER_DIGEST", "ROW"}),
    "answer torn": (torn, {"ANSWER_GENUINE", "ROW"}),
    "another batch's answers": (foreign, {"ANSWER_GENUINE", "ROW"}),
    "row added": (lambda path: edit(path, added), {"ROWS", "COUNTS"}),
    "row removed": (lambda path: edit(path, lambda lines: lines.pop()), {"ROWS", "COUNTS"}),
    "rows reordered": (lambda path: edit(path, lambda lines: lines.insert(1, lines.pop(2))), {"ROW"}),
    "row of nobody's answer": (lambda path: edit(path, unanswered), {"ROW", "COUNTS"}),
    "row rests on the older answer": (older, {"SUPERSEDED", "COUNTS"}),
    "column renamed": (lambda path: edit(path, lambda lines: lines.__setitem__(0, "a,b,c,d,e,f,g")), {"HEADER"}),
    "another officer's key": (lambda path: resign(path, SECOND), {"SIGNATURE"}),
    "another officer named": (
        lambda path: resign(path, SECOND, order=replace(manifest_of(path).order, officer=SECOND)),
        {"ANSWER_GENUINE", "OFFICER"},
    ),
    "an officer of nobody": (
        lambda path: resign(path, order=replace(manifest_of(path).order, officer="310000-market/o9")),
        {"ANSWER_GENUINE", "OFFICER"},
    ),
    "open rows hidden": (lambda path: resign(path, incomplete=1), {"COUNTS"}),
    "undecided rows hidden": (lambda path: resign(path, undecided=1), {"COUNTS"}),
    "counts changed": (lambda path: resign(path, counts={RowVerdict.NOTHING_FOUND: COUNT}), {"COUNTS"}),
    "edition changed": (lambda path: resign(path, rule_edition="2020"), {"TERMS"}),
    "another day": (lambda path: resign(path, last_time=manifest_of(path).sign_time.replace(year=2020)), {"TIMES"}),
    "payload changed": (altered, {"SIGNATURE", "COUNTS"}),
}


@pytest.mark.parametrize("name", list(TAMPERS))
def test_tampering_is_found_and_named(copy: Path, name: str) -> None:
    """Exactly the checks that the act breaks fail; whatever rests on a missing answer fails by its row."""
    tamper, checks = TAMPERS[name]
    tamper(copy)
    failed = found(copy)
    assert checks <= {check for check, _ in failed}
    assert {check for check, _ in failed} <= checks | ({"ROW", "COUNTS", "TIMES"} if "ANSWER" in str(checks) else set())


def test_a_changed_verdict_is_named_by_its_row(copy: Path) -> None:
    """The row's own number stands in the fault."""
    lines = copy.with_name("r.2.csv").read_text(encoding="utf-8-sig").splitlines()
    row = next(each for each in lines if "RESTRICTED" in each).split(",")[0]
    edit(copy, acquit)
    assert ("ROW", row) in found(copy)


@pytest.mark.parametrize("absent", ["r.2.csv", "root.json"])
def test_what_is_not_there_ends_with_2(copy: Path, absent: str) -> None:
    """A missing result is no forgery."""
    copy.with_name(absent).unlink()
    assert run("verify", copy, "--root", copy.with_name("root.json")).exit_code == 2


def test_the_work_folder_may_lie_elsewhere(copy: Path) -> None:
    """`--work` names it."""
    copy.with_name("r.csv.work").rename(copy.with_name("moved"))
    root = ("--root", copy.with_name("root.json"))
    assert run("verify", copy, *root, "--work", copy.with_name("moved")).exit_code == 10
    assert run("verify", copy, *root).exit_code == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "yrdx.batch.v2"),
        ("result", "../r.csv"),
        ("result", ".."),
        ("folder", "/etc"),
        ("folder", "a\\b"),
        ("form", "RAINBOW"),
        ("counts", {"FINE": 1}),
        ("counts", {"GRADED": 0}),
        ("answers", [{"name": "../1.answer", "digest": "0" * 64, "rows": 1}]),
        ("answers", [{"name": "000001.answer", "digest": "00", "rows": 1}]),
        ("rows", -1),
        ("surplus", 1),
        ("order", {}),
    ],
)
def test_a_manifest_of_another_form_is_refused(batch: Path, name: str, value: object) -> None:
    """Names in it are plain file names: a manifest cannot lead a verifier to another folder (threat 17)."""
    payload = json.loads(from_json((batch / "r.csv.manifest.json").read_bytes()).payload)
    with pytest.raises(BatchMalformed):
        read_manifest(json.dumps({**payload, name: value}).encode())


def test_a_malformed_manifest_ends_with_1(copy: Path) -> None:
    """Signed or not, it says nothing."""
    copy.write_bytes(to_json(sign(PAYLOAD_TYPE, b"{}", OFFICERS[OFFICER])))
    assert run("verify", copy, "--root", copy.with_name("root.json")).exit_code == 1


GOOD = RowFinding(verdict=RowVerdict.GRADED, grade="A+", canonical="A")
SHARES = (GradeShare(grade="A", share=0.0, unless_triggered=True), GradeShare(grade="D", share=1.0))
RULE = InspectionRule(
    member="310000", edition="2026", seed_bytes=32, sample=True, tiers=SHARES, valid_from=date(2026, 1, 1)
)


def sheet(form: CheckForm, rule: InspectionRule | None = None) -> Sheet:
    """Write by a form."""
    return Sheet(terms=Terms(version=1, form=form, opens_sole_traders=False, rule=rule), seed="drawn in public")


@pytest.mark.parametrize(
    ("form", "finding", "triggered", "more"),
    [
        (CheckForm.VERDICT, RowFinding(verdict=RowVerdict.NOTHING_FOUND), "", ()),
        (CheckForm.LIGHT, RowFinding(verdict=RowVerdict.NOTHING_FOUND), "", ("GREEN", "")),
        (CheckForm.LIGHT, RowFinding(verdict=RowVerdict.RESTRICTED, reasons=("A", "B")), "", ("RED", "A;B")),
        (CheckForm.LIGHT, RowFinding(verdict=RowVerdict.INCOMPLETE, missing=("330000",)), "", ("", "")),
        (
            CheckForm.TIER,
            RowFinding(verdict=RowVerdict.GRADED, grade="A+", canonical="A"),
            "",
            ("", "NOT_SELECTED", "0"),
        ),
        (
            CheckForm.TIER,
            RowFinding(verdict=RowVerdict.GRADED, grade="A+", canonical="A"),
            "YES",
            ("YES", "INSPECT", "1"),
        ),
        (CheckForm.TIER, RowFinding(verdict=RowVerdict.GRADED, grade="差", canonical="D"), "", ("", "INSPECT", "1")),
        (CheckForm.TIER, RowFinding(verdict=RowVerdict.DISPUTED, grade="差", canonical="D"), "", ("", "INSPECT", "1")),
        (CheckForm.TIER, RowFinding(verdict=RowVerdict.GRADED, grade="D"), "", ("", "", "")),
        (CheckForm.TIER, RowFinding(verdict=RowVerdict.GRADED, grade="AAA"), "YES", ("YES", "INSPECT", "1")),
        (CheckForm.TIER, RowFinding(verdict=RowVerdict.INVALID_CODE), "YES", ("YES", "INSPECT", "1")),
        (CheckForm.TIER, RowFinding(verdict=RowVerdict.INCOMPLETE), "", ("", "", "")),
    ],
)
def test_a_row_shows_what_its_purpose_wants(
    form: CheckForm,
    finding: RowFinding,
    triggered: str,
    more: tuple[str, ...],
) -> None:
    """A light for a project list (A10), a tier for a supervision list (A27), a verdict for the rest."""
    written = sheet(form, RULE)
    line = written.line(2, codes(1)[0], finding, answer=1, triggered=bool(triggered))
    assert (line[6:-1], len(line), line[-1]) == (more, len(written.header), "1")
    shown = {CheckForm.LIGHT: "light", CheckForm.TIER: "tier"}.get(form, "code")
    assert written.undecided(line) is (not dict(zip(written.header, line, strict=True))[shown])


@pytest.mark.parametrize("verdict", [RowVerdict.NOTHING_FOUND, RowVerdict.RESTRICTED])
def test_a_narrowed_scope_lights_nothing(verdict: RowVerdict) -> None:
    """Whoever writes a result of half the questions has no light to show, and none that verifies."""
    line = replace(sheet(CheckForm.LIGHT), narrowed=True).line(2, codes(1)[0], RowFinding(verdict=verdict))
    assert line[6:8] == ("", "")


def test_a_consumer_without_a_table_has_no_tiers() -> None:
    """No rule decides nothing, but a cause does."""
    line = sheet(CheckForm.TIER).line(2, codes(1)[0], RowFinding(verdict=RowVerdict.GRADED, grade="D"))
    assert line[6:] == ("", "", "", "")
    caused = sheet(CheckForm.TIER).line(2, codes(1)[0], RowFinding(verdict=RowVerdict.NOT_COVERED), triggered=True)
    assert caused[6:] == ("YES", "INSPECT", "1", "")


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_draw_can_be_made_again(seed: str, other: str) -> None:
    """One seed draws the same subjects, whatever it is; another one draws others."""
    half = replace(RULE, tiers=(GradeShare(grade="C", share=0.5),))
    graded = RowFinding(verdict=RowVerdict.GRADED, grade="C", canonical="C")

    def drawn(text: str) -> list[str]:
        written = replace(sheet(CheckForm.TIER, half), seed=text)
        return [written.line(1, code, graded)[7] for code in codes(60)]

    assert drawn(seed) == drawn(seed)
    assert (drawn(seed) == drawn(other)) is (seed == other)


def test_the_page_lists_every_check_and_field(batch: Path) -> None:
    """docs/json.md tells the checks, the fields of a verification, and those of a manifest."""
    document = json.loads(run("verify", batch / "r.csv.manifest.json", "--root", batch / "root.json", "--json").stdout)
    assert described("batch verification") == list(document)
    assert described("batch checks") == [each.value for each in BatchCheck]
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    payload = json.loads(from_json((batch / "r.csv.manifest.json").read_bytes()).payload)
    rows = page.partition("<!-- table: manifest -->")[2].split("\n\n")[0]
    assert [each for each in (*payload, *payload["order"]) if f"`{each}`" not in rows] == []


def test_the_newest_directory_rules() -> None:
    """A batch is judged by one edition, that of its newest directory."""
    old, new = (Terms(version=n, form=CheckForm.VERDICT, opens_sole_traders=False, rule=None) for n in (1, 2))
    assert (latest(None, old), latest(old, new), latest(new, old)) == (old, new, new)
