"""Names of subjects as keyed digests: enough to answer whether a caller's name is the registered one."""

import re
import unicodedata

from keys.bodies import keyed_digest

_SPACES = re.compile(r"\s+")


def normalised(name: str) -> str:
    """Fold what is the same name to a reader: width, case, blanks."""
    return _SPACES.sub("", unicodedata.normalize("NFKC", name)).casefold()


def name_digest(secret: bytes, uscc: str, name: str) -> bytes:
    """Give the digest that stands in the register in place of the name of this subject."""
    return keyed_digest(secret, uscc.encode(), normalised(name).encode())
