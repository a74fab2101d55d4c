"""The fact tables: which columns exist, of what form, and so what may be stored or asked for at all.

A name, a document number, a text or an amount has no column here: what is not listed cannot be kept.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cache


class Form(Enum):
    """What a column holds, and the SQL type and check that hold it to that."""

    WORD = ("TEXT", "length({0}) <= 400")
    CITED = ("TEXT NOT NULL", "length({0}) BETWEEN 1 AND 400")
    DAY = ("TEXT", "{0} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'")
    FLAG = ("INTEGER", "{0} IN (0, 1)")
    DIGEST = ("BLOB", "length({0}) BETWEEN 16 AND 64")


def _columns(words: str, days: str = "", flags: str = "", **others: Form) -> Mapping[str, Form]:
    named = {Form.WORD: words, Form.DAY: days, Form.FLAG: flags}
    return {name: form for form, names in named.items() for name in names.split()} | others


_DECISION = _columns("domain kind result agency origin", "decided_on valid_until annulled_on rectify_until", "disputed")
"""What the five further administrative classes share: decisions with a kind, a result and an end."""

FACTS: Mapping[str, Mapping[str, Form]] = {
    "register": _columns(
        "kind lifecycle division predecessor successor branch_of",
        "valid_from valid_until",
        name_digest=Form.DIGEST,
    ),
    "penalty": _columns(
        "domain behaviour severity agency procedure review_status origin",
        "decided_on final_on publish_not_before publish_until rectify_until repaired_on annulled_on",
        "exempt disputed escalated attributed responsible_person",
        reference=Form.DIGEST,
    ),
    "permit": _columns("domain permit_type agency", "valid_from valid_until revoked_on"),
    "listing": _columns(
        "list_type domain exit_reason basis_class agency origin",
        "listed_on publish_not_before exit_on",
        "disputed",
        reference=Form.DIGEST,
    ),
    "rating": _columns("scheme_id scheme_version scheme_kind grade", "rated_on valid_until", "disputed"),
    "measure": _columns(
        "measure_code domain territory list_edition agency",
        "term_from term_until lifted_on",
        "disputed",
        legal_basis=Form.CITED,
    ),
    "judicial": _columns("domain kind agency", "decided_on ended_on", "disputed"),
    "coercion": _DECISION,
    "confirmation": _DECISION,
    "adjudication": _DECISION,
    "inspection": _DECISION,
    "reward": _DECISION,
    "contract": _columns("domain kind state agency", "signed_on due_on closed_on", "disputed"),
    "commitment": _columns(
        "domain commitment_type matter_code state agency", "made_on due_on closed_on", "escalated disputed"
    ),
    "honour": _columns("domain kind agency", "awarded_on valid_until withdrawn_on"),
    "intellectual_property": _columns("domain kind agency", "registered_on valid_until cancelled_on"),
    "self_declared": _columns("kind", "declared_on valid_until"),
    "repair": _columns(
        "target_class severity outcome agency",
        "applied_on accepted_on decided_on effective_on",
        reference=Form.DIGEST,
    ),
    "objection": _columns("target_class state agency", "opened_on decided_on", reference=Form.DIGEST),
}

COMMON = ("uscc", "record_id", "version", "status", "recorded_time", "load_id", "salt", "digest")
READABLE = frozenset({"record_id", "version", "recorded_time", "digest"})
"""Common columns that a reader may ask for; never the salt, which would open the digest to guessing."""


def columns_of(table: str) -> tuple[str, ...]:
    """Name a fact table's own columns in their order.

    Raises:
        ValueError: when there is no such table: statement text is built from listed names only.
    """
    if table not in FACTS:
        raise ValueError("there is no such fact table; the tables are those of nodes.store.tables")
    return tuple(FACTS[table])


@cache
def readable(table: str) -> frozenset[str]:
    """Name the columns of a fact table that may be read.

    Raises:
        ValueError: as `columns_of`.
    """
    return READABLE.union(columns_of(table))


def definition(table: str) -> tuple[str, ...]:
    """Write the statements that create a fact table and its indexes.

    Rows lie in the order in which they came: a load of many millions appends them, and only the two narrow indexes
    are touched at random places.
    """
    own = ",\n    ".join(_defined(table, name, form) for name, form in FACTS[table].items())
    return (
        f"""CREATE TABLE {table} (
    uscc TEXT NOT NULL CONSTRAINT {table}_uscc CHECK (length(uscc) = 18),
    record_id BLOB NOT NULL CONSTRAINT {table}_record_id CHECK (length(record_id) = 16),
    version INTEGER NOT NULL CONSTRAINT {table}_version CHECK (version > 0),
    status TEXT NOT NULL CONSTRAINT {table}_status CHECK (status IN ('CURRENT', 'WITHDRAWN')),
    recorded_time TEXT NOT NULL,
    load_id INTEGER NOT NULL,
    salt BLOB NOT NULL CONSTRAINT {table}_salt CHECK (length(salt) = 16),
    digest BLOB NOT NULL CONSTRAINT {table}_digest CHECK (length(digest) = 32),
    {own}
) STRICT""",
        # Subjects are found by the first, a record that moved to another code by the second; a record has one line
        # of versions, whatever codes it bore.
        f"CREATE INDEX {table}_subject ON {table} (uscc)",
        f"CREATE UNIQUE INDEX {table}_record ON {table} (record_id, version)",
    )


def _defined(table: str, name: str, form: Form) -> str:
    kind, check = form.value
    return f"{name} {kind} CONSTRAINT {table}_{name} CHECK ({check.format(name)})"
