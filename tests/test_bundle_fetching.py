"""A visit to a mirror: what it gives, and that it ends in bounded time and memory whatever the mirror does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mirrors import Mirror, Trick, answering, dripping, endless, hanging_up, served, silent
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)

from nodes.bundle.fetching import Visit

SHORT = 0.3
BIG = bytes(200_000)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """Serve a folder with one file, whose name needs quoting."""
    (tmp_path / "a b?#.json").write_bytes(b"{}")
    (tmp_path / "big").write_bytes(BIG)
    with served(tmp_path) as found:
        yield found


@pytest.mark.net
def test_a_file_comes_over_http(mirror: Mirror) -> None:
    """The octets of a file come as they are, and several files in one visit."""
    with Visit() as visit:
        assert visit.download_bytes(f"{mirror.url}a%20b%3F%23.json", 10) == b"{}"
        assert visit.asked == "a%20b%3F%23.json"
        assert visit.download_bytes(f"{mirror.url}big", 1 << 20) == BIG


def test_a_file_comes_from_a_folder(tmp_path: Path) -> None:
    """A mirror may be a folder; what is not there, and what is no file, is not served."""
    (tmp_path / "a b.json").write_bytes(b"{}")
    with Visit() as visit:
        assert visit.download_bytes((tmp_path / "a b.json").as_uri(), 10) == b"{}"
        for missing in (tmp_path / "none.json", tmp_path):
            with pytest.raises(DownloadHTTPError) as error:
                visit.download_bytes(missing.as_uri(), 10)
            assert error.value.status_code == 404


@pytest.mark.net
@pytest.mark.parametrize("status", [301, 403, 404, 500])
def test_a_status_is_told_and_no_redirect_followed(status: int, mirror: Mirror, tmp_path: Path) -> None:
    """Whatever is not 200 is an error with its status; the place that a redirect names is not asked."""
    mirror.tricks["/x"] = answering(status, Location=f"{mirror.url}big")
    with Visit() as visit, pytest.raises(DownloadHTTPError) as error:
        visit.download_bytes(f"{mirror.url}x", 1 << 20)
    assert error.value.status_code == status
    assert mirror.asked == ["/x"]


@pytest.mark.net
def test_nothing_is_decompressed(mirror: Mirror) -> None:
    """A body that says it is compressed is taken as it is, and counts with the octets that were sent."""
    mirror.tricks["/x"] = answering(200, b"\x1f\x8b bomb", Content_Encoding="gzip")
    with Visit() as visit:
        assert visit.download_bytes(f"{mirror.url}x", 10) == b"\x1f\x8b bomb"


@pytest.mark.net
@pytest.mark.parametrize("where", ["body", "headers"])
def test_a_dripping_mirror_is_left(where: str, mirror: Mirror) -> None:
    """A mirror that sends an octet now and then, in the body or in the headers, is left when the visit's time is up."""
    mirror.tricks["/x"] = dripping(mirror, headers=where == "headers")
    with Visit(seconds=SHORT) as visit, pytest.raises(SlowRetrievalError):
        visit.download_bytes(f"{mirror.url}x", 1 << 20)


@pytest.mark.net
def test_a_silent_mirror_is_left(mirror: Mirror) -> None:
    """A mirror that accepts and says nothing is left."""
    mirror.tricks["/x"] = silent(mirror)
    with Visit(seconds=SHORT) as visit, pytest.raises(SlowRetrievalError):
        visit.download_bytes(f"{mirror.url}x", 1 << 20)


@pytest.mark.net
def test_no_second_file_after_the_time(mirror: Mirror) -> None:
    """Once a visit's time is up it asks for nothing more."""
    with Visit(seconds=0.0) as visit, pytest.raises(SlowRetrievalError):
        visit.download_bytes(f"{mirror.url}big", 1 << 20)
    assert mirror.asked == []


@pytest.mark.net
def test_an_endless_file_is_left_at_its_cap(mirror: Mirror) -> None:
    """A file that has no end is left at the length that its reader allows."""
    mirror.tricks["/x"] = endless
    with Visit() as visit, pytest.raises(DownloadLengthMismatchError):
        visit.download_bytes(f"{mirror.url}x", 1 << 20)


@pytest.mark.net
def test_a_visit_has_a_cap_over_all_files(mirror: Mirror) -> None:
    """Many files that are each small enough come to an end too."""
    with Visit(octets=3 * len(BIG)) as visit:
        for _ in range(3):
            visit.download_bytes(f"{mirror.url}big", 1 << 20)
        with pytest.raises(DownloadLengthMismatchError):
            visit.download_bytes(f"{mirror.url}big", 1 << 20)


def refused(mirror: Mirror, tmp_path: Path) -> str:
    """Name a port where nobody listens."""
    with served(tmp_path) as other:
        return other.url


def no_tls(mirror: Mirror, tmp_path: Path) -> str:
    """Speak TLS to a server that does not."""
    return mirror.url.replace("http:", "https:")


@pytest.mark.net
@pytest.mark.parametrize("address", [refused, no_tls])
def test_an_unreachable_mirror_is_an_error_of_its_own(
    address: Callable[[Mirror, Path], str], mirror: Mirror, tmp_path: Path
) -> None:
    """Whatever keeps a connection from being made is a DownloadError that names no address."""
    with Visit() as visit, pytest.raises(DownloadError) as error:
        visit.download_bytes(f"{address(mirror, tmp_path)}x", 10)
    assert "127.0.0.1" not in str(error.value)


@pytest.mark.net
@pytest.mark.parametrize(
    "trick", [lambda handler: handler.wfile.write(b"no http\r\n\r\n"), lambda handler: handler.wfile.close()]
)
def test_what_is_no_http_is_an_error(trick: Trick, mirror: Mirror) -> None:
    """A server that speaks something else, or hangs up, is a DownloadError."""
    mirror.tricks["/x"] = trick
    with Visit() as visit, pytest.raises(DownloadError):
        visit.download_bytes(f"{mirror.url}x", 10)


@pytest.mark.net
def test_a_body_that_is_cut_short_is_not_taken_for_whole(mirror: Mirror) -> None:
    """What ends before its length is either told or shorter: the signed length decides, not the mirror's."""
    mirror.tricks["/x"] = hanging_up
    with Visit() as visit:
        assert visit.download_bytes(f"{mirror.url}x", 1000) == b"{"
