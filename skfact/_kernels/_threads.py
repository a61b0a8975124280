"""Running slices of a loop on threads: the one thread pool of the compiled kernels."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

# Slices per thread: threads that are done early, or were given a slow core, share the rest.
SLICES = 4
# Seconds of work below which waking a thread costs more than it saves.
WORTH_A_THREAD = 1e-3

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def thread_limit() -> int:
    """Number of threads that a kernel may use.

    The cores that the process may run on, or less if the environment variable `OMP_NUM_THREADS` or
    `NUMBA_NUM_THREADS` says so; both are read each time.
    """
    cores = getattr(os, "sched_getaffinity", None)
    limit = len(cores(0)) if cores else os.cpu_count() or 1
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        given = os.environ.get(name, "").split(",")[0].strip()  # OpenMP allows one per level
        if given.isdecimal() and int(given) > 0:
            limit = min(limit, int(given))
    return limit


def run_slices(kernel: Callable[[int, int], Any], size: int, seconds: float) -> list[Any]:
    """What ``kernel(start, stop)`` returns on slices that cover ``range(size)``, in their order.

    The kernel works on its slice alone, without the GIL. `seconds` estimates the time of all slices
    on one thread; little work stays on the calling thread.
    """
    n_threads = min(thread_limit(), size) if seconds > WORTH_A_THREAD else 1
    if n_threads <= 1:
        return [kernel(0, size)]
    n_slices = min(size, SLICES * n_threads)
    bounds = [size * i // n_slices for i in range(n_slices + 1)]
    waiting = deque(enumerate(pairwise(bounds)))
    results: list[Any] = [None] * n_slices

    def work() -> None:
        while True:
            try:
                i, (start, stop) = waiting.popleft()
            except IndexError:
                return
            results[i] = kernel(start, stop)

    helpers = []
    try:
        pool = _pool(n_threads - 1)
        helpers = [pool.submit(work) for _ in range(n_threads - 1)]
    except RuntimeError:  # the interpreter is shutting down, or no thread can be started
        pass
    work()
    for helper in helpers:
        if not helper.cancel():  # one that never started found nothing left to do
            helper.result()
    return results


def _pool(n_workers: int) -> ThreadPoolExecutor:
    """The pool of this process: threads do not survive a fork."""
    key = os.getpid(), n_workers
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(n_workers, thread_name_prefix="skfact")
    return _pools[key]
