"""A publisher never goes back behind what it signed or saw published, whatever folder it is shown (threat 11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from councils import LATER, draft_of, first, key, signed_but

from nodes.trust.draft import Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.proposing import refresh
from nodes.trust.published import Published
from nodes.trust.publishing import Step, publish
from nodes.trust.seen import Seen, read_seen, write_seen

ROOT = first().roots[0]
ONE, TWO, THIRD = "310000", "320000", "330000"
Memories = dict[str, Seen]


def purpose(document: dict[str, Any]) -> None:
    """Let a purpose show less."""
    document["purposes"][0]["retention_months"] += 1


def step(draft: Draft, base: Published | None, member: str, seen: Memories, *, again: bool = False) -> Step:
    """Take one turn with a memory."""
    found = publish(
        draft,
        base,
        key(member, "publisher"),
        now=LATER + timedelta(minutes=5),
        root=ROOT,
        seen=seen.get(member),
        stand_in=True,
        again=again,
    )
    seen[member] = found.seen.with_published(found.published) if found.published else found.seen
    return found


def second() -> tuple[Published, Memories]:
    """Let two publishers publish a second bundle: the first of them does not see the end."""
    seen: Memories = {}
    draft = step(signed_but(draft_of(purpose)), first(), ONE, seen).draft
    draft = step(draft, first(), TWO, seen).draft
    found = step(draft, first(), ONE, seen).published
    assert found is not None
    return found, seen


def refused() -> Any:
    """Expect that a publisher does not sign."""
    return pytest.raises(TrustRefused, match=f"^{Ground.NOT_SEEN.value} ")


@pytest.mark.parametrize("member", [ONE, TWO])
def test_nobody_cosigns_on_a_folder_from_before(member: str) -> None:
    """Neither who ended the turns nor who only signed a timestamp refreshes, or goes on from, the bundle before."""
    _, seen = second()
    for draft in (refresh(first()), signed_but(draft_of(purpose))):
        with refused():
            step(draft, first(), member, seen)


def test_whoever_saw_a_bundle_published_never_begins_anew_before_it() -> None:
    """Not even with --again, and not on an empty folder."""
    found, seen = second()
    for draft, base in (
        (refresh(first()), first()),
        (replace(draft_of(purpose), base_version=0, base_digest=""), None),
    ):
        with pytest.raises(TrustRefused) as error:
            step(draft, base, ONE, seen, again=True)
        assert error.value.ground in {Ground.NOT_SEEN, Ground.NOT_EXTENDING}
    with refused():
        seen[ONE].with_published(None)
    assert step(refresh(found), found, ONE, seen).made == ("timestamp",)


def test_another_bundle_of_the_same_version_is_not_followed() -> None:
    """Two publishers who were shown the old folder made a second version 2: who saw the first one stays with it."""
    _, seen = second()
    other: Memories = {}
    draft = step(
        signed_but(draft_of(lambda d: d["purposes"][1].update(retention_months=1))), first(), THIRD, other
    ).draft
    draft = step(draft, first(), "340000", other).draft
    fork = step(draft, first(), THIRD, other).published
    assert fork is not None
    assert fork.version == 2
    with refused():
        step(refresh(fork), fork, ONE, seen)


def test_a_crash_does_not_keep_a_publisher_from_its_own_draft() -> None:
    """Who signed a timestamp that waits for another one may come again to the same draft, and begin it anew."""
    seen: Memories = {}
    draft = step(refresh(first()), first(), ONE, seen).draft
    again = step(replace(draft, signatures={}), first(), ONE, dict(seen))
    assert again.draft.stage == draft.stage
    assert step(refresh(first()), first(), ONE, seen, again=True).made == ("timestamp",)


def test_a_memory_is_kept_in_a_file_and_never_guessed(tmp_path: Path) -> None:
    """What was seen comes back from the disk; without a file nothing was seen, and a torn one stops the publisher."""
    path = tmp_path / "publisher.seen"
    assert read_seen(path) == Seen()
    _, seen = second()
    write_seen(seen[ONE], path)
    assert read_seen(path) == seen[ONE]
    for text in ("{", "[]", '{"versions": {}, "digests": {}, "published": {"root": 1}}'):
        path.write_text(text)
        with pytest.raises(TrustRefused, match=r"^UNREADABLE "):
            read_seen(path)
