"""Evidence on the command line, offline: what `verify` shows, prints for programs, and ends with."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bundles import NOW, ROOT, plot
from click.testing import CliRunner, Result
from evidences import EXPORTED, Exhibit, whole_case
from test_cli_words import described
from test_evidence import MARK
from witnesses import with_witnesses
from worlds_tables import ANHUI

from gateway.model.codes import MarkKind
from gateway.model.evidence import AnswerMark, CaseListing, ListedResult
from gateway.verification import verify
from nodes.cli import evidence_tables, main
from nodes.cli.session import LATE, NOT_GENUINE, RECALLED, STATUS_UNKNOWN, SUPERSEDED, USAGE, Session
from yrdx.exchange.v1 import desk_pb2, evidence_pb2

YEARS = timedelta(days=9 * 365)


def run(folder: Path, file: bytes, *arguments: str, after: timedelta = timedelta(0), lang: str = "en") -> Result:
    """Verify a file some time after its export."""
    root, path = folder / "root.json", folder / "case.evidence"
    root.write_bytes(ROOT)
    path.write_bytes(file)
    session = Session(now=lambda: EXPORTED + after)
    texts = ["--lang", lang, "verify", str(path), "--root", str(root), *arguments]
    return CliRunner().invoke(main, texts, obj=session, env={"COLUMNS": "250"})


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


def test_what_failed_is_named_and_nothing_is_shown(tmp_path: Path) -> None:
    """A file whose content was changed ends with 1 and the name of the part."""
    file = evidence_pb2.EvidenceFile.FromString(made())
    file.pieces[0].content = file.pieces[0].content[:-1] + b"\x00"
    found = run(tmp_path, file.SerializeToString())
    assert (found.exit_code, "DIGEST" in found.output, "Entries" in found.output) == (NOT_GENUINE, True, False)
    torn = run(tmp_path, made()[:-1])
    assert torn.exit_code == USAGE


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
