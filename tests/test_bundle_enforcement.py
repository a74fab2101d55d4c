"""What a new bundle takes away is gone at a node that runs: open streams, channels, officers, items, within one poll.

Threat 6. Every member is a real process; nothing is restarted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from bundles import stopped
from callers import Caller, directory_taken, outcome, signed_part, small_lab, until
from click.testing import CliRunner
from mirrors import served
from test_ask_many import ended, wrapped
from test_bundle_partition import use_mirrors

from bench.populations import give_out
from gateway import carriers, wire
from gateway.client import ASK_MANY
from gateway.model.answer import Answer
from nodes.cli import main
from nodes.cli.words import Words
from nodes.lab import Edit, Lab
from yrdx.exchange.v1 import exchange_pb2

pytestmark = pytest.mark.net
ME, OTHER = "310000", "320000"
OFFICER, SECOND = "310118-market/o1", "310118-market/o2"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run the answering and the asking member; of their two mirrors, over HTTP, the first is down."""
    found = small_lab(tmp_path_factory.mktemp("enforcement"), OTHER, ME)
    with served(found.folder) as down:
        pass
    with served(found.mirror) as mirror:
        for each in (OTHER, ME):
            use_mirrors(found, each, down.url, mirror.url)
        give_out(found, OTHER, ME)
        found.start(OTHER, ME)
        yield found
        found.stop()


@pytest.fixture
async def lab(running: Lab) -> AsyncIterator[Lab]:
    """Give the federation as it was, and take back what a test published."""
    yield running
    running.edits.clear()
    await publish(running)


@pytest.fixture
async def caller(lab: Lab) -> AsyncIterator[Caller]:
    """Give Shanghai's node as an asker by hand."""
    found = Caller(lab=lab)
    yield found
    await found.close()


def member(document: dict[str, Any], identity: str = ME) -> dict[str, Any]:
    """Find a member's row."""
    found: dict[str, Any] = next(each for each in document["members"] if each["id"] == identity)
    return found


async def publish(lab: Lab, *edits: Edit) -> None:
    """Publish a change and wait until the nodes have taken it."""
    lab.edits.extend(edits)
    lab.publish()
    await directory_taken(lab, OTHER, ME)


class Stream:
    """An open stream of questions."""

    def __init__(self, caller: Caller) -> None:
        """Open it."""
        self.caller = caller
        self.call: Any = caller.channel(caller.to).stream_stream(ASK_MANY)(timeout=60)

    async def ask(self, **changes: Any) -> str:
        """Ask one question; how it ended, or the status with which the stream ended."""
        return await self.send(wrapped(self.caller.compose(**changes)))

    async def send(self, message: bytes) -> str:
        """Send a message; how it ended, or the status with which the stream ended."""
        heard = await self.exchange(message)
        if heard is grpc.aio.EOF:
            return await self.status()
        return ended(exchange_pb2.AskManyResponse.FromString(heard))

    async def exchange(self, message: bytes) -> Any:
        """Send a message; what comes back."""
        await self.call.write(message)
        return await self.call.read()

    async def status(self) -> str:
        """Wait for the stream's end; its status and its text."""
        return f"{(await self.call.code()).name} {await self.call.details()}"


def suspend(document: dict[str, Any]) -> None:
    """Suspend the asker."""
    member(document)["suspended"] = True


def revoke_key(document: dict[str, Any]) -> None:
    """Revoke the asker's signing key."""
    for key in member(document)["keys"]:
        key["revoked_time"] = key["valid_from"]


def replace_ca(document: dict[str, Any]) -> None:
    """Take the asker's issuing CA back."""
    member(document)["issuing_certificates"] = []


ENDS: dict[str, tuple[Edit, str, str]] = {
    "a suspended member": (suspend, "PERMISSION_DENIED SUSPENDED", "SUSPENDED"),
    "a revoked key": (revoke_key, "UNAUTHENTICATED KEY_NOT_VALID", "KEY_NOT_VALID"),
    "an issuing CA taken back": (replace_ca, "UNAUTHENTICATED UNKNOWN_MEMBER", "UNAUTHENTICATED"),
}


