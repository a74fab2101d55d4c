"""The drill of keys: every key of one member is turned over under load, then one is revoked; counted, not believed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.client import Identity
from gateway.uscc import sample_code
from keys import custody
from keys.members import USES
from keys.suite import Signer
from nodes.drill.load import Load
from nodes.drill.officers import turn_over
from nodes.drill.thief import Thief
from nodes.health import read_health
from nodes.keeper import Keeper, open_keeper
from nodes.keyring import LEDGER, SIGN, SKEW
from nodes.lab import LIGHT, Lab, build
from nodes.setup import ENTRY
from nodes.trust.errors import TrustRefused

ME, OTHER = "310000", "320000"
OFFICERS = {ME: ("310118-market/o1", "SH-2026-010"), OTHER: ("320509-market/o1", "JS-2026-010")}
PURPOSE, AGREEMENT = "DAILY_SUPERVISION", "YRD-4-2026"
LEAD = timedelta(seconds=5)
"""How long before a new key signs the others are told; a node looks each second."""
PATIENCE = 90.0
MORE = 20
"""Questions that are waited for after a step."""


class DrillError(Exception):
    """The drill could not be carried out; the text says at which step."""


@dataclass(slots=True, kw_only=True)
class KeysStory:
    """What happened: calls and failures under load, what was turned over, and when the stolen key was refused."""

    member: str = ME
    calls: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    rotated: dict[str, str] = field(default_factory=dict)
    revoked: str = ""
    refused_after_seconds: dict[str, float | None] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether no call failed and every other member refused."""
        return not self.failed and bool(self.calls) and None not in self.refused_after_seconds.values()


@dataclass(slots=True, kw_only=True)
class KeysDrill:
    """One run in a folder of its own."""

    folder: Path
    say: Callable[[str], None]
    story: KeysStory = field(default_factory=KeysStory)
    lab: Lab = field(init=False)

    def run(self) -> KeysStory:
        """Carry the drill out on processes that end with it.

        Raises:
            DrillError, LabError: when a step does not come to its end in time.
        """
        self.lab = build(self.folder / "federation")
        try:
            self.lab.start(*self.lab.members)
            self.say(f"{len(self.lab.members)} members")
            asyncio.run(self._drill())
        finally:
            self.lab.stop()
        return self.story

    async def _drill(self) -> None:
        others = tuple(each for each in self.lab.members if each != ME)
        own, theirs = self._load(ME, others), self._load(OTHER, (ME,))
        async with own.running(), theirs.running():
            await self._until(lambda: own.complete and theirs.complete, "the first answers")
            for load in (own, theirs):
                load.count_from_here()
            old = self._keeper().charter.directory.member(ME).keys[0].id
            stolen = self.lab.signer(ME)
            await self._rotate(own)
            await self._rotate_roles(own)
            await self._revoke(old, stolen, others)
        for load in (own, theirs):
            self.story.calls += load.calls
            self.story.failed += sum(load.failures.values())
            for name, count in load.failures.items():
                self.story.failures[name] = self.story.failures.get(name, 0) + count

    async def _rotate(self, own: Load) -> None:
        """Turn over message keys of every use, the issuing CA and, by it, the leaf; then the leaf once more."""
        keeper, leaf = self._keeper(), self._leaf()
        signs = keeper.now + LEAD - SKEW  # a key is preferred once it is valid by clocks that far apart
        rotated = self.story.rotated
        rotated["sign"] = await asyncio.to_thread(keeper.rotate, "sign", signs)
        for use in sorted(USES - {SIGN}):
            begins = signs if use == LEDGER else keeper.now
            rotated[use] = await asyncio.to_thread(keeper.rotate, use, begins)
        authority = custody.load_issuer(self._keys / "ca.pem", self._passphrase)
        rotated["issuing"] = await asyncio.to_thread(keeper.rotate_issuing, authority, keeper.now + LEAD)
        await asyncio.to_thread(self._publish)
        self.say("the others are told of new keys and a new issuing CA")
        await self._until(lambda: own.signed_by == rotated["sign"], "questions under the new signing key")
        await self._until(lambda: self._leaf() != leaf, "a leaf under the new issuing CA")
        self.say("the new key signs, and the leaf is under the new issuing CA")
        rotated["leaf"] = await asyncio.to_thread(self._keeper().rotate_leaf)
        await self._calls(own, "the last leaf")

    async def _rotate_roles(self, own: Load) -> None:
        """Turn over the keys of the bundle's roles, until every member follows what the new ones signed."""
        try:
            self.story.rotated |= await asyncio.to_thread(turn_over, self.lab, ME, self.folder / "officers")
        except TrustRefused as error:
            raise DrillError(f"the officers' tool refused the new role keys ({error.ground.value})") from error
        self.say("officers, publisher, quorum and root have new keys")
        await self._until(self._followed, "the bundle under the new role keys at every member")
        await self._calls(own, "the new role keys")

    def _followed(self) -> bool:
        """Say whether the newest bundle is in force at every member."""
        found = (read_health(self.lab.config(each).data) for each in self.lab.members)
        return all(each["bundle"]["version"] == self.lab.version for each in found)

    async def _calls(self, own: Load, after: str) -> None:
        """Wait until more questions were asked."""
        before = own.calls
        await self._until(lambda: own.calls > before + MORE, f"calls after {after}")

    async def _revoke(self, key_id: str, stolen: Signer, others: tuple[str, ...]) -> None:
        """Revoke the old signing key, which a thief uses from elsewhere, and measure each member."""
        keeper = self._keeper()
        thief = Thief(charter=keeper.charter, signer=stolen, identity=self._identity())
        intent = self._load(ME, others).intent()
        keeper.revoke(key_id, keeper.now)
        self.story.revoked = key_id
        await asyncio.to_thread(self._publish)
        since = time.monotonic()
        found = await asyncio.gather(*(thief.refused_after(each, intent, since) for each in others))
        self.story.refused_after_seconds = dict(zip(others, found, strict=True))

    def _publish(self) -> None:
        self.lab.adopt(ME)
        self.lab.publish()

    def _load(self, member: str, members: tuple[str, ...]) -> Load:
        officer, item = OFFICERS[member]
        return Load(
            lab=self.lab,
            officer=officer,
            item=item,
            purpose=PURPOSE,
            agreement=AGREEMENT,
            members=members,
            uscc=sample_code("91", "320102", 900_000),
        )

    def _keeper(self) -> Keeper:
        opened = open_keeper(self.lab.config(ME), self.lab.home(ME) / ENTRY, datetime.now(UTC))
        return Keeper(config=opened.config, entry=opened.entry, charter=opened.charter, now=opened.now, work=LIGHT)

    @property
    def _keys(self) -> Path:
        return self.lab.home(ME) / "keys"

    @property
    def _passphrase(self) -> bytes:
        return custody.read_passphrase(self._keys / "passphrase")

    def _leaf(self) -> bytes:
        return custody.load_leaf(self._keys / "node.pem", self._passphrase).certificate_pem

    def _identity(self) -> Identity:
        leaf = custody.load_leaf(self._keys / "node.pem", self._passphrase)
        return Identity(certificate=leaf.certificate_pem, key=leaf.key_pem)

    async def _until(self, holds: Callable[[], object], what: str) -> None:
        ends = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > ends:
                raise DrillError(f"{what} did not come in {PATIENCE:.0f} seconds")
            await asyncio.sleep(0.05)
