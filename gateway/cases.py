"""Cases of a member's agencies, as its desk opens and shows them, and what is left of a day's allowance."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime

from gateway.charter import Charter
from gateway.errors import NotDurable, Refused, Replayed
from gateway.exchange.intend import allowance, check_case, check_reader, open_signed_request
from gateway.model.codes import RefusalReason
from gateway.model.combined import Allowance, AllowanceReading, Case, CaseOpening, CaseReading
from gateway.office import Office
from keys.envelope import Envelope

PAGE = 100
_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[0-9]{1,18}")  # a number that a store can hold


class Cases:
    """Keeps the cases of the member's agencies."""

    def __init__(self, office: Office) -> None:
        """Use an office."""
        self._office = office

    async def open_case(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Case:
        """Open a case for an agency.

        Raises:
            Refused: as for a question of the same purpose; REPLAYED when the reference stands for another case.
        """
        office, charter, now = self._office, self._office.charter(), self._office.clock()
        bearer = office.bearer(assertion, agency, charter, now)
        opening, _ = open_signed_request(envelope, CaseOpening, agency, charter, now, bearer)
        return await self.take_case(opening, charter, now)

    async def take_case(self, opening: CaseOpening, charter: Charter, now: datetime, second: str = "") -> Case:
        """Open a case that was verified; `second` approved it after it was signed.

        Raises:
            Refused: as `open_case`.
        """
        opening = replace(opening, approving_officer=second or opening.approving_officer)
        if not _REFERENCE.fullmatch(opening.case_reference):
            raise Refused(RefusalReason.MALFORMED)
        check_case(opening, charter, now)
        case = Case(
            case_reference=opening.case_reference,
            agency=opening.agency,
            purpose=opening.purpose,
            application_item=opening.application_item,
            subject_count=opening.subject_count,
            open_time=opening.open_time,
            officer=opening.officer,
            approving_officer=opening.approving_officer,
        )
        try:
            return await self._office.cases.open_case(case)
        except Replayed as error:
            raise Refused(RefusalReason.REPLAYED) from error
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error

    def case(
        self, envelope: Envelope, agency: str, assertion: Envelope | None = None
    ) -> tuple[Case, tuple[tuple[int, bytes], ...], bool]:
        """Give a case of one's own agency, a page of (running number, AskMembersResponse bytes), and whether more.

        Raises:
            Refused: CASE_MISSING when the agency has no such case.
        """
        charter, now = self._office.charter(), self._office.clock()
        bearer = self._office.bearer(assertion, agency, charter, now)
        reading, _ = open_signed_request(envelope, CaseReading, agency, charter, now, bearer)
        case = self._office.cases.case(agency, reading.case_reference)
        if case is None:
            raise Refused(RefusalReason.CASE_MISSING)
        check_reader(reading, charter, now)
        token, size = reading.page_token or "0", reading.page_size or PAGE
        if not _TOKEN.fullmatch(token) or not 1 <= size <= PAGE:
            raise Refused(RefusalReason.MALFORMED)
        found = self._office.cases.results(agency, case.case_reference, after=int(token), limit=size + 1)
        return case, found[:size], len(found) > size

    def allowance(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Allowance:
        """Say how many subjects an agency may still ask about today; nobody is asked.

        Raises:
            Refused: as for reading a case; PURPOSE_NOT_ALLOWED for a purpose that is not in force.
        """
        office, charter, now = self._office, self._office.charter(), self._office.clock()
        bearer = office.bearer(assertion, agency, charter, now)
        reading, _ = open_signed_request(envelope, AllowanceReading, agency, charter, now, bearer)
        check_reader(reading, charter, now)
        case = office.cases.case(agency, reading.case_reference) if reading.case_reference else None

        def spent(day: date) -> int:
            return office.journal.spent(agency=agency, purpose=reading.purpose, day=day, subjects=())

        return allowance(reading, case, spent, charter, now)
