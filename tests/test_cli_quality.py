"""`yrdx quality` over a real store: files through ingest, months of loads, items asked under, the signed report."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hands import files_of, root_of, timed, tops_of
from stores import SCRIBE
from test_cli_words import described
from test_ingest import CODES, FIRM, GOOD, write

from gateway.charter import Charter
from gateway.ports import Feed
from keys import custody
from nodes.bundle.following import current_charter
from nodes.cli import main, words
from nodes.cli.session import INCOMPLETE, NOT_GENUINE, USAGE, Session
from nodes.config import DATABASE, read_config
from nodes.federation import REFERENCE, document, feeds, lifetimes
from nodes.ingest import Terms, ingest, release
from nodes.lab import LIGHT
from nodes.mirror import publish
from nodes.setup import Setting, init_node
from nodes.store import Store, exchange_tables
from nodes.store.schema import facts_path

ME = "310000"
BEGUN = datetime(2026, 9, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 3, 4, tzinfo=UTC)
PENALTY = "310000-MARKET_REG-penalty"
RATING = "310000-RATING-rating"
SECRET_CELL = "绝密单元格"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A member's folder with a directory, and ways to load files and to ask at a time."""

    folder: Path

    @property
    def config(self) -> Path:
        """Name the config."""
        return self.folder / "node.toml"

    @property
    def charter(self) -> Charter:
        """Read the directory as the node does."""
        return current_charter(read_config(self.config))

    def opened(self) -> tuple[Store, bytes]:
        """Open the store."""
        config = read_config(self.config)
        secret = custody.load_secret(config.storage_key, custody.read_passphrase(config.passphrase_file))
        return Store.open(config.data / DATABASE, secret, SCRIBE), secret

    def load(self, feed: str, *rows: Mapping[str, str], at: datetime, through: str = "") -> None:
        """Load rows, each a change of the good one, at a time."""
        store, secret = self.opened()
        found = next(each for each in store.source.feeds() if each.id == feed)
        good = GOOD[found.record_class]
        columns = dict.fromkeys(name for row in (good, *rows) for name in row)
        file = write(self.folder / "file.csv", [{**good, **row} for row in rows], columns)
        day = datetime.fromisoformat(through).date() if through else None
        try:
            with store.loading() as loading:
                ingest(file, found, loading, self.charter, secret=secret, now=at, terms=Terms(data_through=day))
        finally:
            store.close()

    def release(self, at: datetime) -> int:
        """Read every held row again, and give how many loads that made."""
        store, secret = self.opened()
        declared = {each.id: each for each in store.source.feeds()}
        try:
            with store.loading() as loading:
                return len(list(release(loading, self.charter, declared, secret=secret, now=at, again=True)))
        finally:
            store.close()

    def ask(self, item: str, at: datetime) -> None:
        """Keep a result that was asked for under an item."""
        store, _ = self.opened()
        try:
            asyncio.run(
                store.asker.conclude(
                    (),
                    agency="310000-market",
                    case_reference="",
                    purpose="TENDERING",
                    application_item=item,
                    result=b"r",
                    result_digest=bytes(32),
                    issued=(),
                    now=at,
                )
            )
        finally:
            store.close()

    def run(self, *arguments: str | Path, now: datetime = NOW, lang: str = "en") -> Result:
        """Run the command at a time."""
        texts = ["--lang", lang, "quality", "--config", str(self.config), *map(str, arguments)]
        return CliRunner().invoke(main, texts, obj=Session(now=lambda: now), env={"COLUMNS": "200"})

    def read(self, *arguments: str | Path, now: datetime = NOW) -> dict[str, Any]:
        """Run it for programs."""
        found: dict[str, Any] = json.loads(self.run("--json", *arguments, now=now).stdout)
        return found


def declared() -> tuple[Feed, ...]:
    """Give two of the reference's feeds: penalties each week, ratings each thirty days."""
    return tuple(each for each in feeds(REFERENCE, ME) if each.id in {PENALTY, RATING})


def build(folder: Path) -> Post:
    """Make Shanghai's folder and sign a directory of it, in force until the end of the year."""
    entry = init_node(
        folder, ME, agencies={}, feeds=declared(), lifetimes=lifetimes(REFERENCE),
        now=BEGUN, setting=Setting(), work=LIGHT,
    )  # fmt: skip
    found = document(REFERENCE, {ME: entry.standing})
    publish(folder / "mirror", files_of(timed(found, version=3, issued=BEGUN, expire=BEGUN + timedelta(days=120))))
    (folder / "root.json").write_bytes(root_of(tops_of(found)))
    post = Post(folder=folder)
    store, _ = post.opened()
    with store.loading() as loading:
        loading.declare_feeds(declared())
    store.close()
    return post


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """Give a member that has loaded nothing."""
    return build(tmp_path / "sh")


def row(number: int, **more: str) -> dict[str, str]:
    """Give a penalty of this number."""
    return {"CF_WSH": f"样例〔2026〕{number}号", "CF_XDR_MC": SECRET_CELL, **more}


