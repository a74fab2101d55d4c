"""Editions of agreements: none comes back, none changes under its number, and none goes without the quorum."""

from __future__ import annotations

from keys.bundle import agreements, layout, sections
from keys.bundle.agreements import Edition
from keys.envelope import from_json
from keys.errors import KeysError
from nodes.trust.draft import AGREEMENTS, After
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.published import Published

_LIST = f"{layout.AGREEMENTS}.json"


def check_editions(after: After, base: Published | None) -> None:
    """Check that each agreement is the one published, or a higher edition, and that the quorum lists just these.

    Raises:
        TrustRefused: AGREEMENT_EDITION, or BUNDLE_REFUSED when another one is listed than would be there.
    """
    try:
        statements = {name: from_json(content).payload for name, content in after.agreements().items()}
        for name, statement in statements.items():
            _check_follows(name, agreements.edition_of(statement), _published(name, base))
        agreements.check_editions(_listed(after), statements)
    except KeysError as error:
        raise TrustRefused(Ground.BUNDLE_REFUSED, why=str(error)) from error


def _check_follows(name: str, new: Edition, old: Edition | None) -> None:
    if old is not None and new != old and new.number <= old.number:
        raise TrustRefused(Ground.AGREEMENT_EDITION, agreement=name, edition=old.number)


def _published(name: str, base: Published | None) -> Edition | None:
    held = base.files.get(f"{AGREEMENTS}{name}.json") if base else None
    return None if held is None else agreements.edition_of(from_json(held).payload)


def _listed(after: After) -> dict[str, Edition]:
    content = after.files().get(_LIST)
    if content is None:
        return {}
    return sections.editions_in([sections.read_file(layout.TARGETS, _LIST, content, (layout.EDITIONS,))])
