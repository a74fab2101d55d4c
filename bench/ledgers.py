"""What the ledger costs: an exchange with and without it, entries made durable, a proof, and a whole verification."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.exchanges import ASKER, BATCH, IN_FLIGHT, ORIGIN, ROUNDS, Client, Scale, load, open_budget
from bench.measures import Call, Row, one_round, own_memory, percentile, row
from gateway.exchange.accept import accept_head, check_items, open_items, unpack
from gateway.exchange.permit import permit
from gateway.kinds import KINDS, kind_of
from gateway.ledger import checkpoint, entries, logs, tiles, tree
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint
from gateway.ledger.entries import Opening
from gateway.ledger.note import NoteKey
from gateway.ledger.tiles import HASH_BYTES, HEIGHT, WIDTH
from gateway.limits import SALT_BYTES
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from keys import suite
from nodes.config import DATABASE
from nodes.lab import Lab, build
from nodes.ledger import verify
from nodes.store.commits import Commits
from nodes.store.connections import connect
from nodes.store.ledger import Ledger, Scribe
from nodes.store.ledger_reading import tiles_of
from nodes.store.schema import prepare_exchange

EXCHANGED = ("ask_without_ledger", "ask_with_ledger", "batch_with_ledger")
LEDGERS = (*EXCHANGED, "ledger_append", "ledger_proof", "ledger_verify")
HASHES = 50_000_000
ENTRIES = 10_000_000
APPENDED = 40_000
TOGETHER = 512
SUBJECTS = 20_000
WITNESSES = ("330000", "340000")
PROOFS = 1_000
SIGNER = suite.signer(bytes(31) + b"\x01", owner=ORIGIN)
ORIGIN_LINE = logs.origin(ORIGIN, 1)
_STEP = WIDTH * 16

Say = Callable[[str], None]


class UnloggedClient(Client):
    """The same client, which accepts an answer without a receipt."""

    async def _exchange(self, question: tuple[bytes, Any, Any]) -> int:  # type: ignore[explicit-override]  # 3.11
        request, _, signed = question
        reply = await self._member.ask(request, 20)
        now, response = datetime.now(UTC), unpack(reply.payload)
        granted = permit(signed.question, charter=self._charter, now=now).grant
        _, answer = accept_head(response.answer, signed, granted, self._charter, now)
        items = open_items(answer, response.items)
        check_items(items, kind_of(signed.question.body, KINDS), signed, answer)
        return len(reply.payload)


def ledgers(folder: Path, names: list[str], scale: Scale, say: Say) -> list[Row]:
    """Run the benches of the ledger."""
    rows: list[Row] = []
    if set(names) & set(EXCHANGED):
        rows += [each for each in asyncio.run(_exchanged(folder, scale, say)) if each.name in names]
    if "ledger_append" in names:
        rows.append(asyncio.run(_append(folder / "append", scale.of(APPENDED, TOGETHER), say)))
    if "ledger_proof" in names:
        rows.append(_proof(folder / "proof", scale.of(HASHES, WIDTH), say))
    if "ledger_verify" in names:
        rows.append(_verify(folder / "verify", scale.of(ENTRIES, WIDTH), say))
    return rows


async def _exchanged(folder: Path, scale: Scale, say: Say) -> list[Row]:
    """Ask two nodes in turn, one of which keeps no ledger; each ratio is of neighbouring rounds of one run."""
    subjects = scale.of(SUBJECTS, BATCH)
    plain, logged = (_lab(folder / name, subjects, say) for name in ("plain", "logged"))
    plain.program = "bench.unlogged"
    for lab in (plain, logged):
        lab.start(ORIGIN, *WITNESSES)
    try:
        without, with_it = UnloggedClient(plain, subjects), Client(logged, subjects)
        calls, batches = scale.of(2_000, 40), scale.of(60, 4)
        asked = await _in_turn(("ask_without_ledger", without.ask), ("ask_with_ledger", with_it.ask), calls, say)
        many = await _in_turn(("", without.batch), ("batch_with_ledger", with_it.batch), batches, say, codes=BATCH)
        return [*asked, many[1]]
    finally:
        plain.stop()
        logged.stop()


def _lab(folder: Path, subjects: int, say: Say) -> Lab:
    lab = build(folder)
    lab.edits.append(open_budget)
    lab.publish()
    for member in (ORIGIN, ASKER):
        load(lab, member, subjects if member == ORIGIN else BATCH, say)
    return lab


async def _in_turn(
    first: tuple[str, Call], second: tuple[str, Call], calls: int, say: Say, *, codes: int = 0
) -> tuple[Row, Row]:
    in_flight = 4 if codes else IN_FLIGHT
    say(f"{second[0]}: {ROUNDS} rounds of {calls} calls, {in_flight} in flight, each after a round without the ledger")
    for _, call in (first, second):
        await one_round(call, max(2, calls // 10), in_flight)
    rounds = [[await one_round(call, calls, in_flight) for _, call in (first, second)] for _ in range(ROUNDS)]
    bare, logged = ([each[place] for each in rounds] for place in (0, 1))
    ratio = statistics.median(mine.rate / other.rate for mine, other in zip(logged, bare, strict=True))
    told = replace(row(second[0], logged, codes=codes), ratio_to_unlogged=round(ratio, 3))
    return row(first[0], bare, codes=codes), told


async def _append(folder: Path, count: int, say: Say) -> Row:
    """Make entries durable, many waiting at a time."""
    say(f"ledger_append: {count} entries, {TOGETHER} waiting")
    path = folder / DATABASE
    prepare_exchange(path)
    ledger = Ledger(Scribe(member=ORIGIN, signer=lambda: SIGNER), bytes(32))
    commits = Commits(path, ledger.seal)
    event, private = _event(1), LedgerPrivate(log_time=datetime.now(UTC))
    done = await one_round(
        lambda _: commits.run_sealed(lambda connection: ledger.append(connection, event, private), undo=False),
        count,
        TOGETHER,
    )
    commits.close()
    return replace(row("ledger_append", [done]), rows_per_second=round(done.rate, 1))


def _proof(folder: Path, count: int, say: Say) -> Row:
    """Prove random entries of a tree whose hashes are random: what they hash to is no matter here."""
    say(f"ledger_proof: {PROOFS} proofs in a ledger of {count} hashes")
    path = folder / DATABASE
    prepare_exchange(path)
    chance, spent = random.Random(13), []
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO ledger_log VALUES (1, ?, 1, x'')", (ORIGIN_LINE,))
    connection.executemany("INSERT INTO ledger_tile VALUES (1, ?, ?, ?)", _random_tiles(count))
    connection.execute("COMMIT")
    read = tiles_of(connection, 1)
    for _ in range(PROOFS):
        began = time.perf_counter()
        tiles.inclusion(chance.randrange(count), count, read)
        spent.append((time.perf_counter() - began) * 1000)
    connection.close()
    spent.sort()
    return Row(name="ledger_proof", p50_ms=round(percentile(spent, 0.5), 3), p99_ms=round(percentile(spent, 0.99), 3))


def _random_tiles(count: int) -> Iterable[tuple[int, int, bytes]]:
    level = 0
    while held := count >> HEIGHT * level:
        for place in range(-(-held // WIDTH)):
            yield level, place, os.urandom(HASH_BYTES * min(WIDTH, held - place * WIDTH))
        level += 1


def _opened(payload: bytes) -> Checkpoint:
    return open_checkpoint(payload, lambda name: (NoteKey(name=name, key=SIGNER.public_key()),))


def _verify(folder: Path, count: int, say: Say) -> Row:
    """Verify a sound ledger as `yrdx ledger verify` does."""
    path = folder / DATABASE
    prepare_exchange(path)
    say(f"ledger_verify: writing {count} entries")
    _write(path, count)
    say("ledger_verify: verifying in a process of its own")
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        seconds, size, memory = pool.submit(_verified, path).result()
    if size != count:
        raise RuntimeError("the ledger of the bench does not verify")
    return Row(name="ledger_verify", rows_per_second=round(count / seconds, 1), memory_mb=round(memory, 1))


def _verified(path: Path) -> tuple[float, int, float]:
    """Verify; give seconds, size (0 for a damaged ledger) and the most memory of this process's own, in MiB."""
    most, began = 0.0, time.perf_counter()

    def look(_: int) -> None:
        nonlocal most
        most = max(most, own_memory())

    (found,) = verify(path, _opened, look)
    return time.perf_counter() - began, 0 if found.findings else found.size, most