@pytest.fixture
def october(post: Post) -> Post:
    """Load October's files. The penalties' due days are Wednesdays: 7, 14, 21 and 28 October."""
    post.load(PENALTY, row(1), at=datetime(2026, 9, 30, 4, tzinfo=UTC))
    rows = (
        row(2, CF_JDRQ="2026-10-01", reported_on="2026-10-09"),
        row(3, CF_JDRQ="2026-09-01", reported_on="2026-10-09"),
        row(4, CF_JDRQ="not a day"),
        row(5, CF_WFXW="没有这种行为"),
        row(6, CF_XDR_SHXYM="123"),
        row(7, CF_XDR_LB="自然人"),
        row(8, CF_CFJGDM=CODES["320509-market"]),
    )
    post.load(PENALTY, *rows, at=datetime(2026, 10, 13, 4, tzinfo=UTC))
    post.load(PENALTY, at=datetime(2026, 10, 20, 16, 30, tzinfo=UTC))  # already the 21st in Shanghai
    post.load(PENALTY, row(9), at=datetime(2026, 10, 31, 16, tzinfo=UTC))  # already November in Shanghai
    post.ask("SH-2026-001", datetime(2026, 10, 5, tzinfo=UTC))
    post.ask("SH-2026-001", datetime(2026, 10, 6, tzinfo=UTC))
    post.ask("SH-2026-002", datetime(2026, 9, 30, 15, tzinfo=UTC))  # still September
    return post


def test_a_month_is_what_was_loaded_and_asked(october: Post) -> None:
    """Every figure follows from files that came through ingest, by the civil days of Shanghai."""
    found = october.read()
    node, (penalty, rating) = found["node"], found["feeds"]
    assert (found["month"], found["month_over"], found["feeds"][0]["feed"]) == ("2026-10", True, PENALTY)
    # The 14th and the 21st; the file of 30 September reaches beyond it, and so is on time for the 7th too.
    assert penalty["timeliness"] == {"part": 2, "whole": 4, "percent": 50.0, "goal": 70, "met": False}
    assert (rating["timeliness"]["part"], rating["timeliness"]["whole"]) == (0, 1)
    # Received: kept 2 and 3, held 4 and 5, rejected 6. A person's row and another member's are not.
    assert (penalty["association"]["part"], penalty["association"]["whole"]) == (2, 5)
    assert penalty["not_counted"] == {"deleted": 0, "not_ours": 1, "out_of_scope": 1}
    assert penalty["rejected"] == {"CODE_LENGTH": 1}
    assert penalty["publicity"] == {"on_time": 1, "measured": 2, "percent": 50.0, "unmeasured": 0}
    assert found["held"] == [{"feed": PENALTY, "reasons": {"BAD_DATE": 1, "UNKNOWN_BEHAVIOUR": 1}}]
    assert (node["application"]["part"], node["feedback_counted"]) == (1, False)
    assert "SH-2026-001" not in node["unused_items"]
    assert {"SH-2026-002", "SH-2026-022"} <= set(node["unused_items"])
    assert node["application"]["whole"] == 1 + len(node["unused_items"])
    assert found["partial"] == [
        {"domain": "MARKET_REG", "feeds": [{"feed": PENALTY, "causes": ["GAPS"]}]},
        {"domain": "RATING", "feeds": [{"feed": RATING, "causes": ["NEVER_LOADED"]}]},
    ]
    assert found["overdue"] == [{"feed": RATING, "next_due": None, "days": None}]
    assert (found["today"], found["calendar_missing"]) == ("2026-11-03", False)
    assert october.run().exit_code == INCOMPLETE


def test_a_second_look_at_held_rows_changes_no_month(october: Post) -> None:
    """Rows are judged as they came: reading them again is no delivery, and counts them no second time."""
    before = october.read()
    assert october.release(datetime(2026, 10, 28, 4, tzinfo=UTC)) == 1
    assert october.read() == before


def test_agencies_are_those_that_deliver_and_those_that_decide(october: Post) -> None:
    """A row whose agency is not known stands under an empty name."""
    found = {each["agency"]: each for each in october.read()["agencies"]}
    assert (found["310118-market"]["association"]["part"], found["310118-market"]["timeliness"]["whole"]) == (2, 0)
    assert found["310000-market"]["timeliness"]["whole"] == 4
    assert sum(each["association"]["whole"] for each in found.values()) == 5


def test_a_feed_that_kept_its_beat_meets_its_goal(post: Post) -> None:
    """With every week delivered and every item asked under, the command ends with 0."""
    for day in (6, 13, 20, 27):
        post.load(PENALTY, row(day), at=datetime(2026, 10, day, 4, tzinfo=UTC))
    post.load(RATING, {}, at=datetime(2026, 10, 1, 4, tzinfo=UTC))
    for number in range(1, 23):
        post.ask(f"SH-2026-{number:03}", datetime(2026, 10, 7, tzinfo=UTC))
    found = post.read()
    assert {name: found["node"][name]["percent"] for name in ("timeliness", "association", "application")} == {
        "timeliness": 100.0,
        "association": 100.0,
        "application": 100.0,
    }
    assert post.run("--month", "2026-10").exit_code == 0


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_people_read_it_in_their_language(october: Post, language: str) -> None:
    """Tables name feed, agency, reason and what stands open; no cell, code or name of a subject stands in them."""
    result = october.run(lang=language)
    said = words.Words(language=language)
    for key in ("quality.node", "quality.agencies", "quality.feeds", "quality.rejected", "quality.held"):
        assert said.say(key) in result.stdout
    for text in (PENALTY, RATING, "310118-market", "CODE_LENGTH", said.code("cause", "NEVER_LOADED"), "50.0 (2/4)"):
        assert text in result.stdout
    assert said.say("quality.no_feedback") in result.stdout
    for text in (FIRM, SECRET_CELL, "样例〔2026〕"):
        assert text not in result.output + json.dumps(october.read(), ensure_ascii=False)