@pytest.mark.parametrize(("edit", "status", "refused"), ENDS.values(), ids=ENDS)
async def test_an_open_stream_ends_with_its_peers_standing(
    edit: Edit, status: str, refused: str, lab: Lab, caller: Caller
) -> None:
    """A stream that was answered a moment ago is ended by the node, without a word from the peer; so are new calls."""
    stream, quiet = Stream(caller), caller.compose()
    assert await stream.ask() == "ANSWERED"
    await publish(lab, edit)
    assert await stream.status() == status
    assert await outcome(caller.ask(quiet)) == refused


def misnamed(caller: Caller, key_id: str) -> bytes:
    """Give a question whose signature is said to be of another key."""
    signed = caller.compose()
    signatures = tuple(replace(each, key_id=key_id) for each in signed.envelope.signatures)
    return wrapped(replace(signed, envelope=replace(signed.envelope, signatures=signatures)))


async def test_a_message_that_does_not_verify_keeps_no_stream_open(lab: Lab, caller: Caller) -> None:
    """A last message in the name of a key that is still good does not hide that the stream's own was revoked."""
    stream = Stream(caller)
    assert await stream.ask() == "ANSWERED"
    assert await stream.send(misnamed(caller, lab.signer("330000").id)) == "BAD_SIGNATURE"
    await publish(lab, revoke_key)
    assert await stream.status() == "UNAUTHENTICATED KEY_NOT_VALID"


async def test_a_message_that_does_not_verify_ends_no_stream(lab: Lab, caller: Caller) -> None:
    """A key id that nobody knows is refused for its own question, and the stream goes on through the next bundle."""
    stream = Stream(caller)
    assert await stream.ask() == "ANSWERED"
    assert await stream.send(misnamed(caller, f"{ME}/unknown")) == "KEY_NOT_VALID"
    await publish(lab)
    assert await stream.ask() == "ANSWERED"


async def test_others_streams_go_on(lab: Lab, caller: Caller) -> None:
    """A stream of a member that is not concerned lives through the new bundle."""
    stream = Stream(caller)
    assert await stream.ask() == "ANSWERED"
    await publish(lab, lambda document: member(document, "330000").update(suspended=True))
    assert await stream.ask() == "ANSWERED"


def without_officer(document: dict[str, Any]) -> None:
    """Take the officer out."""
    rows = member(document)
    rows["officers"] = [each for each in rows["officers"] if each["id"] != OFFICER]


async def test_an_officer_removed_mid_stream_is_refused_at_the_next_message(lab: Lab, caller: Caller) -> None:
    """The stream is the member's and stays; the officer's next question on it is refused, another officer's is not."""
    stream = Stream(caller)
    assert await stream.ask() == "ANSWERED"
    await publish(lab, without_officer)
    assert await stream.ask() == "AGENCY_NOT_ALLOWED"
    assert await stream.ask(alter=lambda header: header.update(officer=SECOND)) == "ANSWERED"


QUARANTINED: dict[str, tuple[Callable[[Caller], str], str]] = {
    "member": (lambda _: ME, "SUSPENDED"),
    "key": (lambda caller: caller.signer.id, "KEY_NOT_VALID"),
    "agency": (lambda _: "310118-market", "SUSPENDED"),
    "agreement": (lambda _: "YRD-4-2026", "SUSPENDED"),
    "purpose": (lambda _: "DAILY_SUPERVISION", "PURPOSE_NOT_ALLOWED"),
}


@pytest.mark.parametrize(("what", "case"), QUARANTINED.items(), ids=QUARANTINED)
async def test_a_quarantine_takes_effect_at_another_node_within_a_poll(
    what: str, case: tuple[Callable[[Caller], str], str], lab: Lab, caller: Caller
) -> None:
    """What the quorum stops is refused by a node that runs, for the reason that fits, a retry of before as well.

    Lifted, it is answered again, and the retry gets the bytes of before.
    """
    signed = caller.compose()
    first = await caller.ask(signed)
    assert not first.refused
    fresh = caller.compose()
    await publish(lab, stopped(what, case[0](caller)))
    assert [await outcome(caller.ask(each)) for each in (fresh, signed)] == [case[1]] * 2
    lab.edits.clear()
    await publish(lab)
    assert await outcome(caller.ask(caller.compose())) == "ANSWERED"
    assert signed_part(await caller.ask(signed)) == signed_part(first)


async def test_a_data_item_in_quarantine_is_withheld(lab: Lab, caller: Caller) -> None:
    """The answer goes on without the item, and says that it is withheld."""
    signed = caller.compose()
    await publish(lab, stopped("data_item", "penalty"))
    assert granted((await caller.ask(signed)).payload) == {"permit", "listing"}


