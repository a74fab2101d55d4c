"""`yrdx trust`: what the officers of the federation's members do to its signed bundle; files in, files out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from keys.errors import KeysError
from keys.hardware import SCHEME
from nodes import mirror as mirrors
from nodes.cli import documents, trust_tables
from nodes.cli.names import Names
from nodes.cli.session import INCOMPLETE, Ended, SpeakingGroup, option, session
from nodes.federation import REFERENCE
from nodes.setup import read_entry
from nodes.trust import folders, publishing, requests, signing
from nodes.trust.draft import Draft, read_draft, remove_draft, write_draft, write_signatures, write_stage
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.proposing import is_over
from nodes.trust.proposing import propose as next_draft
from nodes.trust.proposing import refresh as refreshing
from nodes.trust.published import FIRST_ROOT, TIMESTAMP, Published, archives, read_published, replace
from nodes.trust.review import Reviewed, check_quarantine, review
from nodes.trust.seen import read_seen, write_seen
from nodes.trust.standing import standing
from nodes.trust.telling import Told, tell

DRAFT, STATUS = "yrdx.trust-draft.v1", "yrdx.trust-status.v1"
_PATH = click.Path(path_type=Path)
_published = option("--published", say="help.published", type=_PATH, required=True)
_root = option("--root", say="help.trusted_root", type=_PATH)
_key = option("--key", say="help.role_key", required=True)
_passphrase = option("--passphrase-file", say="help.passphrase_file", type=_PATH, required=True)
_json = option("--json", "as_json", say="help.json", is_flag=True)


@click.group("trust", cls=SpeakingGroup, help="help.trust")
def trust() -> None:
    """See words.toml."""


@trust.command("init", help="help.trust_init")
@click.argument("folder", type=_PATH)
@option("--member", say="help.own_member", required=True)
@option("--use", "uses", say="help.use", type=click.Choice(requests.USES), multiple=True)
@option("--officers", say="help.trust_officers", type=click.IntRange(2, 8), default=requests.OFFICERS)
@option("--token", "tokens", say="help.trust_token", multiple=True)
def init(*, folder: Path, member: str, uses: tuple[str, ...], officers: int, tokens: tuple[str, ...]) -> None:
    """Make a member's role keys and the request that proves their possession; nothing is overwritten."""
    with _refusals():
        made = requests.init(
            folder, member, uses=uses or requests.USES, officers=officers, work=session().work, tokens=tokens
        )
    _say(
        "trust.made_on_token" if tokens else "trust.made",
        folder=folder.name,
        keys=len(made.claims),
        file=requests.REQUEST,
    )
    for each in made.claims:
        _say("trust.key", id=each.id, public=each.public.hex())


@trust.command("propose", help="help.trust_propose")
@click.argument("draft", type=_PATH)
@_published
@_root
@option("--federation", say="help.federation", type=_PATH, default=REFERENCE)
@option("--entry", "entries", say="help.entry", type=_PATH, multiple=True)
@option("--request", "asked", say="help.request", type=_PATH, multiple=True)
@option("--renew", say="help.renew", multiple=True)
def propose(
    *,
    draft: Path,
    published: Path,
    root: Path | None,
    federation: Path,
    entries: tuple[Path, ...],
    asked: tuple[Path, ...],
    renew: tuple[str, ...],
) -> None:
    """Write the unsigned next version of what differs from the published bundle."""
    now = session().now()
    with _refusals():
        base = read_published(published, root)
        wanted = folders.wanted(
            federation,
            base,
            entries=[read_entry(path.read_text("utf-8")) for path in entries],
            requests=[requests.read_request(path.read_bytes()) for path in asked],
            renew=renew,
        )
        made = next_draft(wanted, base, now=now)
        check_quarantine(review(made, base, now=now))
        write_draft(made, draft)
    _say("trust.proposed", folder=draft.name, roles=len(made.roles), agreements=len(made.agreements))


@trust.command("show", help="help.trust_show")
@click.argument("draft", type=_PATH)
@_published
@_root
@_json
@option("--digest", say="help.digest", is_flag=True)
def show(*, draft: Path, published: Path, root: Path | None, as_json: bool, digest: bool) -> None:
    """Show what a draft would change, and who could then see what."""
    if digest:
        with _refusals():
            click.echo(read_draft(draft).digest)
        return
    with _refusals():
        _, _, reviewed, told = _told(draft, published, root)
    if as_json:
        documents.write({"format": DRAFT, **documents.plain_value(told)})
    else:
        _show(told, reviewed)


@trust.command("sign", help="help.trust_sign")
@click.argument("draft", type=_PATH)
@_published
@_root
@_key
@_passphrase
@option("--yes", "digest", say="help.yes", default="")
def sign(*, draft: Path, published: Path, root: Path | None, key: str, passphrase_file: Path, digest: str) -> None:
    """Add one key's signatures to everything of a draft that it may sign, once the digest was confirmed."""
    with _refusals():
        _check_root(published, root)
        found, base, reviewed, told = _told(draft, published, root)
        if not digest:
            _show(told, reviewed)
        done = signing.sign(
            found,
            base,
            requests.load(key, passphrase_file),
            digest=digest or _confirmed(found),
            now=session().now(),
        )
        signer = next(each for each in done.signatures if done.signatures[each] != found.signatures.get(each))
        path = write_signatures(done, signer, draft)
    names = session().words.say("mark.comma").join(sorted(done.signatures[signer]))
    _say("trust.signed", names=names, file=path.name)


