"""The inbox behind a one-way gap: strict sequence, strict names, nothing twice, nothing deleted (U15)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from labs import build
from populations import load
from test_ingest import GOOD, listings, write

from gateway.errors import NotDurable
from nodes import intake
from nodes.cli import main, words
from nodes.files import open_table
from nodes.inbox import FORMAT, Arrival, ManifestFault, take_inbox
from nodes.ingest import Fault, ingest
from nodes.intake import Delivery, Loaded
from nodes.lab import Lab
from nodes.store import Loading, Mode

MEMBER, FEED = "310000", "310000-MARKET_REG-listing"
_senders = count(1)
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


class Gap:
    """A member behind a gap, and its senders' folders."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        """Begin empty."""
        self.lab, self.folder, self.sender = lab, folder, f"sender-{next(_senders)}"
        self.last: dict[str, bytes] = {}

    def send(self, number: int, rows: int = 3, *, by: str = "", **changes: Any) -> Path:
        """Write a file and its manifest; changes go to the manifest, those of `file` to its only entry."""
        sender = by or self.sender
        home = self.folder / sender
        home.mkdir(exist_ok=True)
        path = home / f"{sender}-{number}.csv"
        entries = [{**GOOD["listing"], **row, "record_key": f"{sender}{row['record_key']}"} for row in listings(rows)]
        write(path, entries, dict.fromkeys(GOOD["listing"]))
        entry = {
            "name": path.name,
            "feed": FEED,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "rows": rows,
            "mode": "delta",
            "data_through": "2026-11-20",
        } | changes.pop("file", {})
        before = self.last.get(sender)
        said = {
            "format": FORMAT,
            "sender": sender,
            "sequence": number,
            "previous": hashlib.sha256(before).hexdigest() if before else "",
            "files": [entry],
        } | changes
        manifest = home / f"{number:06}.json"
        manifest.write_text(json.dumps(said), "utf-8")
        self.last[sender] = manifest.read_bytes()
        return manifest

    def take(self) -> list[Arrival]:
        """Take what came."""
        taken = take_inbox(self.lab.config(MEMBER), self.lab.home(MEMBER), self.folder, now=NOW)
        return [each for each in taken if isinstance(each, Arrival)]

    def told(self) -> list[tuple[str, int, ManifestFault | None]]:
        """Take what came, and give sender, number and fault of each manifest."""
        return [(each.sender, each.sequence, each.stopped.fault if each.stopped else None) for each in self.take()]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A federation on a day of its own."""
    found = build(tmp_path_factory.mktemp("inbox") / "lab")
    found.clock = lambda: NOW
    found.publish()
    return found


@pytest.fixture
def gap(lab: Lab, tmp_path: Path) -> Gap:
    """A member who has taken nothing of this sender yet."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return Gap(lab, folder)


def test_manifests_are_taken_in_sequence_once_and_stay(gap: Gap) -> None:
    """A second run takes nothing again, a further manifest goes on; no file is deleted."""
    gap.send(1)
    gap.send(2, 5)
    first = gap.take()
    reports = [each.files[0].report for each in first]
    assert [each and (each.accepted, each.unchanged) for each in reports] == [(3, 0), (2, 3)]
    assert gap.told() == []
    gap.send(3, 6)
    assert gap.told() == [(gap.sender, 3, None)]
    assert len(list((gap.folder / gap.sender).iterdir())) == 6


