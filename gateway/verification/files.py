"""A whole answer file: bundle, result, every exchange, the conclusions made again, recognitions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, partial

from gateway import alike, carriers, wire
from gateway.catalogue import Catalogue, read_catalogue
from gateway.charter import Charter, divisions, stage_of
from gateway.clocks import civil_day
from gateway.combination import combine
from gateway.exchange.conclude import holds_until
from gateway.kinds import KINDS, kind_of
from gateway.kinds.row import Combining, Kind
from gateway.model.codes import BundleStage, RecognitionState, RecognitionStatus
from gateway.model.combined import CombinedResult, Recognition, SubjectResult
from gateway.model.signed import Accepted
from gateway.verification.checks import check_key, holds, look, open_signed, step
from gateway.verification.exchanges import Kept, Scene, exchange
from gateway.verification.verdict import Check, Content, Heard, Part, Unreadable, Verdict, accepted_by_member
from keys.directory import Directory, open_bundle
from yrdx.exchange.v1 import desk_pb2, envelope_pb2


def verify(file: bytes, *, root: bytes, now: datetime, kinds: Mapping[str, Kind] = KINDS) -> Verdict:
    """Verify the bytes of an AskMembersResponse against the trusted root's metadata.

    Raises:
        Unreadable: when the bytes are no AskMembersResponse with a result and a bundle.
    """
    message = desk_pb2.AskMembersResponse()
    try:
        wire.parse_into(message, file)
    except wire.WireMalformed as error:
        raise Unreadable("no answer file, torn, or with a field unknown to this version") from error
    if not message.bundle or not message.HasField("result"):
        raise Unreadable("no answer file: it holds no result or no bundle")
    parts: list[Part] = []
    content = content_of(message, root, kinds, parts)
    return Verdict(parts=tuple(parts), content=content, now=now)


def content_of(
    message: desk_pb2.AskMembersResponse, root: bytes, kinds: Mapping[str, Kind], parts: list[Part]
) -> Content | None:
    """Look at each part after those that it rests on; None when any failed."""
    ground = look(parts, "bundle", "", partial(ground_of, message.bundle, root))
    result = ground and look(parts, "result", "", partial(_result, message, ground[0]))
    if not ground or not result:
        return None
    charter = Charter(me=result.asker_member, directory=ground[0], catalogue=ground[1], kinds=kinds)
    kept = Kept()
    found = [
        exchange(parts, Scene(message=each, outcome=outcome, result=result, charter=charter, kept=kept))
        for outcome, each in zip(result.members, message.exchanges, strict=True)
    ]
    heard = tuple(each for each in found if each is not None)
    if len(heard) < len(found):
        return None
    look(parts, "subjects", "", partial(_subjects, result, heard, charter))
    issued = [
        look(parts, "recognition", str(number), partial(_recognition, each, result, heard, charter))
        for number, each in enumerate(message.recognitions, 1)
    ]
    recognitions = tuple(each for each in issued if each is not None)
    look(parts, "recognitions", "", partial(_recognised, result, recognitions))
    if any(each.failed for each in parts):
        return None
    return Content(
        charter=charter,
        result=result,
        result_digest=carriers.envelope_from_message(message.result).digest(),
        exchanges=heard,
        recognitions=recognitions,
    )


@lru_cache(maxsize=4)
def ground_of(archive: bytes, root: bytes) -> tuple[Directory, Catalogue]:
    """Open a bundle and read its tables; the files of a batch share a few, and each is opened once."""
    directory = step(Check.SIGNATURE, lambda: open_bundle(archive, root=root))
    return directory, step(Check.TABLES, lambda: read_catalogue(directory.sections))


def _result(message: desk_pb2.AskMembersResponse, directory: Directory) -> CombinedResult:
    opened, result = open_signed(message.result, CombinedResult, directory, alike.decode_result)
    check_key(opened, directory, result.asker_member, result.combine_time)
    named, sent = [each.member for each in result.members], [each.member for each in message.exchanges]
    holds(Check.MEMBERS, named == sent, "exchanges with other members")
    holds(Check.MEMBERS, bool(named) and len(set(named)) == len(named), "no member, or one twice")
    return result


def _subjects(result: CombinedResult, heard: tuple[Heard, ...], charter: Charter) -> tuple[SubjectResult, ...]:
    """Combine the accepted answers again, as the asker did at that time."""
    marked = result.bundle_stage in {BundleStage.DEGRADED, stage_of(charter, result.combine_time)}
    holds(Check.SUBJECTS, marked, "the bundle was no longer current, and nothing says so")
    body = heard[0].signed.question.body
    same = all(each.signed.question.body == body for each in heard)
    holds(Check.QUESTION, same, "the members were asked different things")
    combining = Combining(
        asker=charter.me,
        application_item=result.application_item,
        today=civil_day(result.combine_time),
        catalogue=charter.catalogue,
        asked=tuple(each.outcome.member for each in heard),
        accepted=accepted_by_member(heard),
        divisions=divisions(charter),
    )
    states = {each.outcome.member: each.outcome.state for each in heard}
    found = step(Check.SUBJECTS, lambda: combine(kind_of(body, charter.kinds), body, combining, states))
    holds(Check.SUBJECTS, found == result.subjects, "the conclusions do not follow from the answers")
    return found


def _recognition(
    message: envelope_pb2.Envelope, result: CombinedResult, heard: tuple[Heard, ...], charter: Charter
) -> Recognition:
    opened, found = open_signed(message, Recognition, charter.directory)
    check_key(opened, charter.directory, result.asker_member, found.valid_from_time)
    accepted = accepted_by_member(heard)
    digests = tuple(accepted[member].digest for member in sorted(accepted))
    holds(Check.BINDING, found.answer_digests == digests, "it rests on other answers")
    concluded = {each.uscc: each.recognition for each in result.subjects}
    holds(Check.RECOGNITION, found.result == concluded.get(found.uscc), "the result says otherwise")
    agree = (
        (found.issuer_member, found.agency) == (result.asker_member, result.agency)
        and (found.agreement_id, found.purposes) == (result.agreement_id, (result.purpose,))
        and found.area == charter.catalogue.agreements[result.agreement_id].area
        and found.valid_from_time == result.combine_time
        and found.valid_until_time == _until(found, accepted, charter)
        and found.status is RecognitionStatus.VALID
    )
    holds(Check.RECOGNITION, agree, "its scope or validity differs from the result")
    return found


def _until(found: Recognition, accepted: Mapping[str, Accepted], charter: Charter) -> datetime:
    agreement = charter.catalogue.agreements[found.agreement_id]
    home, rating, at = found.result.home_member, found.result.rating_id, found.valid_from_time
    return step(Check.RECOGNITION, lambda: holds_until(found.uscc, home, rating, accepted, agreement, charter, at))


def _recognised(result: CombinedResult, found: tuple[Recognition, ...]) -> tuple[str, ...]:
    codes = tuple(
        each.uscc
        for each in result.subjects
        if each.recognition and each.recognition.state is RecognitionState.RECOGNISED
    )
    holds(Check.MEMBERS, codes == tuple(each.uscc for each in found), "not one for each subject recognised")
    return codes