@trust.command("publish", help="help.trust_publish")
@click.argument("draft", type=_PATH)
@_published
@_root
@_key
@_passphrase
@option("--refresh", say="help.refresh", is_flag=True)
@option("--stand-in", say="help.stand_in", is_flag=True)
@option("--again", say="help.again", is_flag=True)
def publish(
    *,
    draft: Path,
    published: Path,
    root: Path | None,
    key: str,
    passphrase_file: Path,
    refresh: bool,
    stand_in: bool,
    again: bool,
) -> None:
    """Take one publisher's turn; exit 3 while another publisher has to take theirs."""
    with _refusals():
        _check_root(published, root)
        signer = requests.load(key, passphrase_file)
        base = read_published(published, root)
        found = _to_publish(draft, base, refresh=refresh)
        beside = passphrase_file if key.startswith(SCHEME) else Path(key)
        memory = beside.with_suffix(".seen")
        step = publishing.publish(
            found,
            base,
            signer,
            now=session().now(),
            root=_trusted(published, root),
            seen=read_seen(memory),
            stand_in=stand_in,
            again=again,
        )
        # What is signed, then that it was signed, then the signature: after a crash the same bytes are signed again.
        write_stage(step.draft, draft)
        write_seen(step.seen, memory)
        if step.made:
            write_signatures(step.draft, signer.id, draft)
        if step.published is not None:
            mirrors.publish(published, step.published.parts)
            write_seen(step.seen.with_published(step.published), memory)
    names = session().words.say("mark.comma").join(step.made)
    if step.published is None:
        _say("trust.cosign", names=names)
        raise SystemExit(INCOMPLETE)
    _say("trust.published", version=step.published.version, folder=published.name)


@trust.command("status", help="help.trust_status")
@_published
@_root
@option("--draft", say="help.draft", type=_PATH)
@_json
def status(*, published: Path, root: Path | None, draft: Path | None, as_json: bool) -> None:
    """Say what is signed, missing and expiring, and who is on duty; exit 3 when anything is missing or expiring."""
    with _refusals():
        base = read_published(published, root)
        found = standing(base, read_draft(draft) if draft else None, now=session().now())
    if as_json:
        documents.write({"format": STATUS, **documents.plain_value(found), "complete": found.complete})
    else:
        trust_tables.show_standing(found, session().words)
    if not found.complete:
        raise SystemExit(INCOMPLETE)


@trust.command("mirror", help="help.trust_mirror")
@click.argument("out", type=_PATH)
@_published
@_root
def mirror(*, out: Path, published: Path, root: Path | None) -> None:
    """Write the published bundle's static folder, one archive a snapshot; readers never meet half of it."""
    with _refusals():
        base = read_published(published, root)
        if base is None:
            raise TrustRefused(Ground.UNREADABLE, file=published.name, why=FIRST_ROOT)
        for older in archives(published, base):
            if not mirrors.archive_path(out, older.version).exists():
                replace(mirrors.archive_path(out, older.version), older.packed)
        mirrors.publish(out, base.parts)
    _say("trust.mirrored", version=base.version, folder=out.name)


def _told(draft: Path, published: Path, root: Path | None) -> tuple[Draft, Published | None, Reviewed, Told]:
    now = session().now()
    found, base = read_draft(draft), read_published(published, root)
    reviewed = review(found, base, now=now)
    return found, base, reviewed, tell(found, base, reviewed, now=now)


def _show(told: Told, reviewed: Reviewed) -> None:
    words = session().words
    trust_tables.show_told(told, Names(reviewed.after, words), words)


def _to_publish(draft: Path, base: Published | None, *, refresh: bool) -> Draft:
    """Read the draft, or make the one that refreshes what is published, anew where the last one is done."""
    if refresh and base is not None:
        if draft.exists() and is_over(read_draft(draft), base):
            remove_draft(draft)
        if not draft.exists():
            write_draft(refreshing(base), draft)
    return read_draft(draft)


def _check_root(published: Path, root: Path | None) -> None:
    """Want one's own root from whoever signs: a made-up folder is in order by its own root (threat 11)."""
    if root is None and (published / TIMESTAMP).exists():
        raise TrustRefused(Ground.ROOT_WANTED, file=published.name)


def _trusted(published: Path, root: Path | None) -> bytes:
    """Read the trusted root; the first bundle of a federation brings it."""
    path = root or published / FIRST_ROOT
    return path.read_bytes() if path.exists() else b""


def _confirmed(draft: Draft) -> str:
    """Have the digest typed by whoever read it."""
    if not sys.stdin.isatty():
        return ""
    typed: str = click.prompt(session().words.say("trust.confirm"))
    return draft.digest if len(typed) >= trust_tables.DIGITS and draft.digest.startswith(typed) else ""


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except TrustRefused as error:
        raise Ended(f"trust_refusal.{error.ground.value}", **error.values) from error
    except (OSError, KeysError, ValueError, KeyError, TypeError) as error:
        why = str(error) if isinstance(error, KeysError) else type(error).__name__
        raise Ended("trust.stopped", why=why) from error


def _say(key: str, **values: object) -> None:
    click.echo(session().words.say(key, **values))