def test_a_hole_names_what_is_missing_and_stops_its_sender_only(gap: Gap) -> None:
    """What comes after it waits; when it is filled, all goes on."""
    gap.send(1)
    for number in (2, 3, 4, 5):
        gap.send(number, number + 2)
    gap.send(1, by=f"{gap.sender}x")
    kept = {each.name: each.read_bytes() for each in (gap.folder / gap.sender).glob("00000[234].json")}
    for name in kept:
        (gap.folder / gap.sender / name).unlink()
    arrivals = gap.take()
    assert [(each.sender, each.sequence, each.stopped is None) for each in arrivals] == [
        *((gap.sender, 1, True), (gap.sender, 2, False), (f"{gap.sender}x", 1, True)),
    ]
    assert arrivals[1].stopped is not None
    assert (arrivals[1].stopped.fault, arrivals[1].stopped.arguments) == (
        ManifestFault.HOLE,
        {"missing": "000002-000004"},
    )
    for name, text in kept.items():
        (gap.folder / gap.sender / name).write_bytes(text)
    assert gap.told() == [(gap.sender, number, None) for number in (2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"format": "other"}, ManifestFault.MALFORMED),
        ({"more": 1}, ManifestFault.MALFORMED),
        ({"sequence": "1"}, ManifestFault.MALFORMED),
        ({"previous": "A" * 64}, ManifestFault.MALFORMED),
        ({"sender": "other"}, ManifestFault.OTHER_SENDER),
        ({"sequence": 2}, ManifestFault.OTHER_SEQUENCE),
        ({"previous": "0" * 64}, ManifestFault.OTHER_PREVIOUS),
        ({"file": {"feed": "none"}}, ManifestFault.UNKNOWN_FEED),
        ({"file": {"sha256": "0" * 64}}, ManifestFault.OTHER_DIGEST),
        ({"file": {"rows": 4}}, ManifestFault.FILE_REFUSED),
        ({"file": {"data_through": "2026-11-21"}}, ManifestFault.FILE_REFUSED),
        ({"file": {"mode": "all"}}, ManifestFault.MALFORMED),
        ({"file": {"name": "absent.csv"}}, ManifestFault.NO_FILE),
    ],
)
def test_a_false_manifest_is_not_taken(gap: Gap, changes: dict[str, Any], fault: ManifestFault) -> None:
    """It stops its sender, loads nothing, and a corrected one of the same number is taken."""
    gap.send(1, **changes)
    assert gap.told() == [(gap.sender, 1, fault)]
    gap.last.clear()
    gap.send(1)
    (arrival,) = gap.take()
    assert arrival.stopped is None
    assert arrival.files[0].report is not None
    assert arrival.files[0].report.accepted == 3


@pytest.mark.parametrize(
    "name",
    [
        *("../x.csv", "/etc/passwd", "a/b.csv", "a\\b.csv", "..", ".", "", ".x.csv", "x.csv\x00", "x\n.csv"),
        *("x.csv ", "x.json", "ｘ.csv", "\u0445.csv", "x\u200b.csv", "C:x.csv", "a..b.csv", f"{'x' * 200}.csv", 5),
        *("x.csv/", "~x.csv", "-x.csv", "x.csv.", "000002.json", "con\u0301.csv"),
    ],
)
def test_a_name_that_is_not_plain_is_refused(gap: Gap, name: Any) -> None:
    """Separators, parents, NUL, other alphabets, hidden characters, other endings and endless names (threat 17)."""
    gap.send(1, file={"name": name})
    assert gap.told() == [(gap.sender, 1, ManifestFault.BAD_NAME)]


def link(path: Path, away: Path) -> None:
    """Put a link where the file should be."""
    away.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(away)


def pipe(path: Path, _: Path) -> None:
    """Put a pipe there."""
    path.unlink()
    os.mkfifo(path)


