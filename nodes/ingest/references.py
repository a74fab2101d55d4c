"""How a repair or an objection of one feed points at a record of another: by a digest that only the member can make."""

from typing import Literal

from keys.bodies import keyed_digest

Target = Literal["penalty", "listing"]


def reference(secret: bytes, target: Target, agency: str, number: str, uscc: str) -> bytes | None:
    """Give the reference of a decision on a subject, None when it has no number.

    `agency` is the id of the agency that decided, `number` the document number of a penalty or the record key of an
    entry in a list.
    """
    if not number:
        return None
    return keyed_digest(secret, b"reference", target.encode(), agency.encode(), number.encode(), uscc.encode(), size=16)
