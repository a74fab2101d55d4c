"""A batch at work: asks what is missing, then writes the result and its manifest, and publishes both."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from keys.envelope import Envelope, from_json, to_json
from nodes.batch import folder as folders
from nodes.batch.answers import Reader
from nodes.batch.folder import Folder, answer_name
from nodes.batch.manifest import NAME_BYTES, AnswerFile, Manifest, names_file, read_manifest
from nodes.batch.result import Sheet, Tally, lines
from nodes.batch.rows import Columns, Rows, Scan
from nodes.batch.run import Run
from nodes.cli import batch_desk
from nodes.cli.batch_tables import Checked
from nodes.cli.profile import Access
from nodes.cli.session import Ended, session
from nodes.files import open_table, open_writer

_RETRIES = 999
"""Times of asking again for whose names there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where a batch lives; what is asked again gets a result of its own, for the first one is evidence."""

    file: Path
    out: Path
    work: Path

    def result(self, retries: int) -> Path:
        """Name the result after so many times of asking again."""
        return self.out.with_name(f"{self.out.stem}.{retries + 1}{self.out.suffix}") if retries else self.out

    def manifest(self, retries: int) -> Path:
        """Name the manifest beside the result."""
        result = self.result(retries)
        return result.with_name(f"{result.name}.manifest.json")

    def check_names(self) -> None:
        """Refuse names that no manifest could hold, or no folder beside the result, before anything is asked.

        Raises:
            Ended: naming the limit.
        """
        if not all(names_file(each) for each in (self.work.name, self.manifest(_RETRIES).name)):
            raise Ended("batch.bad_name", limit=NAME_BYTES)

    def check_free(self, retries: int) -> None:
        """Refuse names that are taken, before anything is asked.

        Raises:
            Ended: naming the file.
        """
        for each in (self.result(retries), self.manifest(retries)):
            if each.exists():
                raise Ended("ask.out_exists", file=each.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A list that was read once; it is read again from the start, only as long as its bytes are the same."""

    path: Path
    digest: bytes
    where: Columns
    header: tuple[str, ...]
    scan: Scan

    def rows(self) -> Rows:
        """Read the rows again.

        Raises:
            Ended: when the file was changed meanwhile.
        """
        with open_table(self.path) as table:
            if table.digest != self.digest:
                raise Ended("batch.changed", file=self.path.name)
            yield from table.rows()


def _say(key: str) -> None:
    click.echo(session().words.say(key), err=True)


