"""Keys and authorisations of a subject as people and programs read them."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from gateway.model.consent import HeldConsent, SubjectKey
from nodes.cli import documents
from nodes.cli.names import moment
from nodes.cli.session import session
from nodes.cli.sheets import row, table

ENROLMENT, AUTHORISATION, KEPT = "yrdx.enrolment.v1", "yrdx.authorisation.v1", "yrdx.authorisations.v1"


def reference(held: HeldConsent) -> str:
    """Name an authorisation as `--authorisation` takes it: home member and id."""
    return f"{held.consent.home_member}/{held.consent.authorisation_id.hex()}"


def show_enrolment(key: SubjectKey, existing: tuple[SubjectKey, ...], *, as_json: bool) -> None:
    """Show a key, and those that the subject had before."""
    if as_json:
        found = {"key": documents.plain_value(key), "existing": documents.plain_value(existing)}
        documents.write({"format": ENROLMENT, **found})
        return
    _keys((key, *existing))


def show_held(held: HeldConsent, *, as_json: bool) -> None:
    """Show an authorisation."""
    if as_json:
        documents.write({"format": AUTHORISATION, **_document(held)})
        return
    _consents((held,))


def show_kept(keys: tuple[SubjectKey, ...], held: tuple[HeldConsent, ...], *, as_json: bool) -> None:
    """Show all that is kept of a subject."""
    if as_json:
        authorisations = [_document(each) for each in held]
        documents.write({"format": KEPT, "keys": documents.plain_value(keys), "authorisations": authorisations})
        return
    if keys:
        _keys(keys)
    _consents(held)


def _document(held: HeldConsent) -> dict[str, Any]:
    return {"reference": reference(held), **documents.plain_value(held)}


def _keys(keys: tuple[SubjectKey, ...]) -> None:
    words = session().words
    found = table(words, "authorise.keys", "key", "roles", "valid_until", "revoked")
    for each in keys:
        roles = words.say("mark.comma").join(words.code("key_role", role.value) for role in each.roles)
        row(found, each.key_id, roles, moment(each.valid_until_time), moment(each.revoke_time))
    Console().print(found)


def _consents(held: tuple[HeldConsent, ...]) -> None:
    words = session().words
    columns = ("authorisation", "agency", "purposes", "kinds", "valid_until", "uses", "state")
    found = table(words, "authorise.authorisations", *columns)
    for each in held:
        consent, comma = each.consent, words.say("mark.comma")
        uses = f"{each.use_count}/{consent.use_limit}" if consent.use_limit else words.say("authorise.standing")
        row(
            found,
            reference(each),
            consent.agency,
            comma.join(consent.purposes),
            comma.join(words.code("kind", kind) for kind in consent.kinds),
            moment(consent.valid_until_time),
            uses,
            words.code("authorisation_status", each.status.value),
        )
    Console().print(found)
