"""Why the officers' tool does not do what it is asked; each ground has its text in both languages in words.toml."""

from __future__ import annotations

from enum import Enum
from typing import Any


class Ground(Enum):
    """A ground of refusal: what to do next stands in its text."""

    UNREADABLE = "UNREADABLE"
    BUNDLE_REFUSED = "BUNDLE_REFUSED"
    TABLES_REFUSED = "TABLES_REFUSED"
    ROOT_WANTED = "ROOT_WANTED"
    EXISTS = "EXISTS"
    MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
    MEMBER_MALFORMED = "MEMBER_MALFORMED"
    KEYS_MISSING = "KEYS_MISSING"
    KEY_UNFIT = "KEY_UNFIT"
    KEY_COPIED = "KEY_COPIED"
    KEY_USE = "KEY_USE"
    ROLES_EXCLUDE = "ROLES_EXCLUDE"
    NOT_PROVEN = "NOT_PROVEN"
    NOTHING_CHANGED = "NOTHING_CHANGED"
    NOT_EXTENDING = "NOT_EXTENDING"
    DRAFT_ALTERED = "DRAFT_ALTERED"
    QUARANTINE_UNKNOWN = "QUARANTINE_UNKNOWN"
    MAPPING_CHANGED = "MAPPING_CHANGED"
    MAPPING_UPGRADES = "MAPPING_UPGRADES"
    MAPPING_JUMPS = "MAPPING_JUMPS"
    AGREEMENT_EDITION = "AGREEMENT_EDITION"
    NOTHING_TO_SIGN = "NOTHING_TO_SIGN"
    NOT_CONFIRMED = "NOT_CONFIRMED"
    SIGNATURES_MISSING = "SIGNATURES_MISSING"
    NOT_ON_DUTY = "NOT_ON_DUTY"
    NOT_SEEN = "NOT_SEEN"


class TrustRefused(Exception):
    """The tool refuses; `values` fill the places of the ground's text, none of them is a key or a passphrase."""

    def __init__(self, ground: Ground, **values: Any) -> None:  # noqa: ANN401  whatever the text shows
        """Keep the ground and what its text needs."""
        super().__init__(f"{ground.value} {values}")
        self.ground, self.values = ground, values
