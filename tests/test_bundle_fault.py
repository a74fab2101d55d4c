"""What health says of a mirror whose bundle came whole and is refused: which role or table, how many hands of them."""

from __future__ import annotations

import pytest
from drafts import draft
from test_keys_bundle import CASES, ROOT, Forge

from gateway.errors import CatalogueMalformed
from keys import errors
from keys.directory import open_bundle
from nodes.bundle.client import Fault, fault
from nodes.bundle.fetching import Visit

REFUSALS = {name: (forge, refusal) for name, (forge, refusal) in CASES.items() if refusal is not None}
PROBLEMS = {
    errors.SignatureInvalid: "SIGNATURES_MISSING",
    errors.AgreementUnsigned: "AGREEMENT_UNSIGNED",
    errors.WeakKey: "WEAK_KEY",
    errors.RootBroken: "ROOT_BROKEN",
    errors.BundleRollback: "ROLLED_BACK",
    errors.BundleExpired: "EXPIRED",
}
ROLES = ("", "root", "timestamp", "snapshot", "targets", "mappings", "agreements", "members-")


def told(forge: Forge) -> Fault:
    """Give what is told of a forged bundle that was fetched as archive 8."""
    found = draft()
    forge(found)
    with pytest.raises(errors.KeysError) as caught:
        open_bundle(found.archive(), root=ROOT)
    with Visit() as visit:
        visit.asked = "8.tar"
        return fault(caught.value, visit)


@pytest.mark.parametrize(("forge", "refusal"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_forged_bundle_is_told_for_what_it_is(forge: Forge, refusal: type[errors.KeysError]) -> None:
    """The problem is that of the error's class, and the role is one of the bundle's, never the archive's number."""
    heard = told(forge)
    assert heard.problem == PROBLEMS.get(refusal, "REFUSED")
    assert heard.role.startswith(ROLES)
    assert not heard.role.isdecimal()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("one officer alone for a member", Fault(problem="SIGNATURES_MISSING", role="members-310000", have=1, need=2)),
        ("two officers of one party for both", Fault(problem="AGREEMENT_UNSIGNED", role="agreements", have=0, need=2)),
    ],
)
def test_what_is_missing_is_counted(case: str, expected: Fault) -> None:
    """Who is short, and of how many."""
    assert told(REFUSALS[case][0]) == expected


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("limits.subjects: no such limit", "limits"),
        ("directory loading_rules 2026-01-01: at least one day", "loading_rules"),
        ("directory members[3].keys: expected a list", "members"),
        ("Nothing", ""),
    ],
)
def test_a_table_is_named(text: str, role: str) -> None:
    """A table that contradicts itself is named by its section, where the text names one."""
    with Visit() as visit:
        assert fault(CatalogueMalformed(text), visit) == Fault(problem="TABLES_REFUSED", role=role)
