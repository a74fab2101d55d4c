"""Follows a bundle of 60 members and 400 agreements over HTTP: from nothing, and when there is no news."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.exchanges import Scale
from bench.measures import Row, percentile
from gateway.kinds import KINDS
from keys import moments, suite
from keys.envelope import to_json
from keys.possession import prove
from keys.suite import Signer
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.federation.signing import Hands, Lives, hands
from nodes.lab import Lab, build

BUNDLES = ("bundle_cold", "bundle_unchanged")
MEMBERS, AGREEMENTS = 60, 400
TIMES, POLLS = 10, 100
ME = "310000"


def bundles(folder: Path, names: list[str], scale: Scale, say: Callable[[str], None]) -> list[Row]:
    """Measure what was named: milliseconds of the clock from nothing, of the processor without news."""
    say(f"bundle: signing {MEMBERS} members and {AGREEMENTS} agreements")
    lab = _publish(folder)
    with _served(lab.mirror) as url:
        cold = [_cold(folder / f"cold-{each}", lab, url) for each in range(scale.of(TIMES, 1))]
        unchanged = _unchanged(folder / "cold-0", lab, url, scale.of(POLLS, 2))
    rows = (_row("bundle_cold", cold), _row("bundle_unchanged", unchanged))
    return [each for each in rows if each.name in names]


def _row(name: str, spent: list[float]) -> Row:
    spent.sort()
    return Row(name=name, p50_ms=round(percentile(spent, 0.5), 1), p99_ms=round(percentile(spent, 0.99), 1))


def _publish(folder: Path) -> Lab:
    lab = build(folder / "lab")
    signers = further(len(lab.members))
    more = [each.id.partition("/")[0] for each in signers]
    added = hands(more, more)
    lab.hands = Hands(signers={**lab.hands.signers, **added.signers}, tops=lab.hands.tops)
    lab.proofs |= {f"entry-{each.id.partition('/')[0]}": to_json(prove([("sign", each)])) for each in signers}
    lab.edits.append(lambda document: widen(document, signers))
    lab.publish(lives=Lives())
    return lab


def further(held: int) -> list[Signer]:
    """Make the message keys of the members that are missing."""
    return [suite.signer(suite.generate_seed(), owner=str(500_000 + each)) for each in range(MEMBERS - held)]


def widen(document: dict[str, Any], signers: list[Signer]) -> None:
    """Add members, each with a key, and agreements of four parties each."""
    document["members"] += [_member(each, number) for number, each in enumerate(signers)]
    first, every = document["agreements"][0], [each["id"] for each in document["members"]]
    missing = AGREEMENTS - len(document["agreements"])
    for number in range(missing):
        parties = [every[(number + 7 * each) % len(every)] for each in range(4)]
        area = ["31"]
        row = {**first, "id": f"BENCH-{number}", "parties": parties, "area": area, "precedence": 1000 + number}
        document["agreements"].append(row)


def _member(signer: Signer, number: int) -> dict[str, Any]:
    identity, now = signer.id.partition("/")[0], datetime.now(UTC).replace(microsecond=0)
    key = {
        "id": signer.id, "suite": signer.suite, "use": "sign", "public": base64.b64encode(signer.public).decode(),
        "valid_from": moments.write(now), "valid_until": moments.write(now + timedelta(days=365)),
        "revoked_time": None, "suspect_from": None,
    }  # fmt: skip
    return {
        "id": identity, "name": {"zh": "成员", "en": "Member"}, "parent": None, "divisions": [f"9{number:03}"],
        "suspended": False, "hub": False, "endpoint": None, "via": [], "ca_certificates": [],
        "issuing_certificates": [], "keys": [key], "agencies": [], "officers": [],
    }  # fmt: skip


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder from a process of its own."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        found = re.search(r"port (\d+)", process.stdout.readline() if process.stdout else "")
        try:
            yield f"http://127.0.0.1:{found[1] if found else 0}/"
        finally:
            process.terminate()


def _source(data: Path, lab: Lab, url: str) -> Source:
    return Source(me=ME, data=data, mirrors=(url,), root=lab.root, kinds=KINDS, clock=lambda: datetime.now(UTC))


def _cold(data: Path, lab: Lab, url: str) -> float:
    began = time.perf_counter()
    following = Following(_source(data, lab, url))
    spent = (time.perf_counter() - began) * 1000
    following.close()
    return spent


def _unchanged(data: Path, lab: Lab, url: str, polls: int) -> list[float]:
    following, spent = Following(_source(data, lab, url)), []
    following.poll()
    for _ in range(polls):
        began = time.process_time()
        following.poll()
        spent.append((time.process_time() - began) * 1000)
    following.close()
    return spent