def folder(path: Path, _: Path) -> None:
    """Put a folder there."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("trick", [link, pipe, folder])
def test_only_a_plain_file_of_the_folder_itself_is_read(
    gap: Gap, tmp_path: Path, trick: Callable[[Path, Path], None]
) -> None:
    """A link could lead out of the folder, a pipe never end."""
    gap.send(1)
    trick(gap.folder / gap.sender / f"{gap.sender}-1.csv", tmp_path / "away.csv")
    assert gap.told() == [(gap.sender, 1, ManifestFault.NO_PLAIN_FILE)]


def test_names_that_differ_in_case_only_are_one_name(gap: Gap) -> None:
    """On some disks they are."""
    manifest = gap.send(1)
    said = json.loads(manifest.read_text("utf-8"))
    said["files"].append({**said["files"][0], "name": said["files"][0]["name"].replace("sender", "SENDER")})
    (gap.folder / gap.sender / said["files"][1]["name"]).write_bytes(
        (gap.folder / gap.sender / said["files"][0]["name"]).read_bytes()
    )
    manifest.write_text(json.dumps(said), "utf-8")
    assert gap.told() == [(gap.sender, 1, ManifestFault.SAME_NAME)]


def test_a_taken_manifest_may_not_be_replaced(gap: Gap) -> None:
    """A number means one manifest for ever."""
    manifest = gap.send(1)
    gap.take()
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert gap.told() == [(gap.sender, 1, ManifestFault.REPEATED)]


def test_senders_have_plain_names_and_real_folders(gap: Gap, tmp_path: Path) -> None:
    """A link to a folder, or a name with a look-alike, is no sender; a stray file is nothing."""
    (gap.folder / "ABC").mkdir()
    (tmp_path / "away").mkdir()
    (gap.folder / "linked").symlink_to(tmp_path / "away")
    (gap.folder / "readme.txt").touch()
    assert gap.told() == [("", 0, ManifestFault.BAD_SENDER)] * 2


def test_a_run_that_broke_before_the_mark_has_no_double_effect(gap: Gap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are found as they were loaded, and the manifest is taken."""
    gap.send(1)

    def broken(*_: object) -> None:
        raise NotDurable("no room")

    with monkeypatch.context() as patched:
        patched.setattr(Loading, "take", broken)
        with pytest.raises(NotDurable):
            gap.take()
    (arrival,) = gap.take()
    assert (arrival.stopped, arrival.files[0].unchanged) == (None, True)


def faults_of(files: Iterable[Loaded]) -> list[Fault | None]:
    """Why each file was refused, if it was."""
    return [each.refused.fault if each.refused else None for each in files if each.path]


def test_an_older_file_is_refused_as_a_delta(gap: Gap) -> None:
    """It would bring back what later files ended; the same file again, or the last ones in order, are taken."""
    first, second = gap.send(1), gap.send(2, 5)
    assert gap.told() == [(gap.sender, 1, None), (gap.sender, 2, None)]
    old = [each.with_name(f"{gap.sender}-{number}.csv") for number, each in ((1, first), (2, second))]
    names = [gap.folder.parent / name for name in (f"{FEED}.001.csv", f"{FEED}.002.csv")]
    for path, copy in zip(old, names, strict=True):
        copy.write_bytes(path.read_bytes())
    day = Delivery(data_through=date(2026, 11, 19))
    found = [load(gap.lab, MEMBER, paths, day) for paths in (names[:1], names[1:], names, names[::-1])]
    faults = [faults_of(files) for files in found]
    assert faults == [[Fault.LOADED_BEFORE], [None], [None, None], [None, Fault.LOADED_BEFORE]]


def test_an_older_file_without_rows_or_of_everything_is_taken(gap: Gap) -> None:
    """Quiet files look alike, and a snapshot says what it withdraws under its guard."""
    quiet = write(gap.folder.parent / "310000-TAX-listing.csv", [], dict.fromkeys(GOOD["listing"]))
    row = {**GOOD["listing"], "list_type": "TAX_SEVERE"}
    days = count(1)
    one, two = ({**row, "record_key": key} for key in ("A", "B"))

    def put(rows: list[dict[str, str]], mode: Mode) -> list[Fault | None]:
        write(quiet, rows, dict.fromkeys(GOOD["listing"]))
        files = load(gap.lab, MEMBER, [quiet], Delivery(mode=mode, data_through=date(2026, 11, next(days))))
        return faults_of(files)

    delta, snapshot = Mode.DELTA, Mode.SNAPSHOT
    steps: tuple[tuple[list[dict[str, str]], Mode], ...] = (
        ([], delta),
        ([one], delta),
        ([], delta),
        ([one], delta),
        ([one, two], delta),
        ([], delta),
    )
    assert [put(*each) for each in steps] == [[None]] * len(steps)
    assert [put([one], delta), put([one, two], snapshot)] == [[Fault.LOADED_BEFORE], [None]]


