"""The pages say what the code does: tables, figures, links and names of tests are compared with it."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from gateway import wire
from gateway.exchange.release import CLASSES_LEFT_OUT, REGISTER
from gateway.kinds import KINDS
from gateway.ledger import cosignature, entries, logs, note, tree
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.entries import Opening
from gateway.ledger.reconciliation import Difference
from gateway.limits import SALT_BYTES, SIZE_CLASSES, Limits
from gateway.model.answer import Answer, Item, Refusal
from gateway.model.codes import ItemState, LedgerEventKind, RefusalReason
from gateway.model.combined import Intent
from gateway.model.ledger import LedgerEvent, LedgerPrivate, Receipt
from gateway.model.question import Authorisation, QuestionHeader
from gateway.model.reconciliation import PairSummary
from gateway.statuses import code_of
from keys import envelope as envelopes
from keys import members, suite
from keys.bundle import layout
from nodes.cli import main
from nodes.cli.profile import Profile
from nodes.config import DATABASE, ConfigError, read_config
from nodes.federation import REFERENCE, document
from nodes.metrics import Metrics
from nodes.store import Store
from nodes.store.schema import facts_path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
PARTS_OF_A_DECISION = ["Context", "Options", "Decision", "Price"]
THREATS = 25


def page(name: str) -> str:
    """Read a page of docs."""
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def table(name: str, mark: str) -> list[list[str]]:
    """Read the rows of the table that follows a mark, without its head; code quotes stay."""
    _, found, rest = page(name).partition(f"<!-- table: {mark} -->\n")
    assert found, f"{name}.md has no table marked {mark}"
    lines = list(iter_rows(rest))
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines[2:]]


def iter_rows(text: str) -> Iterator[str]:
    """Give the lines of the table at the beginning of a text."""
    for line in text.splitlines():
        if not line.startswith("|"):
            return
        yield line


def quoted(cell: str) -> list[str]:
    """Give what stands in code quotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def names(name: str, mark: str) -> list[str]:
    """Give the quoted names of a table's first column."""
    return [quoted(row[0])[0] for row in table(name, mark)]


def figures(name: str) -> dict[str, str]:
    """Read the worked figures of a page."""
    blocks = re.findall(r"```figures\n(.*?)```", page(name), re.DOTALL)
    return {key: value for block in blocks for key, value in (line.split() for line in block.splitlines())}


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("QuestionHeader", QuestionHeader),
        ("Authorisation", Authorisation),
        ("Answer", Answer),
        ("Item", Item),
        ("Refusal", Refusal),
        ("Intent", Intent),
        ("LedgerEvent", LedgerEvent),
        ("LedgerPrivate", LedgerPrivate),
        ("Receipt", Receipt),
        ("PairSummary", PairSummary),
        ("Member", members.Member),
        ("Key", members.Key),
        ("Officer", members.Officer),
    ],
)
def test_a_table_of_fields_is_the_types_own(mark: str, kind: Any) -> None:
    """Each field is described once, in the order of the type."""
    assert names("protocol", mark) == [field.name for field in fields(kind)]


def test_the_agency_is_described_without_its_member() -> None:
    """An agency stands inside its member, so the file does not repeat whose it is."""
    assert names("protocol", "Agency") == [each.name for each in fields(members.Agency) if each.name != "member"]


def test_the_directorys_sections_are_those_that_are_written() -> None:
    """The reference federation's directory has exactly the members that the page describes."""
    written = {*document(REFERENCE, {}), "quarantine", "rota", "gaps"}
    assert sorted(names("protocol", "directory")) == sorted(written)


def test_each_file_of_the_bundle_is_its_roles_and_holds_its_sections() -> None:
    """The page names every file with who may sign it and what may stand in it, and no section is without a file."""
    found = set()
    for row in table("bundle", "bundle files"):
        (path,), (role,), sections = (quoted(cell) for cell in row)
        member = layout.member_of(role)
        above = "members-310000" if member == "310118" else "root" if role == "targets" else "targets"
        assert layout.sections_of(role, above, path) == tuple(sections)
        found |= set(sections)
    ours = {"endpoint", "via", "ca_certificates", "issuing_certificates", "keys", "agencies", "officers"}
    assert found - ours == {*document(REFERENCE, {}), "quarantine", "rota", "gaps"} - {"agreements"} | {layout.EDITIONS}


