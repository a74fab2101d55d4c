"""The node's client of The Update Framework as a command, in the form that the framework's conformance suite calls.

tuf_client.py --metadata-dir D init ROOT
tuf_client.py --metadata-dir D --metadata-url U refresh
tuf_client.py --metadata-dir D --metadata-url U --target-name N --target-base-url B --target-dir T download
It exits with 0 or 1; `--clock FILE` takes the time from a file, as a node's test clock does.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.ngclient import Updater

from nodes.bundle.client import open_updater
from nodes.bundle.fetching import Visit
from nodes.clock import open_clock

BOOTSTRAP = "bootstrap"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give the exit status."""
    parser = argparse.ArgumentParser(prog="tuf_client.py")
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--clock", type=Path)
    for name in ("--metadata-url", "--target-name", "--target-base-url"):
        parser.add_argument(name, default="")
    parser.add_argument("--target-dir", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except (RepositoryError, DownloadError, OSError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1


def _run(given: argparse.Namespace) -> int:
    folder: Path = given.metadata_dir
    if given.command == "init":
        (folder / BOOTSTRAP).mkdir(parents=True)
        shutil.copyfile(given.root, folder / BOOTSTRAP / "root.json")
        shutil.copyfile(given.root, folder / "root.json")
        return 0
    with Visit() as visit:
        root, now = (folder / BOOTSTRAP / "root.json").read_bytes(), open_clock(given.clock).now()
        updater = open_updater(folder, given.metadata_url, root=root, now=now, visit=visit)
        updater.refresh()
        return 0 if given.command == "refresh" else _download(updater, given)


def _download(updater: Updater, given: argparse.Namespace) -> int:
    found = updater.get_targetinfo(given.target_name)
    if found is None:
        sys.stderr.write("no such target\n")
        return 1
    updater.target_dir = str(given.target_dir)
    if updater.find_cached_target(found) is None:
        updater.download_target(found, target_base_url=given.target_base_url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
