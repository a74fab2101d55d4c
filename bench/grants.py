"""What the bundle costs on each question: its agreement chosen, the signer looked up in the directory, its grant."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.bundles import AGREEMENTS, MEMBERS, further, widen
from bench.measures import Row, percentile
from bench.populations import code
from gateway.charter import Charter, charter
from gateway.exchange.admit import is_stale
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.intend import choose_agreement, choose_members
from gateway.exchange.permit import permit
from gateway.kinds import KINDS
from gateway.model.codes import Window
from gateway.model.combined import Intent
from gateway.model.question import NamedSubject, Question, SummaryQuestion
from keys import moments, suite
from keys.bundle import archive
from keys.directory import open_bundle
from nodes.federation import REFERENCE, Standing, document
from nodes.federation.signing import Lives, hands, sign_bundle, sign_root

GRANTS = ("grant_check",)
ASKER, ANSWERER, AGENCY = "310000", "320000", "310118-market"
CALLS = 20_000


def grants(scale: int, say: Callable[[str], None]) -> list[Row]:
    """Check many questions, each about another subject; the heart alone, without signatures and network."""
    say(f"grant_check: {CALLS // scale} questions, {MEMBERS} members, {AGREEMENTS} agreements")
    now = datetime.now(UTC).replace(microsecond=0)
    signer = suite.signer(suite.generate_seed(), owner=ASKER)
    held = _charter(signer, now)
    asking = replace(held, me=ASKER)
    questions = [_question(each, asking, signer, now) for each in range(CALLS // scale)]
    spent = []
    began = time.perf_counter()
    for inquiry, question in questions:
        start = time.perf_counter()
        _choose(inquiry, asking, now)
        _check(question, signer.id, held, now)
        spent.append((time.perf_counter() - start) * 1000)
    rate = len(spent) / (time.perf_counter() - began)
    spent.sort()
    p50, p99 = round(percentile(spent, 0.5), 4), round(percentile(spent, 0.99), 4)
    return [Row(name=GRANTS[0], calls_per_second=round(rate, 1), p50_ms=p50, p99_ms=p99)]


def _choose(inquiry: Inquiry, asking: Charter, now: datetime) -> None:
    """Do what a desk asks of the bundle before it composes: the agreement that governs, and whom to ask."""
    if choose_agreement(inquiry.intent, "summary", asking, now).id != inquiry.agreement_id:
        raise RuntimeError("another agreement governs")
    choose_members(inquiry.intent, inquiry, asking)


def _check(question: Question, key_id: str, held: Charter, now: datetime) -> None:
    """Do what `authenticate` and `authorise` ask of the bundle."""
    held.directory.key(key_id, use="sign", at=now)
    if is_stale(held.directory, now) or held.directory.suspended(held.directory.key_owner(key_id), now):
        raise RuntimeError("the asker may not ask")
    permit(question, charter=held, now=now)


def _question(number: int, asking: Charter, signer: suite.Signer, now: datetime) -> tuple[Inquiry, Question]:
    body = SummaryQuestion(
        subjects=(NamedSubject(uscc=code(number)),), window=Window.M36, data_items=("penalty", "listing")
    )
    intent = Intent(
        intent_id=bytes(16), agency=AGENCY, officer=f"{AGENCY}/o1", intend_time=now, purpose="DAILY_SUPERVISION",
        application_item="SH-2026-010", body=body, members=(ANSWERER,),
    )  # fmt: skip
    inquiry = Inquiry(intent=intent, intent_digest=bytes(32), agreement_id="YRD-4-2026", case_subject_count=0)
    found = compose(inquiry, ANSWERER, 1, question_id=bytes(16), charter=asking, signer=signer, now=now)
    return inquiry, found.question


def _charter(signer: suite.Signer, now: datetime, federation: Path = REFERENCE) -> Charter:
    key = {
        "id": signer.id,
        "suite": signer.suite,
        "use": "sign",
        "public": base64.b64encode(signer.public).decode(),
        "valid_from": moments.write(now - timedelta(days=1)),
        "valid_until": moments.write(now + timedelta(days=1)),
        "revoked_time": None,
        "suspect_from": None,
    }
    officer = f"{AGENCY}/o1"
    public = base64.b64encode(suite.signer(suite.generate_seed(), owner=officer).public).decode()
    found = document(federation, {ASKER: Standing(keys=(key,), officers={officer: public})})
    tops = [each["id"] for each in found["members"]]
    more = further(len(tops))
    widen(found, more)
    signing, lives = hands([*tops, *(each.id.partition("/")[0] for each in more)], tops), Lives()
    root = sign_root(signing, issued=now, lives=lives)
    files = sign_bundle(found, signing, root=root, version=1, issued=now, lives=lives)
    return charter(ANSWERER, open_bundle(archive.pack(files), root=root), KINDS)
