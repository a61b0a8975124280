"""How long does the first use take in a fresh process?"""

import tempfile
import time
from statistics import median
from typing import Any

STEPS = ("import", "first fit", "first transform")


def run(quick: bool) -> dict[str, Any]:
    """Seconds of wall time: once with nothing compiled, then medians with warm caches."""
    from measure import in_new_process, progress  # not above: it imports NumPy

    with tempfile.TemporaryDirectory() as folder:
        warm = {"NUMBA_CACHE_DIR": folder}
        cold = in_new_process("first_use", "steps", threads=None, environment=warm)
        repeats = range(1 if quick else 7)
        found = [
            in_new_process("first_use", "steps", threads=None, environment=warm) for _ in repeats
        ]
    others = [in_new_process("first_use", "imports_of_others", threads=None) for _ in repeats]
    result = {
        "cold": cold,
        "warm": {step: median(seconds[step] for seconds in found) for step in STEPS},
        "others": median(others),
    }
    progress(f"first use: {result}")
    return result


def imports_of_others() -> float:
    """Seconds that the imports of NumPy, SciPy and scikit-learn take alone."""
    start = time.perf_counter()
    import sklearn.decomposition  # noqa: F401

    return time.perf_counter() - start


def steps() -> dict[str, float]:
    """Seconds of each step in this process, which has used nothing yet."""
    times = [time.perf_counter()]
    import numpy as np

    from skfact import ButterflyFactorizer

    times.append(time.perf_counter())
    X = np.random.default_rng(0).normal(size=(64, 64))
    estimator = ButterflyFactorizer().fit(X)
    times.append(time.perf_counter())
    estimator.transform(X)
    times.append(time.perf_counter())
    return {step: times[i + 1] - times[i] for i, step in enumerate(STEPS)}