def granted(payload: bytes) -> set[str]:
    """Give the data items of an answer."""
    answer = wire.decode(Answer, carriers.read_response(payload).answer.payload)
    return {each.partition(".")[0] for each in answer.fields_granted}


@pytest.mark.parametrize("what", ["agency", "agreement", "purpose"])
async def test_a_quarantine_is_met_by_the_next_question_of_an_open_stream(what: str, lab: Lab, caller: Caller) -> None:
    """The stream is the member's and stays: what is stopped is refused on it, and lifted it is answered on it."""
    stream, why = Stream(caller), QUARANTINED[what][1]
    assert await stream.ask() == "ANSWERED"
    await publish(lab, stopped(what, QUARANTINED[what][0](caller)))
    assert await stream.ask() == why
    lab.edits.clear()
    await publish(lab)
    assert await stream.ask() == "ANSWERED"


async def test_a_data_item_in_quarantine_is_withheld_on_an_open_stream(lab: Lab, caller: Caller) -> None:
    """The next answer of the stream goes without it."""
    stream = Stream(caller)
    found = []
    for edit in (lambda _: None, stopped("data_item", "penalty")):
        await publish(lab, edit)
        heard = exchange_pb2.AskManyResponse.FromString(await stream.exchange(wrapped(caller.compose())))
        found.append(granted(heard.answer.SerializeToString()))
    assert found == [{"penalty", "permit", "listing"}, {"permit", "listing"}]


async def test_a_local_stop_takes_effect_within_a_second_and_is_lifted(lab: Lab, caller: Caller) -> None:
    """`yrdx stop` at the answering member ends the asker's stream and refuses it; `yrdx lift` lets it in again."""
    stream, config = Stream(caller), str(lab.home(OTHER) / "node.toml")
    assert await stream.ask() == "ANSWERED"
    await run("stop", "member", ME, "--ground", "a case of the tests", "--config", config)
    assert await stream.status() == "PERMISSION_DENIED SUSPENDED"
    assert await outcome(caller.ask(caller.compose())) == "SUSPENDED"

    async def status() -> Any:
        return json.loads(await run("node", "status", "--config", config, "--json"))

    async def told() -> bool:
        return [(each["what"], each["id"]) for each in (await status())["stops"]] == [("member", ME)]

    await until(told, "the status, which is written each second, shows the stop")
    shown = await status()
    assert [each["problem"] for each in shown["mirrors"]] in (["UNREACHABLE", None], [None, "UNREACHABLE"])
    await run("lift", "member", ME, "--config", config)

    async def answered() -> bool:
        return await outcome(caller.ask(caller.compose())) == "ANSWERED"

    await until(answered, "lifted")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("stop", "member", "999999", "--ground", "g"), "stop.unknown"),
        (("stop", "key", "320000/x", "--ground", "g"), "stop.unknown"),
        (("stop", "agency", "none", "--ground", "g"), "stop.unknown"),
        (("stop", "data_item", "none", "--ground", "g"), "stop.unknown"),
        (("lift", "purpose", "DAILY_SUPERVISION"), "stop.none"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_slip_of_the_pen_stops_nothing(arguments: tuple[str, ...], said: str, language: str, lab: Lab) -> None:
    """What the bundle does not know, and a stop that is not there, end with a text that says what to correct."""
    config = str(lab.home(OTHER) / "node.toml")
    heard = await run("--lang", language, *arguments, "--config", config, code=2)
    words = Words(language=language)
    assert words.say(said, what=words.code("stop_what", arguments[1]), id=arguments[2]) in heard


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_status_is_shown_in_both_languages(language: str, lab: Lab) -> None:
    """Serving, the bundle's stage and the mirror that is down stand in the table."""
    heard = await run("--lang", language, "node", "status", "--config", str(lab.home(OTHER) / "node.toml"))
    words = Words(language=language)
    assert words.code("mirror", "UNREACHABLE") in heard
    assert words.code("bundle_stage", "NORMAL") in heard


async def run(*arguments: str, code: int = 0) -> str:
    """Run a command; what it says."""
    found = await asyncio.to_thread(CliRunner().invoke, main, list(arguments))
    assert found.exit_code == code, found.output
    return found.output
