"""A lab made once a test process, and copied wherever a test wants one: its hundreds of key files cost seconds.

Only for members that do not run: two that run under one key would find each other's ledger forked.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from nodes import lab
from nodes.lab import Lab


def build(folder: Path, make: Callable[[Path], Lab] = lab.build) -> Lab:
    """Give a lab in a new folder, with the keys of every other lab of this process that was made so."""
    made = _made(make)
    shutil.copytree(made.folder, folder, dirs_exist_ok=True)
    return replace(
        made, folder=folder, standings=dict(made.standings), proofs=dict(made.proofs), processes={}, edits=[]
    )


@cache
def _made(make: Callable[[Path], Lab]) -> Lab:
    place = Path(tempfile.mkdtemp(prefix="yrdx-lab-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return make(place / "lab")