def test_payload_types_are_those_of_the_wire() -> None:
    """Every signed message has its row, and no other."""
    rows = {quoted(row[0])[0]: quoted(row[1])[0] for row in table("protocol", "payload types")}
    assert rows == {kind.__name__: name for kind, name in wire.PAYLOAD_TYPES.items()}


def test_limits_are_the_defaults() -> None:
    """Each limit stands with its default, in the order of the code."""
    rows = {quoted(row[0])[0]: int(row[1]) for row in table("protocol", "limits")}
    assert rows == {field.name: getattr(Limits(), field.name) for field in fields(Limits)}


def test_reasons_have_their_status_codes() -> None:
    """Every reason of refusal stands with the gRPC code that it gets."""
    rows = {quoted(row[0])[0]: row[1] for row in table("protocol", "reasons")}
    assert rows == {reason.value: code_of(reason).name for reason in RefusalReason}


def test_the_checks_name_reasons_that_exist() -> None:
    """Steps go from 1 to 14 and each names a reason; what is left out cannot come from a check."""
    rows = table("protocol", "checks")
    reasons = {name for row in rows for name in quoted(row[2])}
    others = {RefusalReason.OVERLOADED.value, RefusalReason.NOT_DURABLE.value}
    assert reasons | others == {reason.value for reason in RefusalReason}
    assert {int(row[0]) for row in rows if row[0]} == set(range(1, 15))


def test_size_classes_are_those_of_the_code() -> None:
    """The classes stand in their order."""
    assert [int(row[0]) for row in table("protocol", "size classes")] == list(SIZE_CLASSES)


def test_fields_are_those_of_the_kinds() -> None:
    """Every kind of the table says which fields it may release."""
    rows = {quoted(row[0])[0]: quoted(row[1]) for row in table("protocol", "fields")}
    assert rows == {name: list(kind.fields) for name, kind in KINDS.items()}


def test_columns_are_those_that_the_kinds_read() -> None:
    """With everything granted each kind reads exactly the columns of the page."""
    rows = {(quoted(row[0])[0], quoted(row[1])[0]): set(quoted(row[2])) for row in table("protocol", "columns")}
    read: dict[tuple[str, str], set[str]] = {}
    for name, kind in KINDS.items():
        granted: Any = SimpleNamespace(fields=frozenset(kind.fields))
        read |= {(name, each): set(columns) for each, columns in kind.columns(granted).items()}
    assert rows == read
    assert all(f"`{column}`" in page("protocol") for column in REGISTER)


def test_classes_left_out_are_named() -> None:
    """What every answer says that it leaves out stands on the page."""
    assert all(f"`{each}`" in page("protocol") for each in CLASSES_LEFT_OUT)


def test_the_worked_envelope_is_what_the_code_makes() -> None:
    """Seed, key id, payload, encoding, digest and signature of the page follow from one another."""
    held = {key.removeprefix("envelope."): value for key, value in figures("protocol").items()}
    payload = bytes.fromhex(held["payload"])
    signer = suite.signer(bytes.fromhex(held["seed"]), owner=held["key_id"].partition("/")[0])
    envelope = envelopes.sign(held["payload_type"], payload, signer)
    assert (signer.public.hex(), signer.id) == (held["public"], held["key_id"])
    assert envelopes.pae(held["payload_type"], payload).startswith(bytes.fromhex(held["pae_head"]))
    assert envelope.digest().hex() == held["digest"]
    assert envelope.signatures[0].signature.hex() == held["signature"]
    refusal = wire.decode(Refusal, payload)
    assert (refusal.reason, refusal.pair_sequence) == (RefusalReason.EXPIRED, 7)
    assert refusal.refuse_time == datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert wire.encode(refusal) == payload


