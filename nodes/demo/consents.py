"""The demonstration's authorisations: a subject's key, enrolled by two officers of its home member, gives them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from nodes.demo.shell import DemoError, Shell
from nodes.lab import Lab


@dataclass(slots=True, kw_only=True)
class Consents:
    """Gives authorisations through the real command line; each subject's key is made once."""

    lab: Lab
    shell: Shell
    folder: Path
    today: date
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def give(self, uscc: str, *, home: str, agency: str, purpose: str, kind: str) -> str:
        """Give an authorisation for one use; the reference that `yrdx ask --authorisation` takes."""
        if uscc not in self.keys:
            self.keys[uscc] = self._enrol(uscc, home)
        members = (option for member in self.lab.members for option in ("--member", member))
        given = self.run(
            "authorise", "give", uscc, "--home", home, "--agency", agency, "--purpose", purpose, "--kind", kind,
            *members, "--until", str(self.today + timedelta(days=30)), "--uses", "1", "--text-version", "sample-2026",
            *self.keys[uscc], "--profile", self.profile(home), "--json",
        )  # fmt: skip
        return str(json.loads(given)["reference"])

    def _enrol(self, uscc: str, home: str) -> tuple[str, ...]:
        """Make a key, and have two officers attest it; the options with which it signs."""
        folder = self.folder / f"subject-{len(self.keys)}"
        folder.mkdir(mode=0o700)
        passphrase, key, request, scan = (folder / name for name in ("passphrase", "key", "request.json", "scan"))
        with os.fdopen(os.open(passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(16).hex().encode())
        scan.write_bytes(b"a form, signed on paper")
        options = ("--key", str(key), "--passphrase-file", str(passphrase))
        self.run("enrol", "request", uscc, "--home", home, *options, "--out", str(request))
        self.run("enrol", "attest", str(request), "--scan", str(scan), "--profile", self.profile(home))
        return options

    def profile(self, home: str) -> str:
        """Name the profile of an officer of the home member who has a second one beside."""
        return str(self.lab.profile(f"{home}-credit/o1"))

    def run(self, *arguments: str) -> str:
        """Run a command that must succeed, and give what it printed.

        Raises:
            DemoError: when it does not.
        """
        done = self.shell.run(*arguments)
        if done.returncode != 0:
            raise DemoError(f"yrdx {' '.join(arguments[:2])} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout
