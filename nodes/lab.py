"""A whole federation in one folder, on loopback: for the demo, the benches and the tests. Never for real members.

Every member is a real process with its own keys, certificates, store and config. Only the keys of the trust officers
of all members lie in one hand, which signs the bundle.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.lifetimes import Lifetimes
from keys import boxes, custody, suite
from nodes.config import Config, read_config
from nodes.federation import REFERENCE
from nodes.federation.compiling import Standing, document, lifetimes, officers
from nodes.federation.feeds import feeds
from nodes.federation.folder import read_folder
from nodes.federation.signing import Hands, Lives, hands, sign_bundle
from nodes.mirror import publish
from nodes.run import STATUS
from nodes.setup import ENTRY, Setting, init_hub, init_node, read_entry
from nodes.trust.ceremony import hold
from nodes.trust.folders import proofs_of
from nodes.trust.published import Published

START_SECONDS = 60.0
STOP_SECONDS = 20.0
LIFE = timedelta(days=30)
MIRROR, ROOT = "mirror", "root.json"
LEAF_DAYS = 90
LIGHT = boxes.Work(operations=1, memory=8192)
"""Key files of a lab open fast; a member's own are made with MODERATE work."""

Edit = Callable[[dict[str, Any]], None]


class LabError(Exception):
    """A member of the lab did not come up or go down as it should; the text names it and where its log is."""


@dataclass(slots=True, kw_only=True)
class Lab:
    """The federation's folder, the hands that sign its bundle, and the processes that run."""

    folder: Path
    federation: Path
    hands: Hands
    standings: dict[str, Standing]
    proofs: dict[str, bytes] = field(default_factory=dict)
    root: bytes = b""
    version: int = 0
    published: Published | None = None
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    program: str = "nodes.run"
    """What a member's process runs; benches put another in its place."""

    @property
    def members(self) -> tuple[str, ...]:
        """Name the members."""
        return tuple(self.standings)

    def home(self, member: str) -> Path:
        """Give a member's folder."""
        return self.folder / member

    def config(self, member: str) -> Config:
        """Read a member's config."""
        return read_config(self.home(member) / "node.toml")

    @property
    def mirror(self) -> Path:
        """Give the folder of the mirror that all members follow."""
        return self.folder / MIRROR

    def publish(self, *, life: timedelta = LIFE, lives: Lives | None = None) -> int:
        """Have the officers of all members sign the next bundle, and put it on the mirror; give its version."""
        roles = self.published.roles if self.published else ()
        return self.put(
            hold(
                self.document(),
                self.hands,
                self.published,
                now=self.clock(),
                lives=lives or lives_of(life),
                renew=frozenset(roles),
                proofs=self.proofs,
            )
        )

    def put(self, published: Published) -> int:
        """Put a signed bundle on the mirror; give its version."""
        self.published = published
        publish(self.mirror, published.parts)
        self.root, self.version = published.roots[0], published.version
        return self.version

    def document(self) -> dict[str, Any]:
        """Write what the bundle is to say now."""
        found: dict[str, Any] = json.loads(json.dumps(document(self.federation, self.standings), ensure_ascii=False))
        for edit in self.edits:
            edit(found)
        return found

    def signed(self, version: int, lives: Lives) -> dict[str, bytes]:
        """Sign the bundle as it stands now under any version; give its static files, which nobody publishes."""
        issued = self.clock().replace(microsecond=0)
        return sign_bundle(self.document(), self.hands, root=self.root, version=version, issued=issued, lives=lives)

    def start(self, *members: str) -> None:
        """Start members, wait until they listen, and publish where.

        Raises:
            LabError: when one does not come up in time.
        """
        for member in members:
            self.launch(member)
        for member in members:
            self.place(member)
        self.publish()

    def launch(self, member: str) -> None:
        """Begin a member's process; `place` waits until it listens."""
        (self.config(member).data / STATUS).unlink(missing_ok=True)
        self.processes[member] = self._spawn(member)

    def place(self, member: str) -> None:
        """Wait until a member listens, and take over where; `publish` tells the others.

        Raises:
            LabError: when it does not come up in time.
        """
        status = self._await_status(member)
        endpoint = f"127.0.0.1:{status['exchange_port']}"
        self.standings[member] = replace(self.standings[member], endpoint=endpoint)
        self._write_profiles(member, f"127.0.0.1:{status['desk_port']}")

    def _spawn(self, member: str) -> subprocess.Popen[bytes]:
        config = self.home(member) / "node.toml"
        with (self.home(member) / "node.log").open("ab") as log:
            command = [sys.executable, "-P", "-m", self.program, str(config), "--with-parent"]
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603  our own

    def _await_status(self, member: str) -> Mapping[str, Any]:
        path, ends = self.config(member).data / STATUS, time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            if path.exists():
                found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return found
            if self.processes[member].poll() is not None:
                break
            time.sleep(0.05)
        raise LabError(f"member {member} did not start; its log is {self.home(member) / 'node.log'}")

    def status(self, member: str) -> Mapping[str, Any]:
        """Read where a member listens."""
        found: Mapping[str, Any] = json.loads((self.config(member).data / STATUS).read_text(encoding="utf-8"))
        return found

    def stop(self, *members: str, how: int = signal.SIGTERM) -> None:
        """Stop members (all that run, when none is named) and wait until they are gone.

        Raises:
            LabError: when one does not end in time; it is killed.
        """
        ending = {each: self.processes.pop(each) for each in members or tuple(self.processes)}
        for process in ending.values():
            process.send_signal(how)
        for member, process in ending.items():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired as error:
                process.kill()
                process.wait()
                raise LabError(f"member {member} did not stop in time and was killed") from error

    def desk_of(self, officer: str) -> Path:
        """Give an officer's folder."""
        member = next(each for each in self.members if officer in self.standings[each].officers)
        return self.home(member) / "agencies" / officer

    def profile(self, officer: str) -> Path:
        """Give the command line profile of an officer."""
        return self.desk_of(officer) / "profile.toml"

    def _write_profiles(self, member: str, desk: str) -> None:
        for officer in self.standings[member].officers:
            agency = officer.partition("/")[0]
            others = [each for each in self.standings[member].officers if each.startswith(f"{agency}/")]
            second = next((each for each in others if each != officer), "")
            self.profile(officer).write_text(_profile(member, agency, officer, second, desk), encoding="utf-8")

    def adopt(self, member: str) -> None:
        """Take over what a member's entry says of its keys and certificates; `publish` tells the others."""
        entry = read_entry((self.home(member) / ENTRY).read_text(encoding="utf-8"))
        self.standings[member] = replace(entry.standing, endpoint=self.standings[member].endpoint)
        self.proofs |= proofs_of(entry)

    def signer(self, member: str) -> suite.Signer:
        """Load a member's signing key."""
        keys = self.home(member) / "keys"
        return custody.load_signer(keys / "sign.key", custody.read_passphrase(keys / "passphrase"))