def test_the_worked_tree_is_what_the_code_makes() -> None:
    """Salts, items, leaves, inner node and root of the page follow from one another, and the items parse."""
    ours = {key: value for key, value in figures("protocol").items() if key.startswith("tree.")}
    held = {key.removeprefix("tree."): bytes.fromhex(value) for key, value in ours.items()}
    numbers = ("1", "2", "3")
    assert {len(held[f"salt.{each}"]) for each in numbers} == {SALT_BYTES}
    leaves = [tree.leaf_hash(held[f"salt.{each}"] + held[f"item.{each}"]) for each in numbers]
    assert leaves == [held[f"leaf.{each}"] for each in numbers]
    assert sha256(b"\x01" + leaves[0] + leaves[1]).digest() == held["inner"]
    assert tree.root(leaves) == held["root"]
    assert tree.root([]) == held["empty"]
    items = [wire.decode(Item, held[f"item.{each}"]) for each in numbers]
    assert [item.state for item in items] == [ItemState.NOT_FOUND, ItemState.FOUND, ItemState.NOT_COVERED]
    assert all(item.uscc in page("protocol") for item in items)


def test_kinds_of_ledger_entries_and_differences_are_those_of_the_code() -> None:
    """Every kind of event and every difference of two ledgers stands on the page, in the order of the code."""
    assert names("protocol", "ledger kinds") == [each.value for each in LedgerEventKind]
    assert names("protocol", "differences") == [each.value for each in Difference]


def test_the_worked_ledger_is_what_the_code_makes() -> None:
    """Parts, salts, hashes, root and keys of the page follow from one another; its checkpoint opens."""
    held = {key.removeprefix("ledger."): value for key, value in figures("protocol").items()}
    shared, private = (
        Opening(bytes.fromhex(held[f"{part}_salt"]), bytes.fromhex(held[part])) for part in ("shared", "private")
    )
    entry = entries.entry(shared, private)
    assert (entry.shared_hash.hex(), entry.private_hash.hex()) == (held["shared_hash"], held["private_hash"])
    assert (entry.leaf.hex(), tree.leaf_hash(bytes(64)).hex()) == (held["leaf"], held["other_leaf"])
    assert tree.root([tree.leaf_hash(bytes(64)), entry.leaf]).hex() == held["root"]
    event, closed = wire.decode(LedgerEvent, shared.text), wire.decode(LedgerPrivate, private.text)
    assert (wire.encode(event), wire.encode(closed)) == (shared.text, private.text)
    assert (event.kind, closed.subject_numbers) == (LedgerEventKind.ANSWERED, (1, 2))
    log, witness = note.read_key(held["log_key"]), note.read_key(held["witness_key"])
    (text,) = re.findall(r"```text\n(yrdx/ledger/.*?)```", page("protocol"), re.DOTALL)
    checkpoint = open_checkpoint(text.encode(), lambda _: [log])
    assert (checkpoint.head.size, checkpoint.head.root.hex()) == (2, held["root"])
    (seen,) = cosignature.verify(checkpoint.note, [witness])
    assert datetime.fromtimestamp(seen.time, UTC) == datetime(2026, 1, 31, 8, 0, 1, tzinfo=UTC)
    assert (logs.owner(log.name), witness.name) == ("310000", logs.witness("340000"))


def test_the_stores_tables_are_described(tmp_path: Path) -> None:
    """Both database files' tables stand on the page, and no others."""
    path = tmp_path / DATABASE
    Store.open(path, bytes(32)).close()
    for mark, file in (("facts", facts_path(path)), ("exchange", path)):
        with closing(sqlite3.connect(file)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        assert set(names("architecture", mark)) == {name for (name,) in found}
        assert f"`{file.name}`" in page("architecture")


def test_whatever_holds_who_and_about_whom_in_clear_is_told(tmp_path: Path) -> None:
    """Each table with a column for a code, an agency, an officer or what is private stands in docs/privacy.md."""
    path = tmp_path / "node.db"
    Store.open(path, bytes(32)).close()
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            """SELECT DISTINCT t.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
               WHERE t.type = 'table' AND c.name IN ('uscc', 'agency', 'officer', 'private')"""
        ).fetchall()
    tables = {name for (name,) in found}
    assert {"ledger_entry", "preview"} <= tables
    assert tables - set(quoted(page("privacy"))) == set()


def test_every_named_test_exists() -> None:
    """Each `file::test` on any page is a test of that file."""
    texts = [each.read_text(encoding="utf-8") for each in PAGES]
    named = {found for text in texts for found in re.findall(r"`(tests/\w+\.py)::(\w+)`", text)}
    assert named
    missing = [f"{file}::{test}" for file, test in sorted(named) if test not in functions_of(ROOT / file)]
    assert missing == []


