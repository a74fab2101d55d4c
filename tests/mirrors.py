"""Mirrors for tests: a folder served over HTTP from a thread, well or with one of a mirror's faults."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Trick = Callable[[SimpleHTTPRequestHandler], None]


@dataclass(kw_only=True)
class Mirror:
    """A mirror that runs: its address, what was asked of it, and tricks by the end of a path."""

    url: str
    asked: list[str] = field(default_factory=list)
    tricks: dict[str, Trick] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *given: object, mirror: Mirror, **named: object) -> None:
        self.mirror = mirror
        super().__init__(*given, **named)  # type: ignore[arg-type]

    def do_GET(self) -> None:  # type: ignore[explicit-override]  # 3.11 has no marker
        self.mirror.asked.append(self.path)
        trick = next((each for end, each in self.mirror.tricks.items() if self.path.endswith(end)), None)
        try:
            if trick is None:
                super().do_GET()
            else:
                trick(self)
        except OSError:  # the client hung up, as it should
            self.close_connection = True

    def log_message(self, *given: object) -> None:  # type: ignore[explicit-override]  # 3.11 has no marker
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[Mirror]:
    """Serve a folder until the block ends."""
    mirror = Mirror(url="")
    server = _Server(("127.0.0.1", port), partial(_Handler, directory=str(folder), mirror=mirror))
    mirror.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        mirror.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def endless(handler: SimpleHTTPRequestHandler) -> None:
    """Send without end."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(64 << 10))


def dripping(mirror: Mirror, *, headers: bool = False) -> Trick:
    """Send one octet at a time, so that no silence is long; `headers` never comes to the body."""

    def trick(handler: SimpleHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: " if headers else b"HTTP/1.0 200 OK\r\n\r\n")
        while not mirror.ended.wait(0.02):
            handler.wfile.write(b" ")

    return trick


def silent(mirror: Mirror) -> Trick:
    """Accept, and say nothing until the mirror ends."""

    def trick(_handler: SimpleHTTPRequestHandler) -> None:
        mirror.ended.wait()

    return trick


def answering(status: int, body: bytes = b"", **headers: str) -> Trick:
    """Answer with a status and a body."""

    def trick(handler: SimpleHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return trick


def hanging_up(handler: SimpleHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
