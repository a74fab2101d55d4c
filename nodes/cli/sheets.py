"""The tables of the command line: no cell is ever markup, and Chinese takes its width."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from nodes.cli.words import Words, plain

WARNING, GOOD, BAD = "yellow", "green", "bold red"


def table(words: Words, title: str, *columns: str, style: str = "") -> Table:
    """Start a table with a title and columns, by their keys."""
    found = Table(
        title=Text(words.say(title)) if title else None,
        title_justify="left",
        title_style=style or "bold",
        show_header=any(columns),
        box=None,
        pad_edge=False,
    )
    for each in columns:
        found.add_column(Text(words.say(f"column.{each}") if each else ""), overflow="fold")
    return found


def row(found: Table, *cells: str, style: str = "") -> None:
    """Add a row of plain texts: nothing in them is markup."""
    found.add_row(*(Text("\n".join(map(plain, each.split("\n")))) for each in cells), style=style)