@dataclass(slots=True, kw_only=True)
class Batch:
    """Everything that one run of the command has at hand; `retries` grows when what is incomplete is asked again."""

    paths: Paths
    access: Access
    source: Source
    reader: Reader
    consents: tuple[Envelope, ...]
    folder: Folder
    retries: int
    resumed: bool
    asked: int = 0

    async def work(self, *, retry: bool) -> Checked:
        """Ask, write and publish; raises what the desk, the reader or the disk raises."""
        start = time.monotonic()
        if not self._finished():
            self.paths.check_free(self.retries)
        with batch_desk.verifiers(self.source.scan.subjects) as pool, batch_desk.bar(self.source.scan.subjects) as tell:
            async with batch_desk.opened(self.access, self.reader, self.consents, pool) as desk:
                run = self._run(desk, tell)
                await run.complete(self.retries)
                if retry and self._finished():
                    await self._again(run)
        if run.terms is not None and run.terms.tierless:
            _say("batch.no_tiers")
        if not self._finished():
            run.check_in_time()
            self._conclude(run)
        return self._published(time.monotonic() - start)

    async def _again(self, run: Run) -> None:
        """Ask again about what awaits a member, for a result of its own; say so where nothing does."""
        if not any(run.pending()):
            _say("batch.nothing_awaits")
            return
        run.check_in_time()
        self.paths.check_free(self.retries + 1)
        self.retries += 1
        self.folder.put_state(self.reader.order, self.retries)
        await run.again()

    def _bind(self) -> None:
        """Bind the folder to the terms: before the first message, and not before it is known that it may be sent."""
        if not self.resumed:
            self.folder.put_state(self.reader.order, self.retries)

    def _run(self, desk: batch_desk.BatchDesk, tell: Callable[[int], None]) -> Run:
        async def admit(needed: int, charged: int) -> None:
            await desk.admit(needed, charged)
            self._bind()

        def told(subjects: int, fresh: bool) -> None:
            self.asked += subjects * fresh
            tell(subjects)

        return Run(
            scan=self.source.scan,
            where=self.source.where,
            rows=self.source.rows,
            folder=self.folder,
            size=self.reader.order.message_subjects,
            ask=desk.ask,
            read=desk.read,
            admit=admit,
            resumed=self.resumed,
            tell=told,
        )

    @property
    def _staged(self) -> tuple[Path, Path]:
        """The result and the manifest in the work folder; the manifest is written last."""
        names = (f"result.{self.retries}{self.paths.out.suffix}", f"manifest.{self.retries}.json")
        return self.folder.path / names[0], self.folder.path / names[1]

    @property
    def _unsigned(self) -> Path:
        """What stands for the manifest where nothing was asked: no answer would prove a signature (duty U24)."""
        return self.folder.path / f"manifest.{self.retries}.unsigned"

    def _finished(self) -> bool:
        return self._staged[1].exists() or self._unsigned.exists()

    def _conclude(self, run: Run) -> None:
        """Write the result from the answers, and sign what it rests on, if anything."""
        staged, tally = self._staged[0], Tally(verdicts=Counter(), answers=Counter())
        sheet = Sheet(terms=run.terms, seed=self.reader.order.seed, narrowed=self.reader.order.narrowed)
        with open_writer(staged, sheet.header) as writer:
            for line in lines(self.source.rows(), self.source.where, run, sheet, tally):
                writer.write(line)
        manifest = self._manifest(run, sheet, tally, folders.digest(staged))
        if run.kept:
            self.folder.put(self._staged[1].name, to_json(manifest.signed(self.access.own or self.access.officer)))
        else:
            self._bind()
            self.folder.put(self._unsigned.name, manifest.payload())

    def _manifest(self, run: Run, sheet: Sheet, tally: Tally, digest: str) -> Manifest:
        times = [each.combined for each in run.kept.values()]
        return Manifest(
            order=self.reader.order,
            rows=self.source.scan.rows,
            result=self.paths.result(self.retries).name,
            result_digest=digest,
            folder=self.paths.work.name,
            form=sheet.form,
            rule_edition=run.terms.rule.edition if run.terms and run.terms.rule else "",
            directory_version=run.terms.version if run.terms else 0,
            retries=self.retries,
            counts=tally.verdicts,
            incomplete=tally.incomplete,
            undecided=tally.undecided,
            first_time=min(times, default=None),
            last_time=max(times, default=None),
            sign_time=session().now(),
            answers=tuple(
                AnswerFile(name=answer_name(number), digest=run.kept[number].digest, rows=tally.answers[number])
                for number in sorted(run.kept)
            ),
        )

    def _published(self, seconds: float) -> Checked:
        signed = self._staged[1].exists()
        targets = (self.paths.result(self.retries), self.paths.manifest(self.retries))
        for one, target in list(zip(self._staged, targets, strict=True))[: 1 + signed]:
            try:
                folders.publish(one, target)
            except FileExistsError as error:
                raise Ended("ask.out_exists", file=target.name) from error
        payload = from_json(self._staged[1].read_bytes()).payload if signed else self._unsigned.read_bytes()
        return Checked(
            manifest=read_manifest(payload),
            subjects=self.source.scan.subjects,
            asked=self.asked,
            seconds=seconds,
            result=targets[0],
            manifest_file=targets[1] if signed else None,
        )