def _write(path: Path, count: int) -> None:
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO ledger_log VALUES (1, ?, 1, x'')", (ORIGIN_LINE,))
    read, root = tiles_of(connection, 1), tree.EMPTY
    for start in range(0, count, _STEP):
        made = [_entry(number) for number in range(start, min(count, start + _STEP))]
        numbered = [(number, *each) for number, each in enumerate(made, start + 1)]
        connection.executemany("INSERT INTO ledger_entry VALUES (?, ?, ?, ?, ?, ?)", numbered)
        grown = tiles.append(start, [tree.leaf_hash(each[0]) for each in made], read)
        connection.executemany(
            "INSERT INTO ledger_tile VALUES (1, ?, ?, ?) ON CONFLICT DO UPDATE SET hashes = excluded.hashes",
            [(tile.level, tile.place, hashes) for tile, hashes in grown.tiles.items()],
        )
        root = grown.root
    note = checkpoint.sign(Head(origin=ORIGIN_LINE, size=count, root=root), SIGNER)
    connection.execute("INSERT INTO ledger_head VALUES (1, ?, ?)", (count, note.payload))
    connection.execute("COMMIT")
    connection.close()


def _entry(number: int) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    salt = number.to_bytes(SALT_BYTES, "big")
    shared, private = Opening(salt, b"shared %081d" % number), Opening(salt, b"private %080d" % number)
    return entries.entry(shared, private).data, shared.salt, shared.text, private.salt, private.text


def _event(number: int) -> LedgerEvent:
    return LedgerEvent(
        kind=LedgerEventKind.ANSWERED,
        asker_member=ASKER,
        answerer_member=ORIGIN,
        pair_sequence=number,
        question_digest=bytes(32),
        reply_digest=bytes(32),
    )