def test_a_month_that_is_not_over_is_shown_and_not_exported(october: Post, tmp_path: Path) -> None:
    """Its figures still change: it may be looked at, but nobody signs it."""
    now = datetime(2026, 10, 31, 15, tzinfo=UTC)
    result = october.run("--month", "2026-10", now=now)
    assert words.Words(language="en").say("quality.not_over") in result.stdout
    assert october.read("--month", "2026-10", now=now)["month_over"] is False
    out = tmp_path / "report"
    assert october.run("--month", "2026-10", "--export", out, now=now).exit_code == USAGE
    assert not out.exists()
    assert october.run("--month", "2026-10", "--export", out, now=now + timedelta(hours=1)).exit_code == INCOMPLETE


@pytest.mark.parametrize("month", ["2026-13", "October", "2026-12"])
def test_a_month_that_is_none_or_to_come_ends_with_2(post: Post, month: str) -> None:
    """So does a config that is missing; the text says why."""
    result = post.run("--month", month)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    shutil.rmtree(post.folder / "mirror")
    assert post.run().exit_code == USAGE


def verify(post: Post, file: Path, *more: str) -> Result:
    """Verify a file against the root."""
    texts = ["--lang", "en", "verify", str(file), "--root", str(post.folder / "root.json"), *more]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: NOW), env={"COLUMNS": "200"})


def test_a_report_is_signed_verified_and_never_written_over(october: Post, tmp_path: Path) -> None:
    """Whoever has the root of trust can check it, without the member; a name that is taken stays as it is."""
    out = tmp_path / "2026-10.quality"
    assert october.run("--export", out).exit_code == INCOMPLETE
    content = out.read_bytes()
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [out.name]
    result = verify(october, out)
    assert result.exit_code == 0
    for text in (ME, "2026-10", "40.0", "2/5"):
        assert text in result.stdout
    document = json.loads(verify(october, out, "--json").stdout)
    assert (document["genuine"], document["member"], document["directory_version"]) == (True, ME, 3)
    assert document["rates"]["timeliness"] == october.read()["node"]["timeliness"]
    assert october.run("--export", out).exit_code == USAGE
    assert out.read_bytes() == content


def test_a_report_that_was_changed_is_not_genuine(october: Post, tmp_path: Path) -> None:
    """The signature covers each byte; of a false file nothing is shown."""
    out = tmp_path / "2026-10.quality"
    october.run("--export", out)
    text = json.loads(out.read_bytes())
    text["signatures"][0]["sig"] = "A" * 86 + "=="
    out.write_text(json.dumps(text), encoding="utf-8")
    result = verify(october, out)
    assert (result.exit_code, "310118-market" in result.stdout) == (NOT_GENUINE, False)
    document = json.loads(verify(october, out, "--json").stdout)
    assert (document["genuine"], document["rates"], document["parts"][-1]["failed"]) == (False, None, "SIGNATURE")


def test_the_json_is_what_its_page_says(october: Post, tmp_path: Path) -> None:
    """Every object has exactly the described fields, in their order."""
    found = october.read()
    assert list(found) == described("quality")
    assert list(found["node"]) == described("quality_node")
    assert list(found["feeds"][0]) == ["feed", *described("quality_scores")]
    assert list(found["agencies"][0]) == ["agency", *described("quality_scores")]
    assert list(found["node"]["timeliness"]) == described("quality_rate")
    out = tmp_path / "report"
    october.run("--export", out)
    assert list(json.loads(verify(october, out, "--json").stdout)) == described("quality_verified")


def test_an_older_database_is_brought_up_to_date(october: Post) -> None:
    """Results from before the item was kept count for no item; loads from before rows were counted, for no row."""
    database = read_config(october.config).data / DATABASE
    older = database.with_suffix(".older")
    with sqlite3.connect(older) as connection:
        for statement in exchange_tables.TABLES:
            connection.execute(statement)
        connection.execute("ATTACH ? AS newer", (str(database),))
        columns = "seq, agency, case_reference, body, day, time"
        connection.execute(f"INSERT INTO result ({columns}) SELECT {columns} FROM newer.result")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    older.replace(database)
    with sqlite3.connect(facts_path(database)) as connection:
        connection.execute("DELETE FROM load_count")
    connection.close()
    node = october.read()["node"]
    assert (node["application"]["part"], node["association"]["whole"], node["timeliness"]["part"]) == (0, 0, 2)
