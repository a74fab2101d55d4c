"""Names the officer who does an administrative act beside the node, and leaves the act for the ledger (duty U32)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gateway.charter import Charter
from nodes import acts
from nodes.cli.profile import unlock
from nodes.cli.session import Ended, option, session
from nodes.config import DATABASE, Config
from nodes.states import WANTS
from nodes.store.doers import NOBODY, Doer, note

by_officer = option("--profile", say="help.acting_profile", type=click.Path(path_type=Path))
"""Adds the profile of the officer who acts; without one the ledger names nobody, and the node says so."""


def doer_of(profile: Path | None, config: Config) -> Doer:
    """Give the officer who acts, with the officer's own key: it encloses no session's assertion.

    Raises:
        Ended: when the profile cannot be opened, or is of another member.
    """
    if profile is None:
        return NOBODY
    access = unlock(profile, own=True)
    if access.profile.member != config.member:
        raise Ended("acting.other_member", member=config.member)
    return acts.doer(access.profile.officer, access.profile.agency, access.officer)


@contextmanager
def noted(
    config: Config, profile: Path | None, name: str, digest: Callable[[], bytes], charter: Callable[[], Charter]
) -> Iterator[None]:
    """Leave an act for the ledger once it is done; before, an officer who is named must have the role for it.

    Raises:
        Ended, RoleMissing: nothing was done.
        NotDurable, StoreUnusable: it was done and could not be left; the node enters it as done by nobody.
    """
    who, role, now = doer_of(profile, config), WANTS[name.partition("_")[0]], session().now()
    if who.officer:
        acts.check_role(charter(), who, role, now)
    yield
    note(config.data / DATABASE, who.done(name, role, digest(), now))
