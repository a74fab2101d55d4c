"""The tables of the command line: no cell is ever markup, and Chinese takes its width."""

from __future__ import annotations

from rich.console import Console
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


def show_id(console: Console, digest: bytes) -> None:
    """Print an id on a line of its own: whole in the narrowest terminal, so that it may be copied."""
    console.print(Text(digest.hex()), soft_wrap=True)


def row(found: Table, *cells: str, style: str = "") -> None:
    """Add a row of plain texts: nothing in them is markup."""
    found.add_row(*(Text("\n".join(map(plain, each.split("\n")))) for each in cells), style=style)
