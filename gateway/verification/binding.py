"""Whether a genuine file answers what was asked, and not somebody else's question."""

from __future__ import annotations

from dataclasses import replace

from gateway.model.question import Body
from gateway.verification.verdict import Check, Part, Verdict


def bound(verdict: Verdict, *, body: Body, intent_digest: bytes | None = None) -> Verdict:
    """Take the content from a genuine answer to another body, or to another signed intent where its digest is known."""
    content = verdict.content
    if content is None:
        return verdict
    bodies = {each.signed.question.body == body for each in content.exchanges}
    ours = bodies == {True} and intent_digest in {None, content.result.intent_digest}
    part = Part(name="intent", failed=None if ours else Check.BINDING, detail="" if ours else "another intent")
    return replace(verdict, parts=(*verdict.parts, part), content=content if ours else None)
