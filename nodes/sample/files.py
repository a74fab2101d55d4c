"""The files of a sample: one a feed or several parts of it, in the encodings in which sources deliver.

Rows come as finished lines. No file stays open between two writes, and few lines are held: memory does not grow
with the sample, nor do open files with the feeds.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from gateway.ports import Feed
from nodes.sample.workbook import write_workbook

PART_ROWS = 1_000_000
"""Rows of a file; a feed with more is delivered in parts."""

_HELD = 128

_DECISION = (
    "record_key uscc kind agency decided_on domain result valid_until annulled_on rectify_until disputed subject_kind"
    " name content"
)
HEADERS: Mapping[str, str] = MappingProxyType({
    "register": "uscc name kind lifecycle division valid_from valid_until predecessor successor branch_of"
    " legal_representative address registered_capital subject_kind",
    "penalty": "CF_XDR_MC CF_XDR_LB CF_XDR_SHXYM CF_FRDB CF_WSH CF_WFXW CF_SY CF_YJ CF_CFLB CF_NR CF_NR_FK"
    " CF_JDRQ CF_GSJZQ CF_CFJG CF_CFJGDM CF_SJLY BZ procedure origin publish_not_before rectify_until repaired_on"
    " annulled_on exempt disputed escalated attributed_uscc responsible_person reported_on",
    "permit": "XK_XDR_MC XK_XDR_LB XK_XDR_SHXYM XK_FRDB XK_XKWS XK_WSH XK_XKLB XK_NR XK_JDRQ XK_YXQZ XK_YXQZI"
    " XK_XKJG XK_XKJGDM XK_SJLY XK_ZT reported_on",
    "coercion": _DECISION,
    "confirmation": _DECISION,
    "adjudication": _DECISION,
    "inspection": _DECISION,
    "reward": _DECISION,
    "judicial": "record_key uscc kind agency decided_on ended_on disputed subject_kind name case_number court_text",
    "abnormal": "record_key uscc reason_class listed_on agency exit_on exit_reason disputed subject_kind name remarks",
    "listing": "record_key uscc name list_type listed_on publish_not_before exit_on exit_reason basis_class"
    " agency case_number basis_text origin disputed subject_kind",
    "contract": "record_key uscc kind status agency signed_on due_on closed_on disputed subject_kind name"
    " counterparty content",
    "commitment": "record_key uscc commitment_type matter_code status agency made_on due_on closed_on escalated"
    " disputed subject_kind name text handler",
    "rating": "record_key uscc name scheme_id scheme_version grade rated_on valid_until score disputed subject_kind"
    " remarks",
    "honour": "record_key uscc kind agency awarded_on valid_until withdrawn_on subject_kind name citation",
    "intellectual_property": "record_key uscc kind agency registered_on valid_until cancelled_on subject_kind name"
    " title",
    "self_declared": "record_key uscc kind declared_on valid_until subject_kind name content",
    "measure": "record_key uscc name measure_code domain territory list_edition legal_basis agency term_from"
    " term_until lifted_on content subject_kind",
    "repair": "record_key uscc target_class target_agency target_number outcome agency decided_on severity"
    " applied_on accepted_on effective_on subject_kind name materials",
    "objection": "record_key uscc target_class target_agency target_number status agency opened_on decided_on"
    " subject_kind name content",
})  # fmt: skip
"""The columns of each record class, in the order of the lines."""

UTF8, MARKED, GB18030, XLSX = "utf-8", "utf-8-sig", "gb18030", "xlsx"
DELIVERED: Mapping[tuple[str, str], str] = MappingProxyType({
    ("penalty", "TAX"): GB18030,
    ("permit", "TRANSPORT"): GB18030,
    ("listing", "COURT"): GB18030,
    ("permit", "FIRE"): MARKED,
    ("measure", "TAX"): MARKED,
    ("measure", "CUSTOMS"): XLSX,
    ("reward", "TAX"): XLSX,
})  # fmt: skip
"""Feeds whose source writes something else than UTF-8 without a mark; only small ones are workbooks."""


class Files:
    """The files of some feeds, also of those with nothing to say: a quiet feed is covered, a missing one is not.

    `counts` gives the rows of each feed once the files are closed. With `mixed` the feeds of `DELIVERED` have
    their own forms.
    """

    def __init__(self, folder: Path, feeds: Sequence[Feed], *, mixed: bool = False, part_rows: int = PART_ROWS) -> None:
        """Create the files with their headers."""
        folder.mkdir(parents=True, exist_ok=True)
        self._feeds = {each.id: _FeedFile(folder, each, mixed=mixed, part_rows=part_rows) for each in feeds}
        self._held: dict[str, list[str]] = {each.id: [] for each in feeds}
        self._most = min(_HELD, part_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._held:
            self._write(name)
        if kind is None:
            for each in self._feeds.values():
                each.close()

    @property
    def counts(self) -> dict[str, int]:
        """The rows written so far, by feed."""
        return {name: each.rows for name, each in self._feeds.items()}

    def put(self, feed: str, line: str) -> None:
        """Add a line with its end to a feed."""
        held = self._held[feed]
        held.append(line)
        if len(held) >= self._most:
            self._write(feed)

    def _write(self, feed: str) -> None:
        held = self._held[feed]
        if held:
            self._feeds[feed].append(held)
            held.clear()


class _FeedFile:
    """One feed's file: FEED.csv, or FEED.001.csv, FEED.002.csv and so on once it has more rows than a part."""

    def __init__(self, folder: Path, feed: Feed, *, mixed: bool, part_rows: int) -> None:
        form = DELIVERED.get((feed.record_class, feed.domain), UTF8) if mixed else UTF8
        self._workbook = form == XLSX
        self._encoding = GB18030 if form == GB18030 else UTF8
        head = ",".join(HEADERS[feed.record_class].split()) + "\n"
        self._head = head.encode(MARKED if form == MARKED else self._encoding)
        self._folder, self._name, self._part_rows = folder, feed.id, part_rows
        self._path, self._parts, self._in_part = folder / f"{feed.id}.csv", 1, 0
        self._path.write_bytes(self._head)
        self.rows = 0

    def append(self, lines: Sequence[str]) -> None:
        if self._in_part + len(lines) > self._part_rows and not self._workbook:
            self._next_part()
        with self._path.open("ab") as file:
            file.write("".join(lines).encode(self._encoding))
        self._in_part += len(lines)
        self.rows += len(lines)

    def close(self) -> None:
        """Turn the lines into a workbook where the source delivers one."""
        if self._workbook:
            with self._path.open(encoding=UTF8) as lines:
                write_workbook(self._path.with_suffix(".xlsx"), (line[:-1].split(",") for line in lines))
            self._path.unlink()

    def _next_part(self) -> None:
        if self._parts == 1:
            self._path.rename(self._part(1))
        self._parts, self._in_part = self._parts + 1, 0
        self._path = self._part(self._parts)
        self._path.write_bytes(self._head)

    def _part(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number:03}.csv"


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Give a folder that takes the name of this one when all went well, and disappears when not.

    Raises:
        FileExistsError: when something stands there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(folder.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found
