"""The light of a row (requirement A10): red with the codes of its reasons, green, or neither; never a case's text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from gateway.verdicts import RowVerdict

if TYPE_CHECKING:
    from gateway.verdicts import RowFinding


class Colour(Enum):
    """Colours of a light."""

    GREEN = "GREEN"
    RED = "RED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A colour and the codes of its reasons; no colour while the row decides nothing."""

    colour: Colour | None = None
    reasons: tuple[str, ...] = ()


_COLOURS = {RowVerdict.RESTRICTED: Colour.RED, RowVerdict.NOTHING_FOUND: Colour.GREEN}
DARK = Light()


def light(found: RowFinding) -> Light:
    """Give the light of a row: none while a member is missing, a name differs, or what is adverse is disputed.

    The row's verdict still says RESTRICTED where something adverse stands and a member is missing.
    """
    colour = _COLOURS.get(found.verdict)
    if colour is None or found.missing:
        return DARK
    return Light(colour=colour, reasons=found.reasons)
