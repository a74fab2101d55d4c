"""System, security and audit exclude one another: in the register, when a bundle is reviewed, and at the desk."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from councils import LATER, draft_of, first, proven
from hypothesis import given
from hypothesis import strategies as st
from test_trust import DESK_KEY, refusal, with_officer

from gateway.errors import CatalogueMalformed
from keys import suite
from keys.members import EXCLUSIVE, ROLES, Officer, Role, excluded
from nodes.federation import REFERENCE
from nodes.federation.compiling import officers
from nodes.setup import DESK
from nodes.trust.errors import Ground
from nodes.trust.review import review

BEGIN = date(2026, 1, 1)
PUBLIC = suite.signer(b"e" * 32, owner="310000-credit/a").public


def officer(*roles: Role, name: str = "a", person: str | None = None) -> Officer:
    """Give an officer."""
    return Officer(id=f"310000-credit/{name}", agency="310000-credit", public=PUBLIC, roles=roles, person=person)


def role(name: str, begins: int = 0, ends: int | None = None) -> Role:
    """Give a role by days from the beginning on."""
    until = None if ends is None else BEGIN + timedelta(ends)
    return Role(role=name, from_day=BEGIN + timedelta(begins), until_day=until)


DAYS = st.tuples(st.integers(0, 6), st.integers(1, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
HELD = st.lists(st.builds(lambda name, days: role(name, *days), st.sampled_from(sorted(ROLES)), DAYS), max_size=5)


@given(HELD)
def test_nobody_ever_acts_in_two_of_the_three_roles(held: list[Role]) -> None:
    """On no day does an officer hold two; who would is named, and who is not loses nothing."""
    found = officer(*held)
    wanted = [{each.role for each in held if found_on(each, day)} for day in range(13)]
    clashes = [len(names & EXCLUSIVE) > 1 for names in wanted]
    for day, names in enumerate(wanted):
        now = {each for each in ROLES if found.holds(each, BEGIN + timedelta(day))}
        assert now == (names - EXCLUSIVE if clashes[day] else names)
    assert list(excluded([found])) == ([(found, found)] if any(clashes) else [])


def found_on(held: Role, day: int) -> bool:
    """Say by brute force whether a role covers a day."""
    on = BEGIN + timedelta(day)
    return held.from_day <= on and (held.until_day is None or on < held.until_day)


def test_one_person_under_two_pseudonyms_is_one() -> None:
    """Two officers exclude one another only where a mark says that they are one person; one after the other is fine."""
    one, other = officer(role("audit"), person="p"), officer(role("secure"), name="b", person="p")
    assert list(excluded([one, other])) == [(one, other)]
    for apart in (replace(other, person="q"), replace(other, person=None)):
        assert list(excluded([one, apart])) == []
    assert list(excluded([officer(role("audit", 0, 5)), officer(role("secure", 5), name="b", person=None)])) == []
    assert list(excluded([officer(role("audit"), role("ask"), role("approve"), role("audit"))])) == []


def with_roles(*names: str) -> Any:
    """Register an officer with these roles."""

    def edit(document: dict[str, Any]) -> None:
        with_officer(DESK_KEY)(document)
        document["members"][0]["officers"][-1]["roles"] = [
            {"role": each, "from": "2026-01-01", "until": None} for each in names
        ]

    return edit


def test_a_bundle_that_unites_them_is_refused_before_anybody_signs() -> None:
    """The review names the officer; with one of the roles it passes."""
    given = proven((DESK, DESK_KEY))
    review(draft_of(with_roles("audit", "ask"), proofs=given), first(), now=LATER)
    with refusal(Ground.ROLES_EXCLUDE):
        review(draft_of(with_roles("audit", "secure"), proofs=given), first(), now=LATER)


def test_a_register_that_unites_them_is_not_compiled(tmp_path: Path) -> None:
    """The federation's data are checked where they are compiled."""
    folder = tmp_path / "federation"
    shutil.copytree(REFERENCE, folder)
    path = folder / "members.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('a1 = ["audit"]', 'a1 = ["audit", "administer"]'), encoding="utf-8")
    with pytest.raises(CatalogueMalformed, match="exclude one another"):
        officers(folder, "310000")
