"""Long jobs of a request: run beside the event loop, so many at a time and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from geo.errors import Busy

Result = TypeVar("Result")


class Jobs:
    """``most`` jobs of one kind at a time; one more is refused at once instead of waiting unseen.

    Parameters
    ----------
    what : the kind of job, as the refusal names it
    most : how many run at the same time
    """

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._free = BoundedSemaphore(most)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """A place among those that run, given back at the end.

        Raises
        ------
        Busy
            As many as may run are running.
        """
        if not self._free.acquire(blocking=False):
            raise Busy(f"正在进行的{self._what}已达上限", where=self._what, remedy="请稍后再试")
        try:
            yield
        finally:
            self._free.release()

    async def run(self, job: Callable[[], Result]) -> Result:
        """The result of a job that is done in a place of its own; ``Busy`` as in ``slot``."""
        with self.slot():
            return await run_in_threadpool(job)
