"""Verifies a batch offline: the manifest by its officer, every answer file, and each row again from the answers.

What fails is named by check and place, and never by a subject. It reads files through what it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from hashlib import sha256

from gateway import uscc
from gateway.clocks import civil_day
from gateway.verdicts import INVALID_REASONS, RowFinding, RowVerdict
from keys.directory import Directory
from keys.envelope import Envelope, open_envelope
from keys.errors import KeysError, KeyUnknown
from keys.suite import PublicKey
from nodes.batch.answers import AnswerRefused, Reader, Reading, Terms, latest
from nodes.batch.manifest import PAYLOAD_TYPE, AnswerFile, Manifest
from nodes.batch.result import Line, Sheet, not_asked

FAULT_LIMIT = 1_000
_DIGITS = 6


class BatchCheck(Enum):
    """What a batch is checked for."""

    SIGNATURE = "SIGNATURE"
    OFFICER = "OFFICER"
    ANSWER_MISSING = "ANSWER_MISSING"
    ANSWER_DIGEST = "ANSWER_DIGEST"
    ANSWER_GENUINE = "ANSWER_GENUINE"
    TERMS = "TERMS"
    TIMES = "TIMES"
    RESULT_DIGEST = "RESULT_DIGEST"
    HEADER = "HEADER"
    ROWS = "ROWS"
    ROW = "ROW"
    SUPERSEDED = "SUPERSEDED"
    COUNTS = "COUNTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFault:
    """A check that failed, and where: an answer file's name, or the number of a row."""

    check: BatchCheck
    where: str = ""


