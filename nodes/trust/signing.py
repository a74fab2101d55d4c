"""Officers' keys sign everything of a draft that they may sign, once its digest was confirmed."""

from __future__ import annotations

from datetime import datetime

from keys.bundle.agreements import AGREEMENT_TYPE
from keys.envelope import from_json, pae
from keys.suite import Signer
from nodes.trust.draft import AGREEMENTS, After, Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.published import Published
from nodes.trust.review import check_quarantine, review
from nodes.trust.standing import counts, may_sign


def sign(draft: Draft, base: Published | None, *signers: Signer, digest: str, now: datetime) -> Draft:
    """Add signatures to a draft that passes every check; `digest` is what whoever holds these keys confirmed.

    Raises:
        TrustRefused: NOT_CONFIRMED for another digest, NOTHING_TO_SIGN when no key has a seat in what is left, and
            what `review` and `check_quarantine` raise.
    """
    if digest != draft.digest:
        raise TrustRefused(Ground.NOT_CONFIRMED)
    check_quarantine(review(draft, base, now=now))
    return add(draft, base, *signers)


def add(draft: Draft, base: Published | None, *signers: Signer) -> Draft:
    """Add signatures to a draft that was looked at; what is there already is counted once, however many sign.

    Raises:
        TrustRefused: NOTHING_TO_SIGN when none of the keys has a seat in what is left.
    """
    after, found, done = After(draft=draft, base=base), counts(draft, base), draft
    for signer in signers:
        if names := may_sign(found, signer.id):
            done = done.with_signatures(signer.id, {name: signer.sign(_message(after, name)) for name in names})
    if done is draft:
        raise TrustRefused(Ground.NOTHING_TO_SIGN, key=", ".join(each.id for each in signers))
    return done


def _message(after: After, name: str) -> bytes:
    if name.startswith(AGREEMENTS):
        payload = from_json(after.draft.agreements[name.removeprefix(AGREEMENTS)]).payload
        return pae(AGREEMENT_TYPE, payload)
    return after.sheet(name).message
