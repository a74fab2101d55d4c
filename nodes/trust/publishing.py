"""Publishers put a signed draft into force: one makes agreements' role, snapshot and timestamp, others cosign them.

A publisher signs only what extends what it saw. Each file names the one before with its signatures, so that two
publishers take turns; any two of them are enough, and whoever comes next does all that is left for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from gateway.clocks import civil_day
from keys.bundle import archive, layout, writing
from keys.bundle.sheets import Sheet, read_sheet, signed_by, with_signatures
from keys.envelope import to_json
from keys.suite import Signer
from nodes.federation.signing import Lives
from nodes.trust.draft import AGREEMENTS, STAGES, After, Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.proposing import RENEW, SLACK
from nodes.trust.published import Published, open_published
from nodes.trust.review import check_extends, document_of
from nodes.trust.seen import Seen
from nodes.trust.standing import EXPIRING, counts, member_of, on_duty, seats, signed_agreements

SKEW = timedelta(minutes=10)
GIVEN_UP = 16
"""Versions that drafts which were given up may have used since the last that was published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a publisher's turn came to: the draft as it stands, what the publisher now saw, and the end if it is one."""

    draft: Draft
    seen: Seen
    made: tuple[str, ...]
    published: Published | None


def publish(
    draft: Draft,
    base: Published | None,
    signer: Signer,
    *,
    now: datetime,
    root: bytes,
    seen: Seen | None = None,
    stand_in: bool = False,
    again: bool = False,
    lives: Lives | None = None,
) -> Step:
    """Take one publisher's turn; `again` drops what publishers made so far, and begins anew.

    Raises:
        TrustRefused: NOT_EXTENDING; SIGNATURES_MISSING while officers have to sign; NOT_ON_DUTY for whoever begins out
            of turn and is no stand-in; NOT_SEEN when base or draft does not extend what this publisher saw or signed,
            or another made it wrongly; NOTHING_TO_SIGN when this publisher's turn is over; BUNDLE_REFUSED when a node
            would refuse the result.
    """
    check_extends(draft, base)
    seen = (seen or Seen()).with_published(base)
    if not again:
        seen.check_open(draft, base)
    missing = [each for each in counts(draft, base) if each.missing]
    if missing:
        raise TrustRefused(Ground.SIGNATURES_MISSING, names=", ".join(sorted({each.name for each in missing})))
    if again:
        draft = replace(draft, stage={})
    turn = _Turn(draft, base, signer, now.replace(microsecond=0), seen, lives or Lives())
    if not draft.stage:
        turn.check_duty(stand_in=stand_in)
    turn.run()
    found = turn.finish(root)
    if found is None and not turn.made:
        raise TrustRefused(Ground.NOTHING_TO_SIGN, key=signer.id)
    return Step(draft=turn.draft, seen=turn.seen, made=tuple(turn.made), published=found)


