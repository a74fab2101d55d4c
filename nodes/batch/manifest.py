"""The manifest of a batch: who asked what of which list, what came of it, and every answer it rests on. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from gateway.purposes import CheckForm
from gateway.verdicts import RowVerdict
from keys import jsontext, moments
from keys.envelope import Envelope, sign
from keys.errors import KeysError
from keys.jsontext import Place
from keys.suite import Signer
from nodes.batch.folder import ANSWER
from nodes.batch.order import Order, read_order

FORMAT = "yrdx.batch.v1"
PAYLOAD_TYPE = "application/vnd.yrdx.batch.v1+json"
ANSWER_LIMIT = 20_000
"""Answer files that a manifest names."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
NAME_BYTES = 200
_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}")


class BatchMalformed(KeysError):
    """A manifest breaks its form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFile:
    """An answer file of the work folder: its SHA-256, and how many rows of the result rest on it."""

    name: str
    digest: str
    rows: int

    @property
    def number(self) -> int:
        """The number that the file is named by."""
        return int(self.name.partition(".")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an officer signs for a whole batch; times in UTC, digests SHA-256 in hexadecimal."""

    order: Order
    rows: int
    result: str
    result_digest: str
    folder: str
    form: CheckForm
    rule_edition: str
    directory_version: int
    retries: int
    counts: Mapping[RowVerdict, int]
    incomplete: int
    undecided: int
    first_time: datetime | None
    last_time: datetime | None
    sign_time: datetime
    answers: tuple[AnswerFile, ...]

    def payload(self) -> bytes:
        """Give the exact bytes that are signed."""
        document = {"format": FORMAT, **{each.name: _plain(getattr(self, each.name)) for each in fields(self)}}
        return json.dumps(document, ensure_ascii=False, indent=1).encode()

    def signed(self, signer: Signer) -> Envelope:
        """Sign it as the officer."""
        return sign(PAYLOAD_TYPE, self.payload(), signer)


def read_manifest(payload: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BatchMalformed: when it is none of this version, or a name in it is no plain file name (threat 17).
    """
    rows = jsontext.load(payload, refuse=BatchMalformed).members(("format", *(each.name for each in fields(Manifest))))
    if rows["format"].value != FORMAT:
        rows["format"].fail(f"is not {FORMAT}")
    counts = rows["counts"].members((), others=True)
    return Manifest(
        order=read_order(rows["order"]),
        rows=rows["rows"].integer(least=0),
        result=_file_name(rows["result"]),
        result_digest=rows["result_digest"].text(_DIGEST),
        folder=_file_name(rows["folder"]),
        form=CheckForm(_one_of(rows["form"], CheckForm)),
        rule_edition=_text(rows["rule_edition"]),
        directory_version=rows["directory_version"].integer(least=0),
        retries=rows["retries"].integer(least=0),
        counts={_verdict(rows["counts"], name): each.integer(least=1) for name, each in counts.items()},
        incomplete=rows["incomplete"].integer(least=0),
        undecided=rows["undecided"].integer(least=0),
        first_time=rows["first_time"].maybe(Place.moment),
        last_time=rows["last_time"].maybe(Place.moment),
        sign_time=rows["sign_time"].moment(),
        answers=tuple(_answer(each) for each in rows["answers"].items(limit=ANSWER_LIMIT)),
    )


def _answer(place: Place) -> AnswerFile:
    row = place.members(("name", "digest", "rows"))
    return AnswerFile(
        name=row["name"].text(ANSWER), digest=row["digest"].text(_DIGEST), rows=row["rows"].integer(least=0)
    )


def names_file(name: str) -> bool:
    """Say whether a manifest may hold a name: a plain one of at most 200 characters, which every system can keep."""
    try:
        octets = name.encode()
    except UnicodeEncodeError:
        return False
    return _NAME.fullmatch(name) is not None and name not in {".", ".."} and len(octets) <= NAME_BYTES


def _file_name(place: Place) -> str:
    name = place.text(_NAME)
    if not names_file(name):
        place.fail("is no file name")
    return name


def _text(place: Place) -> str:
    return "" if place.value == "" else place.text()


def _one_of(place: Place, codes: type[CheckForm]) -> str:
    text = place.text()
    if text not in {each.value for each in codes}:
        place.fail("is no code of the list")
    return text


def _verdict(place: Place, name: str) -> RowVerdict:
    try:
        return RowVerdict(name)
    except ValueError:
        place.fail("names no verdict")


def _plain(value: object) -> Any:  # noqa: ANN401  JSON is any of them
    if isinstance(value, Order):
        return value.document()
    if isinstance(value, CheckForm):
        return value.value
    if isinstance(value, datetime):
        return moments.write(value)
    if isinstance(value, tuple):
        return [{"name": each.name, "digest": each.digest, "rows": each.rows} for each in value]
    if isinstance(value, Mapping):
        return {each.value: count for each, count in sorted(value.items(), key=lambda row: str(row[0].value)) if count}
    return value
