"""The sample: repeatable, made-up, of known shape and dirt, and with known stories at known codes."""

import csv
import hashlib
import json
import re
import shutil
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from test_ingest import Yard

from gateway.catalogue import read_catalogue
from gateway.coverage import coverage
from gateway.model.codes import CoverageState, Severity
from gateway.uscc import defect, is_sample, is_sole_trader, looks_like_person, sample_code
from nodes.cli import main
from nodes.federation import REFERENCE, feeds, sections
from nodes.ingest import Reason, ingest
from nodes.ingest.loads import FAMILIES
from nodes.sample import SCENARIOS, BatchRow, Sample, batch_rows, scenarios, write_sample
from nodes.sample.dirt import RATES, Sort, person_number
from nodes.sample.files import DELIVERED, HEADERS, UTF8
from nodes.sample.places import world
from nodes.sample.records import Desk
from nodes.sample.shapes import PERMITS
from nodes.sample.subjects import Population, fast_code
from nodes.store.loading import Loading

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
MEMBERS = ("310000", "320000", "330000", "340000")
CODE = {"penalty": "CF_XDR_SHXYM", "permit": "XK_XDR_SHXYM"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clean sample of each member."""
    folder = tmp_path_factory.mktemp("samples")
    for member in MEMBERS:
        write_sample(folder / member, member, subjects=1_000, seed=7, today=TODAY, dirt=0)
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sample]:
    """Jiangsu's sample of 20,000 subjects, with dirt."""
    folder = tmp_path_factory.mktemp("large") / "320000"
    return folder, write_sample(folder, "320000", subjects=20_000, seed=11, today=TODAY)


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
    found = {
        name: sum(code in (row[CODE.get(name, "uscc")], row.get("attributed_uscc")) for row in rows(folder, name))
        for name in HEADERS
    }
    return {name: count for name, count in found.items() if count}


def test_the_same_seed_writes_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    """A sample is repeatable, and another seed is another sample of the same subjects."""
    write_sample(tmp_path / "again", "310000", subjects=1_000, seed=7, today=TODAY, dirt=0)
    write_sample(tmp_path / "other", "310000", subjects=1_000, seed=8, today=TODAY, dirt=0)
    assert digests(tmp_path / "again") == digests(samples / "310000")
    assert digests(tmp_path / "other") != digests(samples / "310000")


def test_there_is_a_file_for_every_feed(samples: Path, tmp_path: Path) -> None:
    """Quiet feeds have a file without rows: they are covered."""
    for member in MEMBERS:
        wanted = {f"{each.id}.csv" for each in feeds(REFERENCE, member)}
        assert {path.name for path in (samples / member).iterdir()} == wanted
    counts = write_sample(tmp_path, "310000", subjects=0, seed=1, today=TODAY).rows
    assert set(counts) == {each.id for each in feeds(REFERENCE, "310000")}
    assert counts["310000-MARITIME-measure"] == 0


@pytest.mark.parametrize("member", MEMBERS)
def test_every_code_is_a_well_formed_sample_and_every_name_says_so(samples: Path, member: str) -> None:
    """Nothing made up can be taken for a real enterprise or person."""
    for record_class in HEADERS:
        for row in rows(samples / member, record_class):
            code = row[CODE.get(record_class, "uscc")] or row["attributed_uscc"]
            name = next(row[each] for each in ("name", "CF_XDR_MC", "XK_XDR_MC") if each in row)
            assert defect(code) is None
            assert is_sample(code)
            assert "样例" in name


def test_a_subject_is_registered_once_and_remembered_where_it_left(samples: Path) -> None:
    """No subject sits at two members; who moved is MIGRATED where the code tells it came from (duties U1, U6)."""
    register = [row for member in MEMBERS for row in rows(samples / member, "register")]
    here = Counter(row["uscc"] for row in register if row["lifecycle"] != "MIGRATED")
    assert {code for code, count in here.items() if count > 1} == {
        SCENARIOS["moved-out"].uscc, SCENARIOS["moved-in"].uscc,
    }  # fmt: skip
    gone = {row["uscc"]: row["division"] for row in register if row["lifecycle"] == "MIGRATED"}
    moved = {row["uscc"] for row in register if row["uscc"][2:4] != row["division"][:2]}
    assert set(gone) == moved
    assert all(code[2:4] == division[:2] for code, division in gone.items())


def test_every_file_has_columns_of_its_family(samples: Path) -> None:
    """What is written is what a reader takes: all needed columns, no unknown one, every row as wide as the header."""
    for name, header in HEADERS.items():
        columns = FAMILIES[name].columns
        assert columns.needed <= set(header.split()) <= columns.known
        for row in rows(samples / "320000", name):
            assert None not in row
            assert None not in row.values()


def near(found: float, wanted: float, tolerance: float = 0.15) -> bool:
    """Whether a share is near what it should be."""
    return abs(found - wanted) <= wanted * tolerance


def test_the_shapes_of_the_statistics(large: tuple[Path, Sample]) -> None:
    """Kinds, life-cycle, moves, penalties, grades and lists have their shares in Jiangsu."""
    folder, _ = large
    register = [row for row in rows(folder, "register") if defect(row["uscc"]) is None and not row["subject_kind"]]
    firms = {row["uscc"] for row in register if row["kind"] == "ENTERPRISE"}
    gone = sum(row["lifecycle"] == "DEREGISTERED" for row in register) / len(register)
    moved = sum(row["uscc"][2:4] != row["division"][:2] for row in register if row["kind"] == "ENTERPRISE")
    assert near(len(firms) / 20_000, 0.30)
    assert near(sum(row["kind"] == "SOLE_TRADER" for row in register) / len(register), 0.66)
    assert near(gone, 0.25, 0.2)
    assert near(moved / len(firms), 0.004, 0.4)
    penalties = [row for row in rows(folder, "penalty") if row["CF_XDR_SHXYM"] in firms]
    each = Counter(row["CF_XDR_SHXYM"] for row in penalties)
    assert near(len(each) / len(firms), 0.069)
    assert near(sum(count == 1 for count in each.values()) / len(each), 0.80)
    severity = {it.name["zh"]: it.severity for it in read_catalogue(sections(REFERENCE)).behaviours.values()}
    severities = Counter(severity[row["CF_WFXW"]] for row in rows(folder, "penalty"))
    assert near(severities[Severity.MINOR] / severities.total(), 0.55)
    assert near(severities[Severity.GENERAL] / severities.total(), 0.38)
    grades = Counter(row["grade"] for row in rows(folder, "rating") if row["scheme_id"] == "320000-COMPREHENSIVE")
    assert near(grades["优秀"] / grades.total(), 0.28)
    assert near(grades["良好"] / grades.total(), 0.64)
    tax = Counter(row["grade"] for row in rows(folder, "rating") if row["scheme_id"] == "320000-TAX")
    assert near(tax["B"] / tax.total(), 0.52)
    assert near(len({row["uscc"] for row in rows(folder, "listing")} & firms) / len(firms), 0.0035, 0.4)
    assert near(len({row["uscc"] for row in rows(folder, "abnormal")} & firms) / len(firms), 0.08, 0.35)
    committed = Counter(row["status"] for row in rows(folder, "commitment"))
    assert near(committed["FULFILLED"] / committed.total(), 0.97, 0.02)


def test_repairs_come_both_ways_and_point_at_a_penalty(large: tuple[Path, Sample]) -> None:
    """Nearly half of the penalties are repaired, more of them in files of repairs, each of which names its target."""
    folder, _ = large
    penalties = list(rows(folder, "penalty"))
    targets = {(row["CF_WSH"], row["CF_XDR_SHXYM"]) for row in penalties}
    repairs = [row for row in rows(folder, "repair") if defect(row["uscc"]) is None]
    inside = sum(bool(row["repaired_on"]) for row in penalties)
    assert near((inside + len(repairs)) / len(penalties), 0.43)
    assert len(repairs) > inside
    assert all((row["target_number"], row["uscc"]) in targets for row in repairs)


def test_permits_are_heavy_tailed() -> None:
    """The median enterprise has 2, the 99th of a hundred has 60."""
    spread = PERMITS["ENTERPRISE"]
    assert spread[len(spread) // 2] == 2
    assert 55 <= spread[len(spread) * 99 // 100] <= 66


def test_records_a_subject(large: tuple[Path, Sample]) -> None:
    """A region with three enterprises in ten subjects has about four records a subject besides the register."""
    _, written = large
    besides = sum(written.rows.values()) - written.rows["320000-REGISTER-register"]
    assert 3.5 < besides / 20_000 < 4.5


def test_dirt_has_its_rates(large: tuple[Path, Sample]) -> None:
    """Every sort of dirt is there at about the rate that it is declared with."""
    _, written = large
    total = sum(written.rows.values())
    found: Counter[str] = Counter()
    for each in written.dirt.values():
        found.update(each)
    assert set(found) == {each.value for each in Sort}
    for sort in (Sort.CHECK, Sort.MISSING, Sort.DUPLICATE):
        assert near(found[sort.value] / total, RATES[sort], 0.2)
    reported = sum(count for feed, count in written.rows.items() if feed.endswith(("-penalty", "-permit")))
    assert near(found["LATE"] / reported, RATES[Sort.LATE], 0.2)


OUTCOMES = {
    "CHECK": Reason.CODE_CHECK,
    "FULL_WIDTH": Reason.CODE_FULL_WIDTH,
    "LOWER_CASE": Reason.CODE_LOWER_CASE,
    "LEGACY_15": Reason.CODE_LEGACY_15,
    "MISSING": Reason.CODE_EMPTY,
}


@pytest.mark.parametrize("member", ["310000", "330000"])
def test_a_load_finds_exactly_the_dirt_that_was_counted(tmp_path: Path, member: str) -> None:
    """Rejected by reason, unchanged, out of scope and not ours are what the sample says, and no domain has a gap."""
    folder = tmp_path / "sample"
    written = write_sample(folder, member, subjects=600, seed=3, today=TODAY, dirt=3)
    copies = {"310000-MARKET_REG-penalty": 1} if member == "310000" else {}  # the decision that Jiangsu answers for
    yard = Yard(tmp_path, member)
    with Loading(yard.database) as loading:
        for each in sorted(feeds(REFERENCE, member), key=lambda feed: feed.record_class in {"repair", "objection"}):
            dirt = Counter(written.dirt.get(each.id, {}))
            report = ingest(folder / f"{each.id}.csv", each, loading, yard.charter, secret=b"k" * 32, now=NOW)
            assert report.rows == written.rows[each.id]
            assert report.rejected == {reason: dirt[sort] for sort, reason in OUTCOMES.items() if dirt[sort]}
            assert report.unchanged == dirt["DUPLICATE"]
            assert report.out_of_scope == dirt["NATURAL_PERSON"]
            assert report.not_ours == dirt["OTHER_AGENCY"] + dirt["NATIONAL_COPY"] + copies.get(each.id, 0)
            aside = sum(report.rejected.values()) + report.unchanged + report.out_of_scope + report.not_ours
            assert (report.accepted, report.gaps) == (report.rows - aside, 0)


def test_free_text_holds_numbers_of_nobody(large: tuple[Path, Sample]) -> None:
    """Where a text looks like a person's number, its division does not exist and it is counted."""
    folder, written = large
    texts = [path.read_text(UTF8) for path in folder.glob("*.csv")]
    found = [number for text in texts for number in re.findall(r"[1-9][0-9]{16}[0-9X]", text)]
    assert len(found) == sum(each.get("PERSON_NUMBER", 0) for each in written.dirt.values()) > 0
    assert all(looks_like_person(number) and number.startswith("99") and number[6:10] == "1900" for number in found)


@given(st.integers(0, 10**9))
def test_a_number_of_nobody_has_the_shape_of_a_resident_id(serial: int) -> None:
    """Shape, day and check hold, so that filters are tried in earnest."""
    assert looks_like_person(person_number(serial))


@given(st.sampled_from(["91", "92", "52", "N1"]), st.sampled_from(["310115", "340503"]), st.integers(0, 31**6 - 1))
def test_the_fast_code_is_the_sample_code(prefix: str, division: str, serial: int) -> None:
    """Tables of half codes give what GB 32100 and GB 11714 give."""
    assert fast_code(prefix + division, serial) == sample_code(prefix, division, serial)


def test_the_last_of_fifteen_million_has_a_code_of_its_own() -> None:
    """Numbers do not run out at the largest size, and two members' subjects never share a code."""
    counties = world(REFERENCE, "310000").counties
    codes = {Population(counties, each).code(15_000_000 - back) for each in counties for back in range(1, 300)}
    assert len(codes) == 4 * 299
    assert all(defect(code) is None for code in codes)


def test_memory_does_not_grow_with_the_sample(tmp_path: Path) -> None:
    """Ten times the subjects take no more memory than a little."""
    peaks = []
    for subjects in (300, 3_000):
        tracemalloc.start()
        write_sample(tmp_path / str(subjects), "310000", subjects=subjects, seed=1, today=TODAY)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 60_000_000
    assert peaks[1] - peaks[0] < 12_000_000


def test_a_large_feed_comes_in_parts(tmp_path: Path) -> None:
    """Parts have the header each and the rows of one file in their order; a feed within the size has one file."""
    write_sample(tmp_path / "whole", "310000", subjects=200, seed=1, today=TODAY)
    written = write_sample(tmp_path / "parts", "310000", subjects=200, seed=1, today=TODAY, part_rows=90)
    name = "310000-REGISTER-register"
    parts = sorted((tmp_path / "parts").glob(f"{name}.*"))
    assert [path.name for path in parts] == [f"{name}.001.csv", f"{name}.002.csv", f"{name}.003.csv"]
    bodies = [path.read_text(UTF8).partition("\n") for path in parts]
    assert {head for head, _, _ in bodies} == {",".join(HEADERS["register"].split())}
    assert (
        "".join(body for _, _, body in bodies)
        == (tmp_path / "whole" / f"{name}.csv").read_text(UTF8).partition("\n")[2]
    )
    assert max(body.count("\n") for _, _, body in bodies) <= 90 < written.rows[name]


def test_some_feeds_come_in_other_forms(tmp_path: Path) -> None:
    """The same rows stand in GB18030, behind a byte order mark and in a workbook; the choice is the feed's."""
    options = {"subjects": 300, "seed": 5, "today": TODAY}
    write_sample(tmp_path / "plain", "310000", **options)  # type: ignore[arg-type]  # the names' own types
    write_sample(tmp_path / "mixed", "310000", mixed=True, **options)  # type: ignore[arg-type]
    for (record_class, domain), form in DELIVERED.items():
        name = f"310000-{domain}-{record_class}"
        wanted = (tmp_path / "plain" / f"{name}.csv").read_text(UTF8)
        found = tmp_path / "mixed" / f"{name}.{'xlsx' if form == 'xlsx' else 'csv'}"
        if form == "xlsx":
            with zipfile.ZipFile(found) as package:
                sheet = package.read("xl/worksheets/sheet1.xml").decode()
            assert re.findall("<t>([^<]*)</t>", sheet) == [cell for cell in re.split("[,\n]", wanted) if cell]
        else:
            assert found.read_text(form) == wanted
    assert {path.stem for path in (tmp_path / "mixed").iterdir()} == {
        path.stem for path in (tmp_path / "plain").iterdir()
    }


def test_a_sample_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with something in it is left alone; a sample that breaks off leaves nothing."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept.csv").write_text("kept", UTF8)
    with pytest.raises(FileExistsError):
        write_sample(tmp_path / "mine", "310000", subjects=1, seed=1, today=TODAY)
    monkeypatch.setattr(Desk, "permit", lambda *_given, **_named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_sample(tmp_path / "broken", "310000", subjects=50, seed=1, today=TODAY)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["kept.csv"]


@pytest.mark.parametrize("scale", [-0.1, 5.1])
def test_dirt_beyond_measure_is_refused(tmp_path: Path, scale: float) -> None:
    """A file must stay mostly clean."""
    with pytest.raises(ValueError, match="factor"):
        write_sample(tmp_path / "s", "310000", subjects=1, seed=1, today=TODAY, dirt=scale)


def test_the_command_writes_counts_and_refuses_a_taken_folder(tmp_path: Path) -> None:
    """It tells rows and dirt by feed, as JSON or as a table, and overwrites nothing."""
    command = ["sample", str(tmp_path / "s"), "--member", "310000", "--subjects", "120", "--seed", "4"]
    done = CliRunner().invoke(main, [*command, "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["rows"]) == (0, sum(each["rows"] for each in told["feeds"]))
    assert any(each["dirt"] for each in told["feeds"])
    again = CliRunner().invoke(main, command)
    assert (again.exit_code, "already" in again.stderr, str(tmp_path) in again.stderr) == (2, True, False)
    command[1] = str(tmp_path / "t")
    table = CliRunner().invoke(main, [*command, "--clean"])
    assert (table.exit_code, "310000-REGISTER-register" in table.stdout) == (0, True)
    assert not list((tmp_path / "t").glob("*.xlsx"))
    command[1] = str(tmp_path / "u")
    nobody = CliRunner().invoke(main, [*command[:3], "990000"])
    assert (nobody.exit_code, (tmp_path / "u").exists()) == (2, False)


def test_a_batch_list_is_about_the_samples(tmp_path: Path) -> None:
    """Each row's verdict follows from what the members' files hold about its code."""
    found = list(batch_rows(200, subjects=400))
    assert found == list(batch_rows(200, subjects=400))
    adverse, registered = set[str](), dict[str, str]()
    for member in MEMBERS:
        write_sample(tmp_path / member, member, subjects=400, seed=9, today=TODAY)
        registered |= {row["uscc"]: row["name"] for row in rows(tmp_path / member, "register")}
        for name in ("penalty", "listing", "abnormal", "judicial", "coercion"):
            adverse |= {row[CODE.get(name, "uscc")] for row in rows(tmp_path / member, name)}
    objected = {row["uscc"] for row in rows(tmp_path / "320000", "objection")}
    holds: Mapping[str, Callable[[BatchRow], bool]] = {
        "NOTHING_FOUND": lambda row: registered[row.code] == row.name and row.code not in adverse,
        "RESTRICTED": lambda row: row.code in adverse and row.code not in objected,
        "INVALID_CODE": lambda row: defect(row.code) is not None,
        "SUBJECT_UNCONFIRMED": lambda row: defect(row.code) is None and row.code not in registered,
        "KIND_CLOSED": lambda row: is_sole_trader(row.code) and row.code in registered,
        "NAME_MISMATCH": lambda row: registered[row.code] != row.name,
        "DISPUTED": lambda row: row.code in objected,
    }
    assert {row.verdict for row in found} == set(holds)
    assert [row for row in found if not holds[row.verdict](row)] == []
    with pytest.raises(ValueError, match="too small"):
        list(batch_rows(10, subjects=1))


def test_a_sample_loads_without_a_problem_and_covers_everything(tmp_path: Path) -> None:
    """Every row is accepted, and every domain is complete for the longest window."""
    folder = tmp_path / "sample"
    counts = write_sample(folder, "330000", subjects=150, seed=3, today=TODAY, dirt=0).rows
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
        ("silent", {"320000": {"register": 1, "penalty": 5, "listing": 1, "abnormal": 1, "measure": 1}}),
        ("unregistered", {}),
        ("sole-trader", {"310000": {"register": 1, "penalty": 1}}),
        ("twice", {"320000": {"register": 1, "penalty": 1}, "310000": {"penalty": 1}}),
        ("repaired", {"330000": {"register": 1, "penalty": 1, "repair": 1}}),
        ("objected", {"320000": {"register": 1, "listing": 1, "objection": 1}}),
        ("abnormal", {"310000": {"register": 1, "abnormal": 1}}),
        ("attributed", {"320000": {"register": 1, "penalty": 1}}),
        ("rectifying", {"330000": {"register": 1, "penalty": 2}}),
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
    assert [each.slug for each in scenarios("310000")] == ["clean", "sole-trader", "abnormal"]
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
    counts = write_sample(tmp_path / "s", "350000", subjects=200, seed=1, today=TODAY, federation_folder=folder).rows
    assert counts["350000-REGISTER-register"] >= 200
    assert counts["350000-RATING-rating"] == 0
    assert sum(count for name, count in counts.items() if name.endswith("-permit")) > 200
