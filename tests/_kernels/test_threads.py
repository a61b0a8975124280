"""Slices cover the work exactly once, whatever the threads do."""

import os
import subprocess
import sys
import threading

import pytest

from skfact._kernels import _threads
from skfact._kernels._threads import run_slices, thread_limit
from tests.asserts import for_each

ALWAYS = 1.0  # seconds of work that are worth a thread


@pytest.fixture
def four_threads(monkeypatch):
    monkeypatch.setattr(_threads, "thread_limit", lambda: 4)


@pytest.mark.usefixtures("four_threads")
@for_each("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("seconds", [0.0, ALWAYS])
def test_slices_cover_everything_once_and_in_order(size, seconds):
    slices = run_slices(lambda start, stop: (start, stop), size, seconds)
    assert [i for start, stop in slices for i in range(start, stop)] == list(range(size))
    assert all(start < stop for start, stop in slices)
    if seconds == 0:
        assert len(slices) == 1


@pytest.mark.usefixtures("four_threads")
def test_little_work_stays_on_the_calling_thread():
    (ident,) = run_slices(lambda start, stop: threading.get_ident(), 100, 0.0)
    assert ident == threading.get_ident()


@pytest.mark.usefixtures("four_threads")
def test_much_work_is_shared():
    """The first slice waits until another thread has taken one."""
    other = threading.Event()
    caller = threading.get_ident()

    def kernel(_start, _stop):
        if threading.get_ident() == caller:
            assert other.wait(timeout=60)
        else:
            other.set()
        return threading.get_ident()

    assert len(set(run_slices(kernel, 100, ALWAYS))) > 1


@pytest.mark.usefixtures("four_threads")
def test_an_error_in_any_slice_reaches_the_caller():
    def kernel(start, stop):
        if start <= 40 < stop:
            raise ValueError("slice of 40")

    with pytest.raises(ValueError, match="slice of 40"):
        run_slices(kernel, 100, ALWAYS)
    # and the pool still works
    assert sum(run_slices(lambda start, stop: stop - start, 100, ALWAYS)) == 100


@pytest.mark.parametrize("given, limit", [("1", 1), ("1,8", 1), ("0", None), ("two", None)])
@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS"])
def test_environment_limits_the_threads(name, given, limit, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    unlimited = thread_limit()
    assert unlimited >= 1
    monkeypatch.setenv(name, given)
    assert thread_limit() == (unlimited if limit is None else limit)
    monkeypatch.setenv(name, "1000000")
    assert thread_limit() == unlimited


# What processes of these tests do: images of a batch large enough for several threads
WORK = """
import numpy as np
from skfact._kernels import _threads
from skfact.butterfly import butterfly_factorize
from scipy.linalg import hadamard

_threads.WORTH_A_THREAD = 0.0
_threads.thread_limit = lambda: 3
H = hadamard(64).astype(float)
X = np.random.default_rng(0).standard_normal((1000, 64))
operator = butterfly_factorize(H)

def error(seed=0):
    fitted = butterfly_factorize(H)
    return max(np.abs(op.apply(X) - X @ H.T).max() for op in (operator, fitted))
"""


def run_script(script):
    """Run a script in a process of its own; a hang or a crash is an error."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_threads_of_the_caller_and_when_none_can_be_started():
    """No new thread can be started once the interpreter shuts down; the caller does the work."""
    script = """
import atexit
from concurrent.futures import ThreadPoolExecutor
from joblib import Parallel, delayed

atexit.register(lambda: print(error() < 1e-11))
with ThreadPoolExecutor(4) as pool:
    assert max(pool.map(error, range(40))) < 1e-11
assert max(Parallel(2, backend="threading")(delayed(error)(i) for i in range(8))) < 1e-11
"""
    assert run_script(WORK + script) == "True\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_after_a_fork():
    """The child has none of its parent's threads, and starts its own."""
    script = """
import multiprocessing, os, signal
assert error() < 1e-11
child = os.fork()
if child == 0:
    signal.alarm(120)
    os._exit(0 if error() < 1e-11 and error() < 1e-11 else 1)
assert os.waitpid(child, 0)[1] == 0
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert max(pool.map(error, range(8))) < 1e-11
assert error() < 1e-11
"""
    run_script(WORK + script)


def test_in_processes_of_joblib_and_inside_a_grid_search():
    """Processes that start anew, two of them for all."""
    script = """
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skfact import ButterflyFactorizer

assert max(Parallel(2)(delayed(error)(i) for i in range(8))) < 1e-11

X, y = load_digits(return_X_y=True)
grid = {"butterflyfactorizer__rank": [1, 2]}
model = make_pipeline(ButterflyFactorizer(n_components=8), RidgeClassifier())
searches = [GridSearchCV(model, grid, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2)]
scores = [s.fit(X[:200], y[:200]).cv_results_["mean_test_score"] for s in searches]
assert np.array_equal(*scores), scores
"""
    run_script(WORK + script)
