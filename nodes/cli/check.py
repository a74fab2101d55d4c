"""`yrdx check`: one verdict a row for a list of enterprises, resumed after any interruption, signed as a whole (U21).

Nothing of a subject is printed but counts; what the rows say stands in the result.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gateway.model.codes import Window
from keys.envelope import Envelope
from nodes.batch import folder as folders
from nodes.batch.answers import AnswerRefused, Reader
from nodes.batch.folder import Folder, FolderBusy, StateMalformed
from nodes.batch.order import Order
from nodes.batch.rows import RowsRefused, Scan, columns, plain_name, scan
from nodes.batch.run import AnswersExpired, SoleTradersClosed
from nodes.cli import documents
from nodes.cli.ask import read_authorisation
from nodes.cli.batch_tables import document, show
from nodes.cli.batch_work import Batch, Paths, Source
from nodes.cli.desk_client import DeskRefused
from nodes.cli.profile import Access, unlock
from nodes.cli.questions import KINDS, OPTIONS, Asked, body_of
from nodes.cli.session import COMPLETE, INCOMPLETE, NOT_GENUINE, Ended, SpeakingCommand, option, session
from nodes.files import FileRefused, open_table

SUFFIXES = (".csv", ".xlsx")
SUBJECTS = 1_000
"""Subjects a message."""
AUTHORISATIONS = 100
"""Authorisations that one question holds."""


@click.command("check", cls=SpeakingCommand, help="help.check")
@click.argument("file", type=click.Path(path_type=Path))
@option("--kind", say="help.kind", type=click.Choice(tuple(KINDS)), required=True)
@option("--purpose", say="help.purpose", required=True)
@option("--item", "application_item", say="help.item", required=True)
@option("--case", "case_reference", say="help.case_reference", default="")
@option("--out", say="help.check_out", type=click.Path(path_type=Path))
@option("--work", say="help.work", type=click.Path(path_type=Path))
@option("--retry", say="help.retry", is_flag=True)
@option("--seed", say="help.seed", default="")
@option("--code-column", say="help.code_column", default="")
@option("--name-column", say="help.name_column", default="")
@option("--triggered-column", say="help.triggered_column", default="")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--agreement", "agreement_id", say="help.agreement", default="")
@option("--member", "members", say="help.member", multiple=True)
@option("--window", say="help.window", type=click.Choice(tuple(each.value for each in Window)))
@option("--domain", "domains", say="help.domain", multiple=True)
@option("--data-item", "data_items", say="help.data_item", multiple=True)
@option("--scheme", say="help.scheme")
@option(
    "--authorisation", "authorisations", say="help.authorisation_file", multiple=True, type=click.Path(path_type=Path)
)
@option("--second-officer", say="help.second_officer", is_flag=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def check(
    *,
    file: Path,
    out: Path | None,
    work: Path | None,
    retry: bool,
    profile: Path | None,
    second_officer: bool,
    as_json: bool,
    **typed: Any,  # noqa: ANN401  the terms of the order
) -> None:
    """Check a list; exit 0 when every row is decided, 3 when one is not or awaits a member, 4 refused, 5 no desk."""
    paths = _paths(file, out, work)
    template = body_of(typed["kind"], Asked(codes=(), **{name: typed[name] for name in ("window", *OPTIONS)}))
    consents = tuple(read_authorisation(each) for each in typed["authorisations"])
    access = unlock(profile, second=second_officer, both=True)
    with _told(paths):
        source = _source(file, typed)
        _check_consents(consents, source.scan)
        wanted = _order(typed, access, source, consents)
        with folders.opened(paths.work) as folder:
            order, retries, resumed = _begun(folder, paths, wanted, seeded=bool(typed["seed"]))
            reader = Reader(order=order, template=template, root=access.root)
            batch = Batch(
                paths=paths,
                access=access,
                source=source,
                reader=reader,
                consents=consents,
                folder=folder,
                retries=retries,
                resumed=resumed,
            )
            found = asyncio.run(batch.work(retry=retry))
    if as_json:
        documents.write(document(found))
    else:
        show(found)
    raise SystemExit(INCOMPLETE if found.open else COMPLETE)


def _paths(file: Path, out: Path | None, work: Path | None) -> Paths:
    suffix = file.suffix.lower() if file.suffix.lower() in SUFFIXES else SUFFIXES[0]
    result = out or file.with_name(f"{file.stem}.result{suffix}")
    if result.suffix.lower() not in SUFFIXES:
        raise Ended("batch.bad_suffix", file=result.name)
    paths = Paths(file=file, out=result, work=work or result.with_name(f"{result.name}.work"))
    paths.check_names()
    return paths


def _source(file: Path, typed: dict[str, Any]) -> Source:
    with open_table(file) as table:
        where = columns(table.header, *(typed[name] for name in ("code_column", "name_column", "triggered_column")))
        found = scan(table.rows(), where)
        return Source(path=file, digest=table.digest, where=where, header=tuple(table.header), scan=found)


def _check_consents(consents: tuple[Envelope, ...], found: Scan) -> None:
    """A question carries every authorisation of its subjects, so that a list of them must fit into one."""
    if consents and (len(consents) > AUTHORISATIONS or found.subjects > len(consents)):
        raise Ended("batch.authorisations", subjects=found.subjects, given=len(consents), most=AUTHORISATIONS)


def _order(typed: dict[str, Any], access: Access, source: Source, consents: tuple[Envelope, ...]) -> Order:
    profile, where = access.profile, source.where
    triggered, name = where.triggered, where.name
    order = Order(
        member=profile.member,
        agency=profile.agency,
        officer=profile.officer,
        approving_officer=profile.approving_officer if access.approving_officer else "",
        authorisations=tuple(each.digest().hex() for each in consents),
        code_column=plain_name(source.header[where.code]),
        name_column="" if name is None else plain_name(source.header[name]),
        triggered_column="" if triggered is None else plain_name(source.header[triggered]),
        message_subjects=SUBJECTS,
        input_digest=source.digest.hex(),
        seed=typed["seed"] or secrets.token_hex(32),
        window=typed["window"] or "",
        scheme=typed["scheme"] or "",
        **{name: typed[name] for name in _AS_TYPED},
    )
    if order.unfit():
        raise Ended("batch.bad_terms", terms=", ".join(order.unfit()))
    return order


def _begun(folder: Folder, paths: Paths, wanted: Order, *, seeded: bool) -> tuple[Order, int, bool]:
    """Take up the batch of the folder, or begin one.

    A folder serves one list under one set of terms from its first answer on: what was refused before may be asked
    under other terms, another case say.
    """
    state = folder.state()
    if state is not None:
        order, retries = state
        alike = replace(wanted, message_subjects=order.message_subjects, seed=wanted.seed if seeded else order.seed)
        other = order.differences(alike)
        if not other:
            return order, retries, True
        if folder.used():
            raise Ended("batch.other_order", file=folder.path.name, terms=", ".join(other))
    paths.check_free(0)
    return wanted, 0, False


@contextmanager
def _told(paths: Paths) -> Iterator[None]:
    """End with a text whatever a file, the work folder or an answer does wrong; no text holds a cell."""
    words = session().words
    try:
        yield
    except FileRefused as error:
        why = words.code("fault", error.fault.value)
        where = ", ".join(f"{name} {value}" for name, value in error.arguments.items())
        place = f" ({where})" if where else ""
        raise Ended("batch.bad_file", file=paths.file.name, why=why, where=place) from error
    except RowsRefused as error:
        places: dict[str, Any] = {"file": paths.file.name, **error.arguments}
        raise Ended(error.key, **places) from error
    except AnswerRefused as error:
        raise Ended("batch.not_used", NOT_GENUINE, why=error, folder=paths.work.name) from error
    except SoleTradersClosed as error:
        raise _refusal(error) from error
    except AnswersExpired as error:
        raise Ended("batch.expired", folder=paths.work.name) from error
    except FolderBusy as error:
        raise Ended("batch.busy", folder=paths.work.name) from error
    except StateMalformed as error:
        raise Ended("batch.bad_state", folder=paths.work.name) from error
    except OSError as error:
        raise Ended("batch.disk", folder=paths.work.name, why=error.strerror or "") from error
    except KeyboardInterrupt as error:
        raise Ended("batch.interrupted", INCOMPLETE) from error


def _refusal(error: SoleTradersClosed) -> Ended:
    cause = error.__cause__
    return cause if isinstance(cause, DeskRefused) else Ended("batch.interrupted", INCOMPLETE)


_AS_TYPED = (
    "kind",
    "purpose",
    "application_item",
    "case_reference",
    "agreement_id",
    "members",
    "domains",
    "data_items",
)
