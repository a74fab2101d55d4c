"""Evidence on the command line, offline: what `verify` shows, prints for programs, and ends with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bundles import NOW, ROOT, plot, signed_directory
from click.testing import CliRunner, Result
from evidences import EXPORTED, Exhibit, altered, statement_of, whole_case
from test_cli_words import described
from test_evidence import MARK
from witnesses import with_witnesses
from worlds_tables import ANHUI

from gateway.model.codes import MarkKind
from gateway.model.evidence import AnswerMark, CaseListing, ListedResult
from gateway.verification import verify
from keys import errors
from nodes.cli import evidence_tables, main
from nodes.cli.session import LATE, NOT_GENUINE, RECALLED, STATUS_UNKNOWN, SUPERSEDED, USAGE, Session
from nodes.cli.words import Words
from yrdx.exchange.v1 import desk_pb2, evidence_pb2

YEARS = timedelta(days=9 * 365)
Damage = Callable[[evidence_pb2.EvidenceFile], None]


def run(
    folder: Path, file: bytes, *arguments: str, after: timedelta = timedelta(0), lang: str = "en", columns: int = 250
) -> Result:
    """Verify a file some time after its export."""
    root, path = folder / "root.json", folder / "case.evidence"
    root.write_bytes(ROOT)
    path.write_bytes(file)
    session = Session(now=lambda: EXPORTED + after)
    texts = ["--lang", lang, "verify", str(path), "--root", str(root), *arguments]
    return CliRunner().invoke(main, texts, obj=session, env={"COLUMNS": str(columns)})


def made(*marks: AnswerMark) -> bytes:
    """Make a file of a case in which a member was silent."""
    story = plot("rating", edit=with_witnesses, silent=(ANHUI,))
    return bytes(whole_case(Exhibit(plot=story, marks=marks).file()).SerializeToString())


@pytest.mark.parametrize(
    ("marks", "after", "ends"),
    [
        ((), timedelta(0), STATUS_UNKNOWN),
        ((), YEARS, LATE),
        ((MARK,), YEARS, RECALLED),
        ((replace(MARK, mark=MarkKind.SUPERSEDED),), timedelta(0), SUPERSEDED),
        ((replace(MARK, mark=MarkKind.DISPUTED),), timedelta(0), STATUS_UNKNOWN),
    ],
)
def test_the_exit_code_tells_time_and_status_apart(
    tmp_path: Path, marks: tuple[AnswerMark, ...], after: timedelta, ends: int
) -> None:
    """As of an answer file: what happened to it since comes first, then its time."""
    for lang, words in (("en", "Entries in the ledgers"), ("zh", "账本条目")):
        found = run(tmp_path, made(*marks), after=after, lang=lang)
        assert (found.exit_code, words in found.output) == (ends, True), found.output


def test_a_court_sees_whether_it_holds_the_whole_case(tmp_path: Path) -> None:
    """The text counts the case's results and names those that are gone or marked; a recalled one ends with 13."""
    one = Exhibit().file()
    held = ListedResult(result_digest=statement_of(one.pieces[0]).result_digest, combine_time=NOW)
    gone = ListedResult(result_digest=b"d" * 32, combine_time=NOW, deleted=True, marks=(MARK,))
    whole = whole_case(one, results=(held, gone)).SerializeToString()
    for lang, counted, deleted, alone in (
        ("en", "Whole case C-1", "deleted", "Not shown to be a whole case"),
        ("zh", "完整办件 C-1", "已删除", "未证明为完整办件"),
    ):
        found = run(tmp_path, whole, lang=lang)
        lines = found.output.split("\n")
        assert (found.exit_code, counted in lines[0]) == (RECALLED, True), found.output
        assert deleted in lines[lines.index(gone.result_digest.hex()) + 1]
        assert held.result_digest.hex() not in lines[:4]
        part = run(tmp_path, one.SerializeToString(), lang=lang)
        assert (part.exit_code, alone in part.output, counted in part.output) == (STATUS_UNKNOWN, True, False)


