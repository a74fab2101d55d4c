"""What is being done now: whoever comes with the same key meanwhile waits for it, and it is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class UnderWay(Generic[K, T]):
    """The work of one event loop by key. Between `join` and `run` nothing may be awaited, or two would begin."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._futures: dict[K, asyncio.Future[T]] = {}

    async def join(self, key: K) -> T | None:
        """Wait for the work of a key; None when there is none, or whoever began it gave it up.

        Raises:
            Exception: what the work raised.
        """
        while (waiting := self._futures.get(key)) is not None:
            try:
                return await asyncio.shield(waiting)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not waiting.cancelled() or (task is not None and task.cancelling()):
                    raise  # this caller gave up; when only the first one did, this one goes on
        return None

    async def run(self, key: K, work: Awaitable[T]) -> T:
        """Do the work of a key, and give it to whoever joined.

        Raises:
            Exception: what the work raised, here and at whoever joined.
        """
        future = self._futures[key] = asyncio.get_running_loop().create_future()
        try:
            found = await work
        except Exception as error:
            future.set_exception(error)
            future.exception()  # a failure that nobody waits for is no fault
            raise
        except BaseException:
            future.cancel()
            raise
        else:
            future.set_result(found)
            return found
        finally:
            del self._futures[key]
