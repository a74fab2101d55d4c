"""`yrdx` in a process of its own that kills itself at a step of a load: python crash_ingest.py STEP ARGUMENT..."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from nodes.cli import main
from nodes.store.loading import Loading

STEPS = ("begin", "put.2", "hold", "finish", "finish.end", "take", "take.end")
"""Before a method of the writer, at its second call, or after it."""


def deadly(step: str) -> None:
    """Let a method of the writer kill the process, as a power cut would."""
    name, _, when = step.partition(".")
    method: Any = getattr(Loading, name)
    calls = 0

    def replaced(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        found = None
        if when == "end":
            found = method(*arguments, **named)
        if when != "2" or calls == 2:
            os.kill(os.getpid(), signal.SIGKILL if name != "hold" else signal.SIGINT)
        return found if when == "end" else method(*arguments, **named)

    setattr(Loading, name, replaced)


if __name__ == "__main__":
    deadly(sys.argv[1])
    main(sys.argv[2:])
