"""A metadata file as a plain record: what it says, and whose signatures on it verify."""

from __future__ import annotations

import json

from councils import MEMBERS, NOW, council, first

from keys.bundle import layout
from keys.bundle.sheets import read_sheet, signed_by, with_signatures

TARGETS = first().roles["targets"]


def test_a_sheet_says_what_its_metadata_says() -> None:
    """Version, end, files and seats of each sort of metadata; only a timestamp tells its issue and its snapshot."""
    root, targets, snapshot, timestamp = (first().sheet(each) for each in ("root", "targets", "snapshot", "timestamp"))
    assert set(root.seats) == {"root", "targets", "snapshot", "timestamp"}
    assert set(targets.seats) == {"mappings", "agreements", *(f"members-{each}" for each in MEMBERS)}
    assert set(snapshot.files) == {"targets", *targets.seats}
    assert (timestamp.snapshot_version, timestamp.issued, set(timestamp.files)) == (1, NOW, {"snapshot"})
    assert (snapshot.snapshot_version, snapshot.issued, targets.version) == (0, None, 1)


def test_only_signatures_that_verify_count() -> None:
    """One that was changed, one under another's name and one that is no text of octets count for nothing."""
    sheet, seat = read_sheet(TARGETS, "targets"), council().seats()[layout.TARGETS]
    good = sheet.signatures
    assert set(signed_by(sheet, seat, good)) == set(good)
    one, two, *_ = good
    assert one not in signed_by(sheet, seat, {**good, one: good[two]})
    odd = json.loads(TARGETS)
    odd["signatures"][0]["sig"] = "no octets"
    found = read_sheet(json.dumps(odd).encode(), "targets")
    assert len(signed_by(found, seat, found.signatures)) == len(good) - 1


def test_signatures_are_put_on_in_one_order() -> None:
    """The same signatures give the same bytes, in whatever order they came."""
    good = read_sheet(TARGETS, "targets").signatures
    turned = dict(reversed(list(good.items())))
    assert with_signatures(TARGETS, good) == with_signatures(TARGETS, turned)
    assert read_sheet(with_signatures(TARGETS, good), "targets").signatures == good