def test_results_taken_out_of_a_case_are_missed(tmp_path: Path) -> None:
    """The rest of a case without its listing is not genuine, and the listing is named."""
    file = whole_case(Exhibit().file(), Exhibit(without=(ANHUI,)).file())
    file.ClearField("listing")
    del file.pieces[1]
    found = run(tmp_path, file.SerializeToString())
    assert (found.exit_code, "listing of the case" in found.output) == (NOT_GENUINE, True)


def test_what_failed_is_named_and_nothing_is_shown(tmp_path: Path) -> None:
    """A file whose content was changed ends with 1 and the name of the part."""
    file = evidence_pb2.EvidenceFile.FromString(made())
    file.pieces[0].content = file.pieces[0].content[:-1] + b"\x00"
    found = run(tmp_path, file.SerializeToString())
    assert (found.exit_code, "DIGEST" in found.output, "Entries" in found.output) == (NOT_GENUINE, True, False)


def _flipped(payload: bytes, at: int) -> bytes:
    return payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]


def _bundle(file: evidence_pb2.EvidenceFile) -> None:
    file.bundles[0] = _flipped(file.bundles[0], len(file.bundles[0]) // 2)


def _statement(file: evidence_pb2.EvidenceFile) -> None:
    signature = file.pieces[0].statement.signatures[0]
    signature.signature = _flipped(signature.signature, 3)


def _content(file: evidence_pb2.EvidenceFile) -> None:
    file.pieces[0].content = _flipped(file.pieces[0].content, -1 % len(file.pieces[0].content))


def _receipt(file: evidence_pb2.EvidenceFile) -> None:
    altered(file, lambda content: setattr(content.concluded, "shared_salt", bytes(16)))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("damage", "part", "remedy"),
    [
        (_bundle, "bundle", "damaged"),
        (_statement, "statement", "damaged"),
        (_content, "content", "damaged"),
        (_receipt, "concluded", "wrong"),
    ],
)
def test_what_is_damaged_is_told_in_words(tmp_path: Path, damage: Damage, part: str, remedy: str, lang: str) -> None:
    """The part is named, no name of a class is shown, and what to do next is said."""
    file = Exhibit().file()
    damage(file)
    found, said = run(tmp_path, file.SerializeToString(), lang=lang), Words(language=lang)
    classes = {*vars(errors), "ValueError", "KeyError", "IndexError"}
    assert (found.exit_code, said.code("part", part) in found.output) == (NOT_GENUINE, True), found.output
    assert said.say(f"verdict.{remedy}")[:60] in found.output
    assert [each for each in classes if f": {each}" in found.output] == []


def test_a_strange_root_is_told_from_damage(tmp_path: Path) -> None:
    """Under the root of another federation nothing is said to be damaged."""
    strange = Exhibit().file()
    strange.bundles[0] = signed_directory(salt="other")
    found = run(tmp_path, strange.SerializeToString())
    assert (found.exit_code, "does not rest on the root" in found.output) == (NOT_GENUINE, True), found.output


def test_a_torn_file_is_told_from_a_strange_one(tmp_path: Path) -> None:
    """What begins as evidence is told as torn; what is nothing that verify reads is told as such."""
    for payload, key in ((made()[:-1], "torn"), (made()[1:], "unreadable")):
        for lang in ("en", "zh"):
            found = run(tmp_path, payload, lang=lang)
            said = Words(language=lang).say(f"verify.{key}", file="case.evidence")
            assert (found.exit_code, said in found.output.replace("\n", "")) == (USAGE, True), found.output


def test_the_json_is_what_its_page_says(tmp_path: Path) -> None:
    """Every object has exactly the described fields, in their order."""
    document = json.loads(run(tmp_path, made(MARK), "--json").stdout)
    (result,) = document["results"]
    assert list(document) == described("evidence")
    assert list(result) == described("evidence_result")
    assert list(result["entries"][0]) == described("evidence_entry")
    assert list(result["statement"]) == described("EvidenceStatement")
    assert list(document["listing"]) == described("CaseListing")
    assert list(result["answer"]) == described("answer")
    assert result["entries"][-1]["event"] == "CONCLUDED"


