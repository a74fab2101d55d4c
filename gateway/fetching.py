"""An asking node gets its questions' authorisations from the subjects' home members, fresh and for them alone.

Silence, a refusal and "none" are one outcome: the question goes without, and is refused as AUTHORISATION_MISSING.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gateway.authorising import Authorising, Home
from gateway.charter import Charter
from gateway.errors import Refused, Unavailable
from gateway.event import Event
from gateway.exchange.compose import Inquiry
from gateway.exchange.vouching import write_request
from gateway.federation import patiently
from gateway.limits import ID_BYTES
from gateway.model.codes import RefusalReason
from gateway.model.consent import AskedQuestion, StatusRequest
from gateway.purposes import Consent as Wanted
from keys.envelope import Envelope
from keys.suite import Signer

_REFERENCE = re.compile(r"([0-9]{6})/([0-9a-f]{32})")
_COUNTY = slice(2, 8)
"""Where a code names the division in which its subject was first registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a fetching node has at hand; `home` gives None for a member that cannot be reached."""

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]
    entropy: Callable[[int], bytes]
    home: Callable[[str], Home | None]
    is_home_of: Callable[[str], bool]
    observe: Callable[[Event], None]


class Fetching:
    """Fetches statuses. One request a home member is one use, however often it is sent."""

    def __init__(self, errand: Errand) -> None:
        """Use what is at hand."""
        self._errand = errand

    def wants(self, inquiry: Inquiry) -> bool:
        """Say whether to fetch: the purpose wants authorisations, and the officer carries none or names some."""
        intent = inquiry.intent
        purpose = self._errand.charter().catalogue.purposes.get(intent.purpose)
        if purpose is None or purpose.authorisation is Wanted.NONE:
            return False
        return bool(intent.authorisation_references) or not intent.authorisations

    async def fetch(
        self, inquiry: Inquiry, kind: str, codes: tuple[str, ...], questions: Mapping[str, bytes]
    ) -> tuple[Envelope, ...]:
        """Give the statuses that the subjects' home members vouch for now, for these questions (member to id).

        Raises:
            Refused: MALFORMED when the officer names no authorisation where one is to stand; TOO_LARGE for too many.
        """
        wanted = self._wanted(inquiry, codes, tuple(questions))
        limit = self._errand.charter().catalogue.limits.authorisations
        if len(codes) > limit or any(len(ids) > limit for ids, _ in wanted.values()):
            raise Refused(RefusalReason.TOO_LARGE)
        asked = tuple(AskedQuestion(answerer_member=each, question_id=identity) for each, identity in questions.items())
        use_id = self._errand.entropy(ID_BYTES)
        requests = (
            StatusRequest(
                use_id=use_id,
                asker_member=self._errand.charter().me,
                home_member=home,
                ask_time=self._errand.clock(),
                agency=inquiry.intent.agency,
                purpose=inquiry.intent.purpose,
                kind=kind,
                subjects=subjects,
                authorisation_ids=ids,
                questions=asked,
            )
            for home, (ids, subjects) in wanted.items()
        )
        found = await asyncio.gather(*map(self._ask, requests))
        return tuple(each for envelopes in found for each in envelopes)

    def _wanted(
        self, inquiry: Inquiry, codes: tuple[str, ...], members: tuple[str, ...]
    ) -> dict[str, tuple[tuple[bytes, ...], tuple[str, ...]]]:
        """Say whom to ask for which authorisations and subjects: the homes that are named, or those that may be."""
        named: dict[str, list[bytes]] = {}
        for reference in dict.fromkeys(inquiry.intent.authorisation_references):
            match = _REFERENCE.fullmatch(reference)
            if match is None:
                raise Refused(RefusalReason.MALFORMED)
            named.setdefault(match[1], []).append(bytes.fromhex(match[2]))
        if named:
            return {home: (tuple(ids), codes) for home, ids in named.items()}
        subjects: dict[str, list[str]] = {}
        for code in codes:
            for home in self._homes(code, members):
                subjects.setdefault(home, []).append(code)
        return {home: ((), tuple(each)) for home, each in subjects.items()}

    def _homes(self, code: str, members: tuple[str, ...]) -> tuple[str, ...]:
        """Give who may be a subject's home: oneself by the register, else who will be asked and where it first was."""
        charter = self._errand.charter()
        if self._errand.is_home_of(code):
            return (charter.me,)
        first = charter.directory.home_of(code[_COUNTY])
        found = dict.fromkeys((*((first.id,) if first is not None else ()), *members))
        return tuple(each for each in found if each != charter.me)

    async def _ask(self, request: StatusRequest) -> tuple[Envelope, ...]:
        """Ask one home member, with the same bytes again on silence, within one deadline."""
        errand, limits = self._errand, self._errand.charter().catalogue.limits
        known = {each.id for each in errand.charter().directory.members}
        home = errand.home(request.home_member) if request.home_member in known else None
        if home is None:
            return self._none(request, "UNAVAILABLE", "")
        try:
            return await patiently(partial(home.statuses, write_request(request, errand.signer())), limits)
        except Unavailable:
            return self._none(request, "UNAVAILABLE", "")
        except Refused as refused:
            return self._none(request, "REFUSED", refused.reason.value)

    def _none(self, request: StatusRequest, outcome: str, reason: str) -> tuple[Envelope, ...]:
        self._errand.observe(
            Event(
                side="consent",
                peer=request.home_member,
                kind=request.kind,
                outcome=outcome,
                reason=reason,
                question_id="",
                seconds=0.0,
            )
        )
        return ()


class LocalHome:
    """This node itself as a home member, asked without a network; satisfies `authorising.Home`."""

    def __init__(self, authorising: Authorising, me: str) -> None:
        """Ask one's own node as its own peer."""
        self._authorising = authorising
        self._me = me

    async def statuses(self, request: Envelope, seconds: float) -> tuple[Envelope, ...]:
        """Give the node's own statuses.

        Raises:
            Unavailable: when it is not ready in time.
            Refused: with the reason.
        """
        try:
            return await asyncio.wait_for(self._authorising.statuses(request, self._me), seconds)
        except TimeoutError as error:
            raise Unavailable("DEADLINE_EXCEEDED") from error
