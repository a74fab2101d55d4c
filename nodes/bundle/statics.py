"""Fetches static files below one address, a folder's or a web server's; nothing that comes is trusted here."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self, final
from urllib.parse import urlsplit

from tuf.api.exceptions import DownloadError

from nodes.bundle.fetching import SCHEMES, Visit

_FILES = 256
_SECONDS = 60.0


@final
class StaticFiles:
    """Files by their names below an address; some hundred of them in one bounded visit."""

    def __init__(self, address: str) -> None:
        """Name an address, or a folder of this machine."""
        known = urlsplit(address).scheme in SCHEMES
        self._address = (address if known else Path(address).resolve().as_uri()).rstrip("/") + "/"
        self._visit: Visit | None = None
        self._left = 0

    def __enter__(self) -> Self:
        """Give the files themselves."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._end(kind, error, trace)

    def read(self, name: str, limit: int) -> bytes:
        """Fetch a file of at most so many bytes.

        Raises:
            OSError: naming the file that did not come.
        """
        if self._visit is None or self._left == 0:
            self._end(None, None, None)
            self._visit, self._left = Visit(seconds=_SECONDS), _FILES
        self._left -= 1
        try:
            return bytes(self._visit.download_bytes(self._address + name, limit))
        except DownloadError as error:
            self._left = 0
            raise OSError(f"{name} was not fetched ({error}); run the command again, or take another mirror") from error

    def _end(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._visit is not None:
            self._visit.__exit__(kind, error, trace)
            self._visit = None