def build(
    folder: Path,
    *,
    federation: Path = REFERENCE,
    setting: Setting | None = None,
    work: boxes.Work = LIGHT,
    clock: Callable[[], datetime] | None = None,
) -> Lab:
    """Make the folder of a federation with every member of its data, and sign its first bundle."""
    now = (clock or (lambda: datetime.now(UTC)))()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    members = read_folder(federation).members
    signing = hands(
        members, [name for name, row in members.items() if row.get("parent") is None and not row.get("hub")]
    )
    chosen = replace(setting or Setting(), mirror=f"../{MIRROR}", root=f"../{ROOT}", poll_seconds=1)
    standings, proofs, lives = {}, dict[str, bytes](), _long_leaves(lifetimes(federation))
    for member, row in members.items():
        if row.get("hub"):
            hub = init_hub(folder / member, member, lifetimes=lives, now=now, setting=chosen)
            standings[member] = hub.standing
            continue
        agencies = officers(federation, member)
        entry = init_node(
            folder / member,
            member,
            agencies=agencies,
            feeds=feeds(federation, member),
            lifetimes=lives,
            now=now,
            setting=chosen,
            work=work,
        )
        standings[member] = entry.standing
        proofs |= proofs_of(entry)
        (folder / member / ENTRY).write_text(entry.to_json(), encoding="utf-8")
    lab = Lab(folder=folder, federation=federation, hands=signing, standings=standings, proofs=proofs)
    if clock:
        lab.clock = clock
    lab.publish()
    (folder / ROOT).write_bytes(lab.root)
    return lab


def lives_of(life: timedelta = LIFE) -> Lives:
    """Let all that a lab's officers sign count for one time, but for the root."""
    return replace(Lives.of(life), root=Lives().root)


def _long_leaves(found: Lifetimes) -> Lifetimes:
    """Let the first leaves live long: a clock of a test may run ahead of the one that TLS looks at."""
    rules = (replace(each, life_days=LEAF_DAYS) if each.use == "leaf" else each for each in found.rules)
    return replace(found, rules=tuple(rules))


def _profile(member: str, agency: str, officer: str, second: str, desk: str) -> str:
    lines = {
        "desk": desk,
        "member": member,
        "agency": agency,
        "officer": officer,
        "officer_key": "officer.key",
        "passphrase_file": "passphrase",
        "leaf": "leaf.pem",
        "desk_ca": "../../../keys/ca.crt",
        "root": f"../../../../{ROOT}",
    }
    if second:
        other = f"../{second.partition('/')[2]}"
        lines |= {
            "approving_officer": second,
            "approving_officer_key": f"{other}/officer.key",
            "approving_passphrase_file": f"{other}/passphrase",
        }
    return "".join(f'{key} = "{value}"\n' for key, value in lines.items())