def functions_of(path: Path) -> set[str]:
    """Name the test functions of a file; one that is not there has none."""
    if not path.is_file():
        return set()
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_threat_has_a_row_with_a_proof_or_says_that_it_is_not_built() -> None:
    """Threats 1 to 25 stand in order; a row names tests or says plainly that there are none."""
    rows = [line.strip("| ").split(" | ") for line in page("threat-model").splitlines() if re.match(r"\| \d", line)]
    assert [int(row[0]) for row in rows] == list(range(1, THREATS + 1))
    assert [row[0] for row in rows if not quoted(row[3]) and row[3] != "not built yet"] == []
    assert [row[0] for row in rows if len(row) > len(("number", "threat", "defence", "proof"))] == []
    assert [row[0] for row in rows if re.sub(r"`[^`]+`| ", "", row[3]) not in {"", "notbuiltyet"}] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_nothing_stands_twice(path: Path) -> None:
    """A page says a thing once: no long line again, no paragraph that begins with the same bold word."""
    lines = path.read_text(encoding="utf-8").splitlines()
    bold = [found[0] for each in lines if (found := re.match(r"\*\*[^*]+\*\*", each))]
    long = [each for each in lines if len(each) > 100 and not each.startswith("|")]
    assert [each for each, count in Counter([*bold, *long]).items() if count > 1] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    """A relative link names a file or folder of the tree."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    own = [each for each in targets if not re.match(r"[a-z]+:", each)]
    assert [each for each in own if not (path.parent / each).exists()] == []


@pytest.mark.parametrize("path", sorted((DOCS / "adr").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_its_parts_and_fits_a_page(path: Path) -> None:
    """Context, options, decision and price, in this order, on at most a page; the number is the file's."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS_OF_A_DECISION
    assert text.startswith(f"# {path.stem[:4]}. ")
    assert len(text.split()) <= 420


def test_decisions_are_numbered_without_a_hole() -> None:
    """No number is left out and none stands twice."""
    numbers = [int(path.stem[:4]) for path in sorted((DOCS / "adr").glob("*.md"))]
    assert numbers == list(range(len(numbers)))


def test_both_readmes_lead_to_the_same_places() -> None:
    """The Chinese page offers the links, commands and licence of the English one."""
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    links = re.compile(r"\]\(([^)]+)\)")
    found = set(links.findall(english)) - {"README.zh-CN.md"}
    assert found == set(links.findall(chinese)) - {"README.md"}
    for command in ("scripts/demo", "scripts/test"):
        assert command in english
        assert command in chinese
        assert (ROOT / command).is_file()


def test_the_configuration_is_described(tmp_path: Path) -> None:
    """Every key that the reader knows has a row, and no other; the reader itself names them all."""
    path = tmp_path / "node.toml"
    path.write_text(
        'odd = 1\n[bundle]\nodd = 1\n[keys]\nodd = 1\n[clock]\nsource = "file"\nodd = 1\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    known = {}
    for fault in caught.value.faults:
        if found := re.match(r"(bundle\.|keys\.|clock\.|)odd: .*\((.*)\)", fault):
            known[found[1]] = found[2].split(", ")
    expected = {f"{place}{name}" for place, keys in known.items() for name in keys} - {"bundle", "keys", "clock"}
    assert set(names("operating", "config")) == expected


def test_every_command_is_described() -> None:
    """The table of commands is what the command line offers."""
    assert set(names("operating", "commands")) == {" ".join(("yrdx", *each)) for each in leaves(main, ())}


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Give the path of every command that does something."""
    if not isinstance(command, click.Group):
        yield path
        return
    for name, each in command.commands.items():
        yield from leaves(each, (*path, name))


def test_the_profile_is_described() -> None:
    """Every field of an officer's profile has a row, in its order."""
    assert names("operating", "profile") == [field.name for field in fields(Profile)]


def test_every_refusal_has_its_advice() -> None:
    """Whoever runs a node finds each reason with what to do, in the order of the protocol's table."""
    assert names("operating", "refusals") == names("protocol", "reasons")


def test_the_metrics_are_described() -> None:
    """Each series that a collector reads has a row."""
    found = re.findall(r"^# TYPE (\w+) ", Metrics().text().decode(), re.MULTILINE)
    assert set(names("operating", "metrics")) == set(found)