class _Turn:
    """One publisher at work on one draft."""

    def __init__(
        self, draft: Draft, base: Published | None, signer: Signer, now: datetime, seen: Seen, lives: Lives
    ) -> None:
        self.draft, self.seen, self.made = draft, seen, list[str]()
        self._base, self._signer, self._now, self._lives = base, signer, now, lives
        self._after = After(draft=draft, base=base)
        self._sheets = self._after.sheets()
        self._seats = seats(self._sheets)
        self._done: dict[str, bytes] = {}

    def check_duty(self, *, stand_in: bool) -> None:
        """Let begin whoever is on duty, or says that it stands in."""
        duty = on_duty(document_of(self._after), civil_day(self._now))
        if duty and duty != member_of(self._signer.id) and not stand_in:
            raise TrustRefused(Ground.NOT_ON_DUTY, member=duty)

    def run(self) -> None:
        """Make or cosign each stage in order, as far as signatures go."""
        for role in STAGES:
            if not self._wanted(role):
                self._done[role] = self._base.roles[role] if self._base else b""
                continue
            content = self.draft.stage.get(role) or self._make(role, None)
            sheet = read_sheet(content, role)
            if content != self._make(role, sheet):
                raise TrustRefused(Ground.NOT_SEEN, role=role)
            self._sign(role, content, sheet)
            signed = signed_by(sheet, self._seats[role], self.draft.signed(role))
            if len(signed) < self._seats[role].threshold:
                return
            given = self.draft.signed(role)
            self._done[role] = with_signatures(content, {each: given[each] for each in signed})

    def finish(self, root: bytes) -> Published | None:
        """Lay the snapshot out and open it as a node would, once every stage is signed."""
        if layout.TIMESTAMP not in self._done:
            return None
        roots = self._base.roots if self._base else ()
        if layout.ROOT in self.draft.roles:
            roots = (*roots, self._signed(layout.ROOT))
        parts = writing.lay_out(
            roots=roots,
            timestamp=self._done[layout.TIMESTAMP],
            snapshot=self._done[layout.SNAPSHOT],
            roles=self._roles(),
            files=self._after.files() | self._agreements,
        )
        found = open_published(archive.pack(parts), root=root or roots[0])
        _ = found.directory  # nothing enters the folder that a node would refuse
        return found

    def _wanted(self, role: str) -> bool:
        """Say whether a stage needs its next version."""
        held = {each.name: each for each in self._base.opened.roles}.get(role) if self._base else None
        if role == layout.TIMESTAMP or held is None:
            return True
        if role == layout.SNAPSHOT and (self.draft.roles or layout.AGREEMENTS in self.draft.stage):
            return True
        if {key.id for key in held.keys} != {key.id for key in self._seats[role].keys}:
            return True
        if role == layout.AGREEMENTS and self._agreements != self._base_files(role):
            return True
        least, most = EXPIRING.get(role, RENEW), self._life(role) + SLACK
        return not self._now + least <= held.expire_time <= self._now + most

    def _make(self, role: str, stated: Sheet | None) -> bytes:
        """Write a stage; with the times that another publisher stated, which must be of now and not too long."""
        life, issued = self._life(role), self._now
        ends = self._now + life
        if stated is not None:
            ends, issued = stated.expires, stated.issued or self._now
            late = issued > self._now + SKEW or ends > self._now + SKEW + life
            if late or ends <= self._now:
                raise TrustRefused(Ground.NOT_SEEN, role=role)
        version = self._version(role, stated)
        if role == layout.AGREEMENTS:
            return writing.write_targets(role, version=version, expires=ends, files=self._agreements, delegations={})
        if role == layout.SNAPSHOT:
            return writing.write_snapshot(version=version, expires=ends, roles=self._roles())
        return writing.write_timestamp(
            version=version, expires=ends, issued=issued, snapshot=self._done[layout.SNAPSHOT]
        )

    def _life(self, role: str) -> timedelta:
        life = {layout.AGREEMENTS: self._lives.targets, layout.SNAPSHOT: self._lives.snapshot}
        return life.get(role, self._lives.timestamp)

    def _sign(self, role: str, content: bytes, sheet: Sheet) -> None:
        if self._signer.id not in {key.id for key in self._seats[role].keys}:
            raise TrustRefused(Ground.KEY_USE, key=self._signer.id)
        if self._signer.id in signed_by(sheet, self._seats[role], self.draft.signed(role)):
            return
        self.seen = self.seen.with_signed(sheet)
        self.draft = replace(self.draft, stage={**self.draft.stage, role: content}).with_signatures(
            self._signer.id, {role: self._signer.sign(sheet.message)}
        )
        self.made.append(role)

    def _roles(self) -> dict[str, bytes]:
        """Give the signed metadata that a snapshot names."""
        names = (each for each in self._sheets if each != layout.ROOT)
        return {**{each: self._signed(each) for each in names}, layout.AGREEMENTS: self._done[layout.AGREEMENTS]}

    def _signed(self, role: str) -> bytes:
        if role not in self.draft.roles:
            return self._after.content(role)
        sheet, given = self._sheets[role], self.draft.signed(role)
        good = set(signed_by(sheet, self._seats[role], given))
        if role == layout.ROOT and self._base is not None:
            good |= set(signed_by(sheet, self._base.sheet(layout.ROOT).seats[layout.ROOT], given))
        return with_signatures(self.draft.roles[role], {each: given[each] for each in good})

    @cached_property
    def _agreements(self) -> dict[str, bytes]:
        """Give every agreement as it is signed: no publisher changes anything of that."""
        found = signed_agreements(self._after, self.draft.listed)
        return {f"{AGREEMENTS}{name}.json": to_json(each) for name, each in found.items()}

    def _base_files(self, role: str) -> dict[str, bytes]:
        held = self._base.files if self._base else {}
        return {path: each for path, each in held.items() if path.startswith(f"{role}/")}

    def _version(self, role: str, stated: Sheet | None) -> int:
        """Give the next version: one that this publisher never signed, as a draft given up may have used some."""
        least = read_sheet(self._base.roles[role], role).version + 1 if self._base else 1
        if stated is None:
            return max(least, self.seen.versions.get(role, 0) + 1)
        if not least <= stated.version <= least + GIVEN_UP:
            raise TrustRefused(Ground.NOT_SEEN, role=role)
        return stated.version
