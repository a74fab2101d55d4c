"""How a repair or an objection of one feed points at a record of another: by a digest that only the member can make."""

import unicodedata
from typing import Literal

from keys.bodies import keyed_digest

Target = Literal["penalty", "listing"]


_BRACKETS = str.maketrans("〔〕[]", "()()")


def folded_number(number: str) -> str:
    """Give a document number as it is compared: without blanks, full-width forms and kinds of brackets.

    One decision is written 〔2026〕, [2026] and （2026） by those who copy it, and stays one record.
    """
    return "".join(unicodedata.normalize("NFKC", number).translate(_BRACKETS).split())


def reference(secret: bytes, target: Target, agency: str, number: str, uscc: str) -> bytes | None:
    """Give the reference of a decision on a subject, None when it has no number.

    `agency` is the id of the agency that decided, `number` the document number of a penalty or the record key of an
    entry in a list; its spellings are one.
    """
    folded = folded_number(number)
    if not folded:
        return None
    return keyed_digest(secret, b"reference", target.encode(), agency.encode(), folded.encode(), uscc.encode(), size=16)
