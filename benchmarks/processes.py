"""Do threads and processes around skfact leave it as fast as one thread alone?"""

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from statistics import median
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from matrices import make_matrix
from measure import in_new_process, progress
from sklearn.model_selection import GridSearchCV

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize

JOBS = 32
# title, function below, number of threads (None: as the libraries choose)
SURROUNDINGS = (
    ("one after the other, one thread", "in_order", 1),
    ("one after the other", "in_order", None),
    ("four Python threads", "python_threads", None),
    ("after os.fork", "after_fork", None),
    ("multiprocessing.Pool(2), fork", "pool_fork", None),
    ("multiprocessing.Pool(2), spawn", "pool_spawn", None),
    ("joblib threading, 2 jobs", "joblib_threading", None),
    ("joblib loky, 2 jobs", "joblib_loky", None),
    ("grid search, one thread", "grid_search", 1),
    ("grid search, n_jobs=2", "grid_search_two", None),
)


def run(quick: bool) -> list[dict[str, Any]]:
    """Wall time of the same jobs in each surrounding, each in a fresh process."""
    n, repeats = (256, 3) if quick else (1024, 7)
    chosen = SURROUNDINGS[:3] if quick else SURROUNDINGS
    rows = []
    for title, kind, threads in chosen:
        seconds = in_new_process("processes", "measure", kind, n, repeats, threads=threads)
        rows.append({"surrounding": title, "kind": kind, "threads": threads, "seconds": seconds})
        progress(f"{title}: {seconds:.3f} s")
    return rows


def measure(kind: str, n: int, repeats: int) -> float:
    """Median wall time of all jobs, after one round that starts the workers."""
    return globals()[kind](n, repeats)


@cache
def data(n: int) -> tuple[np.ndarray, np.ndarray]:
    return make_matrix("noisy", n), np.random.default_rng(0).normal(size=(256, n))


def job(n: int) -> float:
    """Factor a matrix and apply the factors to a batch of rows."""
    A, X = data(n)
    return float(butterfly_factorize(A).apply(X)[0, 0])


def rounds(everything: Callable[[], Any], repeats: int) -> float:
    everything()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        everything()
        times.append(time.perf_counter() - start)
    return median(times)


def in_order(n: int, repeats: int) -> float:
    return rounds(lambda: [job(n) for _ in range(JOBS)], repeats)


def python_threads(n: int, repeats: int) -> float:
    with ThreadPoolExecutor(4) as pool:
        return rounds(lambda: list(pool.map(job, [n] * JOBS)), repeats)


def after_fork(n: int, repeats: int) -> float:
    """In a child of a process that has started threads."""
    job(n)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            sender.send(in_order(n, repeats))
        finally:
            os._exit(0)
    sender.close()
    seconds = receiver.recv()  # raises EOFError if the child has died
    os.waitpid(child, 0)
    return seconds


def pool_fork(n: int, repeats: int) -> float:
    return _pool("fork", n, repeats)


def pool_spawn(n: int, repeats: int) -> float:
    return _pool("spawn", n, repeats)


def _pool(method: str, n: int, repeats: int) -> float:
    job(n)
    with multiprocessing.get_context(method).Pool(2) as pool:
        return rounds(lambda: pool.map(job, [n] * JOBS, chunksize=1), repeats)


def joblib_threading(n: int, repeats: int) -> float:
    return _joblib("threading", n, repeats)


def joblib_loky(n: int, repeats: int) -> float:
    return _joblib("loky", n, repeats)


def _joblib(backend: str, n: int, repeats: int) -> float:
    with Parallel(2, backend=backend, batch_size=1) as parallel:
        return rounds(lambda: parallel(delayed(job)(n) for _ in range(JOBS)), repeats)


def grid_search(n: int, repeats: int, n_jobs: int = 1) -> float:
    X = data(n)[0][:, : n // 2]
    orders = {"order": ["balanced", "left-to-right", "right-to-left"]}
    estimator = ButterflyFactorizer(n_components=n // 8)
    search = GridSearchCV(estimator, orders, cv=4, n_jobs=n_jobs)
    return rounds(lambda: search.fit(X), min(repeats, 3))


def grid_search_two(n: int, repeats: int) -> float:
    return grid_search(n, repeats, n_jobs=2)