def test_what_nobody_thought_of_stops_one_sender_only(gap: Gap, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error of one file is its sender's; the others' are taken, and nothing of the file is kept."""
    others = f"z-{gap.sender}"
    gap.send(1)
    gap.send(1, by=others)
    taken = ingest

    def odd(path: Path, *more: Any, **told: Any) -> Any:
        if path.parent.name == gap.sender:
            raise UnicodeError
        return taken(path, *more, **told)

    monkeypatch.setattr(intake, "ingest", odd)
    found = gap.take()
    assert [(each.sender, each.stopped and each.stopped.fault) for each in found] == [
        (gap.sender, ManifestFault.FILE_REFUSED), (others, None),
    ]  # fmt: skip
    assert faults_of(found[0].files) == [Fault.UNEXPECTED]


def test_manifests_are_numbered_from_one(gap: Gap) -> None:
    """Number 0 is no first manifest, and none that was replaced."""
    gap.send(0)
    assert gap.told() == [(gap.sender, 0, ManifestFault.BAD_NUMBER)]


def test_a_path_that_leads_nowhere_says_so(gap: Gap) -> None:
    """Whether its name is a feed's or not."""
    paths = [gap.folder / "none.csv", gap.folder / f"{FEED}.csv"]
    files = [each for each in load(gap.lab, MEMBER, paths) if each.path]
    assert faults_of(files) == [Fault.NO_FILE] * 2


def test_the_command_reports_in_both_forms(gap: Gap) -> None:
    """Exit 0 when all was taken and 3 when a sender stopped; texts and JSON say why and never a name of a file."""
    gap.send(1)
    told = ["inbox", str(gap.folder), "--config", str(gap.lab.home(MEMBER) / "node.toml")]
    done = [CliRunner().invoke(main, told, env={"YRDX_LANG": "en"})]
    gap.send(3, file={"name": "标记.csv"})
    done += [CliRunner().invoke(main, [*told, *more], env={"YRDX_LANG": "zh"}) for more in ([], ["--json"])]
    document = json.loads(done[2].output)
    assert [each.exit_code for each in done] == [0, 3, 3]
    assert "1 manifests taken" in done[0].output
    assert ("清单" in done[1].output, "标记" in done[1].output) == (True, False)
    assert document["manifests"][0] == {
        "sender": gap.sender, "sequence": 2, "stopped": "HOLE", "arguments": {"missing": "000002"}, "files": [],
    }  # fmt: skip


def test_every_problem_goes_to_a_table(gap: Gap) -> None:
    """More than the report lists, of inbox and files alike; a table that is there is never written over."""
    columns = dict.fromkeys(GOOD["listing"])
    rows = [{**GOOD["listing"], "record_key": f"{gap.sender}-{each}", "uscc": "MISTYPED"} for each in range(150)]
    gap.send(1)
    copy = write(gap.folder.parent / f"{FEED}.csv", rows, columns)
    out, config = gap.folder.parent / "rejects.csv", str(gap.lab.home(MEMBER) / "node.toml")
    told = ["ingest", str(copy), "--config", config, "--rejects"]
    asked = [[*told, str(out)], [*told, str(out)], [*told, str(out.with_suffix(".txt"))]]
    done = [CliRunner().invoke(main, each, env={"YRDX_LANG": "en"}) for each in asked]
    assert [each.exit_code for each in done] == [3, 2, 2], done[0].output
    assert "never written over" in done[1].output
    with open_table(out) as table:
        found = [row for _, row in table.rows()]
    assert found == [[copy.name, str(number), "uscc", "CODE_LENGTH", "REJECTED"] for number in range(2, 152)]
    from_gap = out.with_name("gap.csv")
    inbox = CliRunner().invoke(main, ["inbox", str(gap.folder), "--config", config, "--rejects", str(from_gap)])
    with open_table(from_gap) as table:
        assert (inbox.exit_code, list(table.rows())) == (0, [])


def test_every_fault_has_its_words() -> None:
    """In both languages."""
    assert {each.value for each in ManifestFault} == set(words.table()["manifest"])


def test_files_of_a_folder_are_not_of_the_inbox(gap: Gap) -> None:
    """The ordinary way in stays beside it."""
    path = gap.send(1).with_name(f"{gap.sender}-1.csv")
    copy = gap.folder.parent / f"{FEED}.csv"
    copy.write_bytes(path.read_bytes())
    load(gap.lab, MEMBER, [copy])
    (arrival,) = gap.take()
    assert (arrival.stopped, arrival.files[0].unchanged) == (None, True)
