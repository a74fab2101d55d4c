"""Fetches files from a mirror of the bundle: http, https or file. A mirror is not trusted with anything, time included.

No redirect is followed and nothing is decompressed: a mirror is static files, and what they say is checked elsewhere.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, final
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import url2pathname

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient import FetcherInterface

VISIT_SECONDS = 15.0
"""Longest that one mirror may take for everything that a poll asks of it."""

SILENCE_SECONDS = 5.0
"""Longest that a mirror may say nothing."""

VISIT_BYTES = 96 << 20
"""Most that one mirror may send in a poll; each file has a cap of its own besides."""

SCHEMES = ("http", "https", "file")
METADATA = ".json"
_CHUNK = 64 << 10
_NOT_FOUND = 404
_PLAIN = "/%?=&:@!$'()*+,;~"  # what a URL may hold as it is; the rest is quoted


@final
class Visit(FetcherInterface):
    """One poll's visit to one mirror, bounded in time and size as a whole; `asked` names the file asked for last."""

    def __init__(self, *, seconds: float = VISIT_SECONDS, octets: int = VISIT_BYTES) -> None:
        """Start the clock of the visit."""
        self.asked = ""
        self._ends = time.monotonic() + seconds
        self._octets = octets
        self._brought: dict[str, bytes] = {}
        self._ended = False
        self._cut = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._watchdog = threading.Timer(seconds, self._hang_up)
        self._watchdog.daemon = True
        self._watchdog.start()

    def __enter__(self) -> Self:
        """Give the visit itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the visit."""
        self._watchdog.cancel()
        self._close()

    def end(self) -> None:
        """Ask the mirror no more: the metadata that it brought are all that it has from now on."""
        self._ended = True

    def _fetch(self, url: str) -> Iterator[bytes]:  # type: ignore[explicit-override]  # 3.11 has no marker
        parts = urlsplit(url)
        name = parts.path.rpartition("/")[2]
        if self._ended:
            return _again(self._brought.get(name))
        self.asked = name
        if parts.scheme == "file":
            return self._bounded(_read(Path(url2pathname(parts.path))))
        return self._bounded(self._get(parts))

    def _bounded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        name, whole = self.asked, list[bytes]()
        for chunk in chunks:
            self._octets -= len(chunk)
            if self._octets < 0:
                raise DownloadLengthMismatchError("the mirror sent more than a visit may bring")
            self._check_time()
            if name.endswith(METADATA):
                whole.append(chunk)
            yield chunk
        self._brought[name] = b"".join(whole)

    def _get(self, parts: SplitResult) -> Iterator[bytes]:
        try:
            connection = self._connect(parts)
            target = quote(parts.path, safe=_PLAIN) + (f"?{quote(parts.query, safe=_PLAIN)}" if parts.query else "")
            connection.request("GET", target, headers={"Accept-Encoding": "identity", "User-Agent": "yrdx"})
            with connection.getresponse() as response:
                if response.status != http.client.OK:
                    self._close()
                    raise DownloadHTTPError(f"the mirror answered {response.status}", response.status)
                while chunk := response.read1(_CHUNK):
                    yield chunk
            self._check_time()  # a line that was cut looks like an end
        except TimeoutError as error:
            raise SlowRetrievalError("the mirror said nothing for too long") from error
        except (OSError, http.client.HTTPException) as error:
            self._check_time()
            raise DownloadError(f"the mirror did not answer ({type(error).__name__})") from error

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        """Give the open connection of the visit; every file of a mirror comes from one place."""
        self._check_time()
        if self._connection is not None and self._connection.sock is not None:
            return self._connection
        seconds = max(0.001, min(SILENCE_SECONDS, self._ends - time.monotonic()))
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=seconds)
        self._connection.connect()
        self._socket = self._connection.sock
        return self._connection

    def _check_time(self) -> None:
        if self._cut.is_set() or time.monotonic() >= self._ends:
            raise SlowRetrievalError("the mirror took longer than a visit may")

    def _hang_up(self) -> None:
        """End a read that drips: each octet would start the time of silence anew."""
        self._cut.set()
        held = self._socket
        if held is not None:
            try:
                socket.socket.shutdown(held, socket.SHUT_RDWR)  # below TLS: another thread is reading
            except OSError:
                return

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._socket = None


def _again(content: bytes | None) -> Iterator[bytes]:
    if content is None:
        raise DownloadHTTPError("the mirror brought no such file", _NOT_FOUND)
    return iter((content,))


def _read(path: Path) -> Iterator[bytes]:
    if not path.is_file():  # nothing else ends: a pipe would wait for ever
        raise DownloadHTTPError("the mirror has no such file", _NOT_FOUND)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise DownloadError(f"the mirror cannot be read ({type(error).__name__})") from error