def test_the_state_of_a_case_is_what_its_page_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expired answers of what is held; marks; and what is sealed or deleted, by id alone."""
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("YRDX_LANG", "en")
    content = evidence_pb2.EvidenceContent.FromString(Exhibit().file().pieces[0].content)
    file = desk_pb2.AskMembersResponse(bundle=Exhibit().file().bundles[0])
    file.MergeFrom(content.file)
    verdict = verify(file.SerializeToString(), root=ROOT, now=NOW + YEARS)
    assert verdict.content is not None
    held = ListedResult(result_digest=verdict.content.result_digest, combine_time=NOW)
    others = (
        ListedResult(result_digest=b"s" * 32, combine_time=NOW, marks=(MARK,)),
        ListedResult(result_digest=b"d" * 32, combine_time=NOW, deleted=True),
    )
    listing = CaseListing(member="310000", agency="a", case_reference="C-1", list_time=NOW, results=(held, *others))
    evidence_tables.show_status(listing, [verdict], as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert list(document) == described("case_status")
    assert list(document["results"][0]) == described("case_status_result")
    assert [(each["state"], len(each["expired_members"])) for each in document["results"]] == [
        ("HELD", 4), ("SEALED", 0), ("DELETED", 0),
    ]  # fmt: skip
    evidence_tables.show_status(listing, [verdict], as_json=False)
    assert "RECALLED BY ITS ORIGIN" in capsys.readouterr().out


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("columns", [80, 40])
def test_an_id_is_whole_on_a_line_of_its_own(tmp_path: Path, lang: str, columns: int) -> None:
    """However narrow the terminal: of evidence, of an answer file, and of a result that is only listed."""
    one = Exhibit().file()
    digest = statement_of(one.pieces[0]).result_digest
    content = evidence_pb2.EvidenceContent.FromString(one.pieces[0].content)
    answer = desk_pb2.AskMembersResponse(bundle=one.bundles[0])
    answer.MergeFrom(content.file)
    held = ListedResult(result_digest=digest, combine_time=NOW)
    gone = ListedResult(result_digest=b"d" * 32, combine_time=NOW, deleted=True)
    whole = whole_case(one, results=(held, gone))
    for file, ids in ((whole, (digest, gone.result_digest)), (answer, (digest,))):
        shown = run(tmp_path, file.SerializeToString(), lang=lang, columns=columns).output
        assert {each.hex() for each in ids} <= set(shown.split("\n")), shown


def test_ids_of_a_case_are_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of a case names each result so that it can be copied from a narrow terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    listed = tuple(ListedResult(result_digest=bytes([n] * 32), combine_time=NOW, marks=(MARK,)) for n in range(2))
    listing = CaseListing(member="310000", agency="a", case_reference="C-1", list_time=NOW, results=listed)
    evidence_tables.show_status(listing, [], as_json=False)
    assert {each.result_digest.hex() for each in listed} <= set(capsys.readouterr().out.split("\n"))


def test_roots_are_those_of_a_mirror(tmp_path: Path) -> None:
    """The roots of one's own federation change nothing; none, or another's, end the command."""
    roots = tmp_path / "metadata"
    roots.mkdir()
    assert run(tmp_path, made(), "--roots", str(roots)).exit_code == USAGE
    (roots / "1.root.json").write_bytes(ROOT)
    assert run(tmp_path, made(), "--roots", str(roots)).exit_code == STATUS_UNKNOWN
    (roots / "1.root.json").write_bytes(b"{}")
    found = run(tmp_path, made(), "--roots", str(roots))
    assert (found.exit_code, "metadata" in found.output) == (USAGE, True)
