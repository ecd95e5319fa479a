"""Work shared between processes: pure functions over arrays, answers in the order of the questions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def each(work: Callable[[Question], Answer], questions: Iterable[Question], processes: int = 1) -> Iterator[Answer]:
    """The answers to questions, in their order, worked out here or by several processes.

    Parameters
    ----------
    work : a picklable function
    questions : taken as they are needed, a few ahead of the answers, so that they never lie in memory together
    processes : int, 1 works here
    """
    if processes <= 1:
        yield from map(work, questions)
        return
    # Started afresh: the fork of a process that runs threads can hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Answer]] = deque()
        for question in questions:
            waiting.append(pool.submit(work, question))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
