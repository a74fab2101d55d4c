"""One officer's key signs everything of a draft that it may sign, once its digest was confirmed."""

from __future__ import annotations

from datetime import datetime

from keys.bundle.agreements import AGREEMENT_TYPE
from keys.envelope import from_json, pae
from keys.suite import Signer
from nodes.trust.draft import AGREEMENTS, After, Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.published import Published
from nodes.trust.review import check_quarantine, review
from nodes.trust.standing import may_sign


def sign(draft: Draft, base: Published | None, signer: Signer, *, digest: str, now: datetime) -> Draft:
    """Add a key's signatures to a draft that passes every check; `digest` is what its holder confirmed.

    Raises:
        TrustRefused: NOT_CONFIRMED for another digest, NOTHING_TO_SIGN when the key has no seat in what is left, and
            what `review` and `check_quarantine` raise.
    """
    if digest != draft.digest:
        raise TrustRefused(Ground.NOT_CONFIRMED, digest=draft.digest)
    check_quarantine(review(draft, base, now=now))
    return add(draft, base, signer)


def add(draft: Draft, base: Published | None, signer: Signer) -> Draft:
    """Add a key's signatures without looking: for whoever made the draft in the same process.

    Raises:
        TrustRefused: NOTHING_TO_SIGN.
    """
    names = may_sign(draft, base, signer.id)
    if not names:
        raise TrustRefused(Ground.NOTHING_TO_SIGN, key=signer.id)
    after = After(draft=draft, base=base)
    return draft.with_signatures(signer.id, {name: signer.sign(_message(after, name)) for name in names})


def _message(after: After, name: str) -> bytes:
    if name.startswith(AGREEMENTS):
        payload = from_json(after.draft.agreements[name.removeprefix(AGREEMENTS)]).payload
        return pae(AGREEMENT_TYPE, payload)
    return after.sheet(name).message
