"""The way to the desk over real mutual TLS on loopback: what comes through, and how each failure is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bundles
import grpc
import pytest
from worlds_tables import JIANGSU, SHANGHAI

from gateway.model.codes import RefusalReason
from gateway.statuses import status_of
from keys import boxes, custody
from keys.tls import Issuer, make_ca
from nodes.cli import desk_client
from nodes.cli.profile import Access, unlock
from nodes.cli.session import REFUSED, UNREACHABLE, Ended

pytestmark = pytest.mark.net
Answer = Callable[[bytes, grpc.ServicerContext], bytes]


@dataclass(frozen=True)
class Ground:
    """An officer's access, and the CA of the desk that it trusts."""

    access: Access
    ca: Issuer


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Make an officer's folder and unlock it."""
    folder = bundles.officers_folder(tmp_path_factory.mktemp("officer"), boxes.Work(operations=1, memory=8192))
    ca = custody.load_issuer(folder / "ca.key", custody.read_passphrase(folder / "passphrase"))
    return Ground(access=unlock(folder / "profile.toml"), ca=ca)


@contextmanager
def desk(ca: Issuer, answer: Answer, *, member: str = SHANGHAI, trusts: bytes | None = None) -> Iterator[str]:
    """Serve a desk with a leaf of the CA; give its address."""
    now = datetime.now(UTC)
    leaf = ca.issue_intermediate(ca.member, now).issue_leaf(member=member, role="node", name="n1", now=now)
    credentials = grpc.ssl_server_credentials(
        [(leaf.key_pem, leaf.certificate_pem)], trusts or ca.certificate_pem, require_client_auth=True
    )
    server = grpc.server(futures.ThreadPoolExecutor(2))
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "AskMembers": grpc.unary_unary_rpc_method_handler(answer)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(desk_client.SERVICE, handlers),))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def at(access: Access, address: str) -> Access:
    """Point an access at an address."""
    return replace(access, profile=replace(access.profile, desk=address))


def refuse(code: grpc.StatusCode, reason: RefusalReason | None = None) -> Answer:
    """Make a desk that ends every call with a status."""

    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        if reason is not None:
            context.abort_with_status(status_of(reason))
        context.abort(code, "CERTIFICATE_REFUSED")
        raise AssertionError

    return answer


def ending(access: Access, address: str) -> Ended:
    """Call and give how it ended."""
    with pytest.raises(Ended) as raised:
        desk_client.call(at(access, address), "AskMembers", b"question")
    assert address in raised.value.message or raised.value.exit_code == REFUSED
    return raised.value


def test_bytes_come_through_as_they_are(ground: Ground) -> None:
    """What the desk sends is what is verified: nothing parses it on the way."""
    with desk(ground.ca, lambda request, _: request + b"\xff\x00") as address:
        assert desk_client.call(at(ground.access, address), "AskMembers", b"question") == b"question\xff\x00"


@pytest.mark.parametrize("reason", [RefusalReason.BUDGET_EXHAUSTED, RefusalReason.CASE_MISSING])
def test_a_refusal_keeps_its_reason(ground: Ground, reason: RefusalReason) -> None:
    """The machine reason of the status is shown, with what to do."""
    with desk(ground.ca, refuse(grpc.StatusCode.OK, reason)) as address:
        ended = ending(ground.access, address)
    assert (ended.exit_code, reason.value in ended.message) == (REFUSED, True)


def test_a_refused_certificate_is_told_apart(ground: Ground) -> None:
    """A desk that does not accept the agency's leaf refuses; it is not away."""
    with desk(ground.ca, refuse(grpc.StatusCode.UNAUTHENTICATED)) as address:
        ended = ending(ground.access, address)
    assert (ended.exit_code, "certificate" in ended.message) == (REFUSED, True)


def test_an_unknown_failure_names_the_status(ground: Ground) -> None:
    """A status without a reason of ours is a desk that cannot be used."""
    with desk(ground.ca, refuse(grpc.StatusCode.INTERNAL)) as address:
        ended = ending(ground.access, address)
    assert (ended.exit_code, "INTERNAL" in ended.message) == (UNREACHABLE, True)


def test_nobody_there_is_told(ground: Ground) -> None:
    """A port where nobody listens ends with 5 and the address."""
    with desk(ground.ca, lambda request, _: request) as address:
        pass
    assert ending(ground.access, address).exit_code == UNREACHABLE


def test_a_desk_under_another_ca_gets_no_question(ground: Ground) -> None:
    """The only root is one's own member's CA: any other desk sees no byte of the question."""
    heard: list[bytes] = []
    other = make_ca(SHANGHAI, now=datetime.now(UTC))

    def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
        heard.append(request)
        return request

    with desk(other, answer, trusts=ground.ca.certificate_pem) as address:
        ended = ending(ground.access, address)
    assert (ended.exit_code, "desk_ca" in ended.message, heard) == (UNREACHABLE, True, [])


def test_a_leaf_of_another_member_is_no_desk(ground: Ground) -> None:
    """A serving leaf that names another member does not pass for one's own desk."""
    with desk(ground.ca, lambda request, _: request, member=JIANGSU) as address:
        assert ending(ground.access, address).exit_code == UNREACHABLE


def test_a_desk_that_does_not_answer_is_late(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """A late desk may have asked already, and the text says so."""
    monkeypatch.setattr(desk_client, "SECONDS", 0.3)

    def wait(request: bytes, context: grpc.ServicerContext) -> bytes:
        ends = datetime.now(UTC) + timedelta(seconds=5)
        while context.is_active() and datetime.now(UTC) < ends:
            futures.wait((), timeout=0.01)
        return request

    with desk(ground.ca, wait) as address:
        ended = ending(ground.access, address)
    assert (ended.exit_code, "may have been asked" in ended.message) == (UNREACHABLE, True)


def test_the_officers_folder_is_private(tmp_path: Path) -> None:
    """Key files of the tests are as closed as real ones, or custody would not open them."""
    folder = bundles.officers_folder(tmp_path, boxes.Work(operations=1, memory=8192))
    assert [each.name for each in folder.glob("*.key") if each.stat().st_mode & 0o077] == []
