"""The sample: repeatable, made-up, clean to load, and with known stories at known codes."""

import csv
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from test_ingest import Yard

from gateway.catalogue import read_catalogue
from gateway.coverage import coverage
from gateway.model.codes import CoverageState, Severity
from gateway.uscc import defect, is_sample, is_sole_trader
from nodes.federation import REFERENCE, feeds, sections
from nodes.ingest import ingest
from nodes.sample import SCENARIOS, scenarios, write_sample
from nodes.store.loading import Loading

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
MEMBERS = ("310000", "320000", "330000", "340000")
CODE = {"penalty": "CF_XDR_SHXYM", "permit": "XK_XDR_SHXYM"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample of each member."""
    folder = tmp_path_factory.mktemp("samples")
    for member in MEMBERS:
        write_sample(folder / member, member, subjects=1_000, seed=7, today=TODAY)
    return folder


def rows(folder: Path, record_class: str) -> Iterator[Mapping[str, str]]:
    """All rows of a class in a member's folder."""
    for path in sorted(folder.glob(f"*-{record_class}.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def digests(folder: Path) -> dict[str, str]:
    """The digest of each file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def about(folder: Path, slug: str) -> dict[str, int]:
    """How many rows of each class a member has on a scenario's subject."""
    code = SCENARIOS[slug].uscc
    classes = ("register", "penalty", "permit", "listing", "rating", "measure")
    found = {name: sum(row[CODE.get(name, "uscc")] == code for row in rows(folder, name)) for name in classes}
    return {name: count for name, count in found.items() if count}


def test_the_same_seed_writes_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    """A sample is repeatable, and another seed is another sample of the same subjects."""
    write_sample(tmp_path / "again", "310000", subjects=1_000, seed=7, today=TODAY)
    write_sample(tmp_path / "other", "310000", subjects=1_000, seed=8, today=TODAY)
    assert digests(tmp_path / "again") == digests(samples / "310000")
    assert digests(tmp_path / "other") != digests(samples / "310000")


def test_there_is_a_file_for_every_feed(samples: Path, tmp_path: Path) -> None:
    """Quiet feeds have a file without rows: they are covered."""
    for member in MEMBERS:
        wanted = {f"{each.id}.csv" for each in feeds(REFERENCE, member)}
        assert {path.name for path in (samples / member).iterdir()} == wanted
    counts = write_sample(tmp_path, "310000", subjects=0, seed=1, today=TODAY)
    assert set(counts) == {each.id for each in feeds(REFERENCE, "310000")}
    assert counts["310000-MARITIME-measure"] == 0


@pytest.mark.parametrize("member", MEMBERS)
def test_every_code_is_a_well_formed_sample_and_every_name_says_so(samples: Path, member: str) -> None:
    """Nothing made up can be taken for a real enterprise or person."""
    for record_class in ("register", "penalty", "permit", "listing", "rating", "measure"):
        for row in rows(samples / member, record_class):
            code = row[CODE.get(record_class, "uscc")]
            name = next(row[each] for each in ("name", "CF_XDR_MC", "XK_XDR_MC") if each in row)
            assert defect(code) is None
            assert is_sample(code)
            assert "样例" in name


def test_codes_are_unique_over_the_federation(samples: Path) -> None:
    """No subject is registered twice, at one member or at two; only the scenarios that moved have two rows."""
    found = Counter(row["uscc"] for member in MEMBERS for row in rows(samples / member, "register"))
    twice = {code for code, count in found.items() if count > 1}
    assert twice == {SCENARIOS["moved-out"].uscc, SCENARIOS["moved-in"].uscc}


def test_the_shapes_of_the_statistics(samples: Path) -> None:
    """Sole traders, branches, moved firms, grades and severities appear in about their shares."""
    register = [row for member in MEMBERS for row in rows(samples / member, "register")]
    traders = sum(is_sole_trader(row["uscc"]) for row in register) / len(register)
    branches = sum(bool(row["branch_of"]) for row in register)
    moved = [row for row in register if row["uscc"][2:4] != row["division"][:2]]
    grades = Counter(row["grade"] for row in rows(samples / "310000", "rating"))
    assert 0.08 < traders < 0.16
    assert 100 < branches < 250
    assert 4 <= len(moved) <= 40
    assert grades["B"] > grades["A"] > grades["C"] >= grades["D"]
    penalised = {row["CF_XDR_SHXYM"] for row in rows(samples / "330000", "penalty")}
    assert 40 < len(penalised) < 160
    assert any(code[2:4] != "33" for code in penalised)


def test_a_sample_loads_without_a_problem_and_covers_everything(tmp_path: Path) -> None:
    """Every row is accepted, and every domain is complete for the longest window."""
    folder = tmp_path / "sample"
    counts = write_sample(folder, "330000", subjects=150, seed=3, today=TODAY)
    yard = Yard(tmp_path, "330000")
    with Loading(yard.database) as loading:
        for each in feeds(REFERENCE, "330000"):
            report = ingest(folder / f"{each.id}.csv", each, loading, yard.charter, secret=b"k" * 32, now=NOW)
            assert (report.problems, report.gaps, report.not_ours, report.out_of_scope) == ((), 0, 0, 0)
            assert report.accepted == report.rows == counts[each.id]
    listed = {each.domain for each in yard.charter.catalogue.list_types.values()}
    needs = {
        domain: frozenset({"penalty", "permit", "measure", *(["listing"] if domain in listed else [])})
        for domain in yard.charter.catalogue.domains
    }
    needs |= {"REGISTER": frozenset({"register"}), "RATING": frozenset({"rating"})}
    known = [yard.feed(each.record_class, each.domain) for each in feeds(REFERENCE, "330000") if each.domain != "X"]
    found = coverage(known, needs, today=TODAY, window_from=date(2021, 11, 20))
    assert {each.state for each in found.values()} == {CoverageState.COMPLETE}


@pytest.mark.parametrize(
    ("slug", "expected"),
    [
        ("clean", {"310000": {"register": 1}}),
        (
            "listed",
            {
                "310000": {"penalty": 1},
                "320000": {"penalty": 1},
                "330000": {"penalty": 2},
                "340000": {"register": 1, "listing": 1, "rating": 1, "measure": 4},
            },
        ),
        ("zone-rated", {"330000": {"register": 1, "rating": 1}, "320000": {"penalty": 1}}),
        ("moved-out", {"330000": {"register": 2, "rating": 1}}),
        ("moved-in", {"330000": {"register": 2, "rating": 1}}),
        ("silent", {"320000": {"register": 1, "penalty": 5, "listing": 2, "measure": 1}}),
        ("unregistered", {}),
        ("sole-trader", {"310000": {"register": 1, "penalty": 1}}),
    ],
)
def test_the_scenarios_stand_in_every_sample(
    samples: Path, slug: str, expected: Mapping[str, Mapping[str, int]]
) -> None:
    """Each story is told by exactly these records at exactly these members."""
    found = {member: about(samples / member, slug) for member in MEMBERS}
    assert {member: each for member, each in found.items() if each} == expected


def test_scenarios_are_named_and_placed() -> None:
    """Codes, homes and marks are what the stories say."""
    assert all(defect(each.uscc) is None and is_sample(each.uscc) for each in SCENARIOS.values())
    assert [each.slug for each in scenarios("310000")] == ["clean", "sole-trader"]
    assert SCENARIOS["moved-out"].uscc[2:8] == "330421"
    assert SCENARIOS["moved-in"].uscc[2:8] == "330402"
    assert is_sole_trader(SCENARIOS["sole-trader"].uscc)
    assert SCENARIOS["unregistered"] not in [each for member in MEMBERS for each in scenarios(member)]
    assert all(each.story and "样例" in each.name for each in SCENARIOS.values())


def test_the_zone_story_is_a_ceiling_of_b(samples: Path) -> None:
    """Its one penalty is general, recent and unrepaired, at a party of the zone's agreement."""
    yard_code = SCENARIOS["zone-rated"].uscc
    (row,) = [each for each in rows(samples / "320000", "penalty") if each["CF_XDR_SHXYM"] == yard_code]
    assert (row["repaired_on"], row["exempt"]) == ("", "0")
    assert (TODAY - date.fromisoformat(row["CF_JDRQ"])).days < 365
    behaviours = read_catalogue(sections(REFERENCE)).behaviours.values()
    assert [each.severity for each in behaviours if each.name["zh"] == row["CF_WFXW"]] == [Severity.GENERAL]


def test_a_fifth_member_needs_no_code(tmp_path: Path) -> None:
    """A member that is only data gets a sample of its own, without scenarios."""
    folder = tmp_path / "federation"
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "fujian.toml").write_text(
        '[[members]]\nid = "350000"\nletters = "FJ"\nname = { zh = "福建省", en = "Fujian" }\n'
        'divisions = ["35"]\n[members.agencies]\n350000 = ["*"]\n[counties]\n350000 = ["350102", "350203"]\n',
        "utf-8",
    )
    counts = write_sample(tmp_path / "s", "350000", subjects=200, seed=1, today=TODAY, federation_folder=folder)
    assert counts["350000-REGISTER-register"] == 200
    assert counts["350000-RATING-rating"] == 0
    assert sum(count for name, count in counts.items() if name.endswith("-permit")) > 200
