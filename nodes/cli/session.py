"""What every command shares: the language, the clock, how a command ends, and help in the chosen language."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

import click

from keys.boxes import MODERATE, Work
from nodes.cli.words import Words, choose, plain

COMPLETE, NOT_GENUINE, USAGE, INCOMPLETE, REFUSED, UNREACHABLE = 0, 1, 2, 3, 4, 5
INTERRUPTED = 130
STATUS_UNKNOWN, LATE, SUPERSEDED, RECALLED = 10, 11, 12, 13


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Session:
    """One run of the command line."""

    option: str | None = None
    preferred: str = ""
    now: Callable[[], datetime] = field(default=_now)
    work: Work = MODERATE

    @property
    def words(self) -> Words:
        """The texts in the language of this run."""
        return Words(language=choose(self.option, os.environ, self.preferred))


def session() -> Session:
    """Give the session of the command that runs, or a new one."""
    context = click.get_current_context(silent=True)
    if context is None:
        return Session()
    root = context.find_root()
    if not isinstance(root.obj, Session):
        root.obj = Session()
    return root.obj


class Ended(click.ClickException):
    """A command ends with a text of words.toml and an exit code; the text never names a subject."""

    def __init__(self, key: str, /, code: int = USAGE, *, lines: tuple[str, ...] = (), **values: object) -> None:
        """Say the text in the language of the session."""
        words = session().words
        super().__init__("\n  ".join((words.say(key, **values), *map(plain, lines))))
        self.exit_code = code  # type: ignore[misc]  # each ending has its own
        self._prefix = words.say("message.prefix")

    def show(self, file: IO[Any] | None = None) -> None:  # type: ignore[explicit-override]  # 3.11 has no marker
        """Write the text to stderr."""
        click.echo(f"{self._prefix}{self.format_message()}", file=file, err=file is None)


def _said(key: str | None) -> str | None:
    return session().words.say(key) if key else key


class SpeakingOption(click.Option):
    """An option whose help is a key of words.toml."""

    def get_help_record(  # type: ignore[explicit-override]  # 3.11 has no marker
        self, ctx: click.Context
    ) -> tuple[str, str] | None:
        """Give the help in the language of the session."""
        spoken = copy.copy(self)
        spoken.help = _said(self.help)
        return click.Option.get_help_record(spoken, ctx)


class SpeakingCommand(click.Command):
    """A command whose help is a key of words.toml."""

    def format_help_text(  # type: ignore[explicit-override]  # 3.11 has no marker
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the help in the language of the session."""
        spoken = copy.copy(self)
        spoken.help = _said(self.help)
        click.Command.format_help_text(spoken, ctx, formatter)

    def get_short_help_str(self, limit: int = 45) -> str:  # type: ignore[explicit-override]  # 3.11 has no marker
        """Give the first sentence in the language of the session."""
        del limit  # the sentences are short
        text = _said(self.help) or ""
        return text.partition("\n")[0].rstrip(".。")


class SpeakingGroup(SpeakingCommand, click.Group):
    """A group whose help is a key of words.toml."""

    command_class = SpeakingCommand


def option(*names: str, say: str, **settings: Any) -> Callable[[Any], Any]:  # noqa: ANN401  click's own signature
    """Declare an option whose help is a key of words.toml."""
    return click.option(*names, cls=SpeakingOption, help=say, **settings)
