"""The words of the command line in both languages, and the choice between them; every text stands in words.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "zh")
VARIABLES = ("YRDX_LANG", "LC_ALL", "LANG")
_CONTROLS = (*range(32), *range(127, 160), 0x2028, 0x2029)
_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HARMLESS = dict.fromkeys((*_CONTROLS, *_BIDIRECTIONAL), "\N{REPLACEMENT CHARACTER}")


@cache
def table() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Read every text: group, key, language."""
    found: dict[str, Any] = tomllib.loads(resources.files("nodes.cli").joinpath("words.toml").read_text("utf-8"))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The texts in one language."""

    language: str

    def say(self, key: str, /, **values: object) -> str:
        """Give the text of `group.key`, with its places filled.

        Raises:
            KeyError: when there is no such text; a test walks the keys.
        """
        group, _, name = key.partition(".")
        text = table()[group][name][self.language]
        return text.format(**{place: plain(str(value)) for place, value in values.items()}) if values else text

    def code(self, group: str, name: str) -> str:
        """Give the word for a code of a list, or the code itself where the list has grown."""
        row = table()[group].get(name)
        return row[self.language] if row else plain(name)


def choose(option: str | None, environment: Mapping[str, str], preferred: str = "") -> str:
    """Choose a language: the option, YRDX_LANG, the profile's, LC_ALL, LANG; whatever does not begin with zh is en."""
    if option:
        return option
    ours, *others = (environment.get(name, "") for name in VARIABLES)
    wish = next((each for each in (ours, preferred, *others) if each), "")
    return "zh" if wish.lower().startswith("zh") else "en"


def plain(text: str) -> str:
    """Make a text of another member harmless to a terminal: no control characters, no change of direction."""
    return text.translate(_HARMLESS)