@dataclass(slots=True, kw_only=True)
class Audit:
    """One manifest under examination; `answer` reads an answer file by name, None where it is missing."""

    manifest: Manifest
    envelope: Envelope
    reader: Reader
    answer: Callable[[str], bytes | None]
    now: datetime
    faults: list[BatchFault] = field(default_factory=list)
    terms: Terms | None = None
    _directory: Directory | None = None
    _found: dict[int, dict[str, RowFinding]] = field(default_factory=dict)
    _newest: dict[tuple[str, str | None], int] = field(default_factory=dict)
    _names: dict[int, dict[str, str | None]] = field(default_factory=dict)
    _alike: dict[RowFinding, RowFinding] = field(default_factory=dict)
    _times: list[datetime] = field(default_factory=list)
    _ends: list[datetime] = field(default_factory=list)
    _closes: bool = False

    @property
    def valid_until(self) -> datetime | None:
        """The first instant at which an answer behind a row may not be relied on any more; None without an answer."""
        return min(self._ends, default=None)

    @property
    def in_time(self) -> bool:
        """Whether nothing failed, and every answer behind a row may still be relied on."""
        return not self.faults and (self.valid_until is None or self.now < self.valid_until)

    def examine(self, result_digest: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[BatchFault]:
        """Make every check that can be made; an empty list is a genuine batch."""
        for each in self.manifest.answers:
            self._read(each)
        self._check_officer()
        self._check_terms()
        if result_digest != self.manifest.result_digest:
            self._fail(BatchCheck.RESULT_DIGEST)
        sheet = Sheet(terms=self.terms, seed=self.manifest.order.seed, narrowed=self.manifest.order.narrowed)
        if tuple(header) != sheet.header:
            self._fail(BatchCheck.HEADER)
            return self.faults
        self._check_rows(sheet, rows)
        return self.faults

    def _fail(self, check: BatchCheck, where: str = "") -> None:
        if len(self.faults) < FAULT_LIMIT:
            self.faults.append(BatchFault(check=check, where=where))

    def _read(self, file: AnswerFile) -> None:
        content = self.answer(file.name)
        if content is None:
            self._fail(BatchCheck.ANSWER_MISSING, file.name)
            return
        if sha256(content).hexdigest() != file.digest:
            self._fail(BatchCheck.ANSWER_DIGEST, file.name)
            return
        try:
            reading = self.reader.read(content, self.now)
        except AnswerRefused:
            self._fail(BatchCheck.ANSWER_GENUINE, file.name)
            return
        self._take(file.number, reading)
        if file.rows and reading.valid_until is not None:
            self._ends.append(reading.valid_until)
        if self.terms is None or reading.terms.version > self.terms.version:
            self._directory = self.reader.directory(content, self.now)
        self.terms = latest(self.terms, reading.terms)

    def _take(self, number: int, reading: Reading) -> None:
        found, names = self._found.setdefault(number, {}), self._names.setdefault(number, {})
        for subject, each in zip(reading.subjects, reading.findings, strict=True):
            found[subject.uscc] = self._alike.setdefault(each, each)
            names[subject.uscc] = subject.name
            self._newest[subject.uscc, subject.name] = number
        self._times.append(reading.combined)
        self._closes |= not reading.terms.opens_sole_traders

    def _check_officer(self) -> None:
        """The manifest is signed by the officer that it names, as the directory of its answers lists that officer."""
        order, directory = self.manifest.order, self._directory
        officer = directory.officer(order.officer) if directory else None
        if directory is None or officer is None or officer.agency != order.agency:
            self._fail(BatchCheck.OFFICER)
            return
        agency = directory.agency(order.agency)
        asks = officer.holds("ask", civil_day(self.manifest.sign_time))
        if agency is None or agency.member != order.member or not asks:
            self._fail(BatchCheck.OFFICER)

        def find(key_id: str) -> PublicKey:
            if key_id != officer.key().id:
                raise KeyUnknown("signed by somebody else than the officer named")
            return officer.key()

        try:
            open_envelope(self.envelope, payload_type=PAYLOAD_TYPE, find=find)
        except KeysError:
            self._fail(BatchCheck.SIGNATURE)

    def _check_terms(self) -> None:
        """What the manifest says of the rules is what the directory says."""
        terms, manifest = self.terms, self.manifest
        said = (manifest.directory_version, manifest.form, manifest.rule_edition)
        edition = terms.rule.edition if terms and terms.rule else ""
        if terms is not None and said != (terms.version, terms.form, edition):
            self._fail(BatchCheck.TERMS)
        times = (min(self._times, default=None), max(self._times, default=None))
        if (manifest.first_time, manifest.last_time) != times:
            self._fail(BatchCheck.TIMES)

    def _check_rows(self, sheet: Sheet, rows: Iterable[Sequence[str]]) -> None:
        verdicts, answers = Counter[str](), Counter[int]()
        count, last, incomplete, undecided = 0, 0, 0, 0
        for cells in rows:
            row = dict(zip(sheet.header, cells, strict=True))
            count += 1
            number = int(row["row"]) if row["row"].isdecimal() else 0
            if number <= last or tuple(cells) not in self._lines(sheet, number, row):
                self._fail(BatchCheck.ROW, row["row"] if row["row"].isdecimal() else f"({count})")
            last = max(number, last)
            verdicts[row["verdict"]] += 1
            answers[_number(row["answer"])] += 1
            incomplete += bool(row["missing_members"]) or row["verdict"] == RowVerdict.INCOMPLETE.value
            undecided += sheet.undecided(cells)
        if count != self.manifest.rows:
            self._fail(BatchCheck.ROWS)
        said = {each.value: held for each, held in self.manifest.counts.items()}
        left = (self.manifest.incomplete, self.manifest.undecided)
        if dict(verdicts) != said or (incomplete, undecided) != left:
            self._fail(BatchCheck.COUNTS)
        for each in self.manifest.answers:
            if answers[each.number] != each.rows:
                self._fail(BatchCheck.COUNTS, each.name)

    def _lines(self, sheet: Sheet, number: int, row: dict[str, str]) -> Iterator[Line]:
        """Give every line that the answers allow for a row."""
        code, answer = row["code"], _number(row["answer"])
        triggered = bool(row.get("triggered"))
        if answer:
            found = self._found.get(answer, {}).get(code)
            if found is None:
                return
            if self._newest[code, self._names[answer][code]] != answer:
                self._fail(BatchCheck.SUPERSEDED, row["row"])
            yield sheet.line(number, code, found, answer=answer, triggered=triggered)
        elif not code:  # a cell that is no code is not repeated, so that only its reason can be looked at
            for reason in INVALID_REASONS:
                invalid = RowFinding(verdict=RowVerdict.INVALID_CODE, reasons=(reason,))
                yield sheet.line(number, code, invalid, triggered=triggered)
        elif uscc.is_sole_trader(code) and (closed := not_asked(code, None)) and (self._closes or self.terms is None):
            yield sheet.line(number, code, closed, triggered=triggered)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0
