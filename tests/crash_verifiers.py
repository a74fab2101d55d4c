"""A process with verifiers, as a long batch has them: it prints their numbers and waits to be killed."""

from __future__ import annotations

import os
import sys
import time

from nodes.cli import batch_desk


def main() -> None:
    """Start them; the imports of a verifier are those of this module."""
    os.cpu_count = lambda: 2
    with batch_desk.verifiers(batch_desk.APART) as pool:
        assert pool is not None
        sys.stdout.write(f"{pool.submit(os.getpid).result()}\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main()
