"""Timing: contenders take turns, medians count; every question is asked in a process of its own."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RESULTS = Path(__file__).parent / "results"
SLOW = 2.0  # seconds: what takes longer is called once
SHORTEST = 1e-3  # what takes less is called several times in a row
# OpenBLAS's idle threads spin for 2**20 cycles, 0.4 ms, not for 2**26, in which they would take a
# core from the contenders that come next.
SPIN = {"OPENBLAS_THREAD_TIMEOUT": "20"}
THREAD_VARIABLES = [
    f"{library}_NUM_THREADS"
    for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "BLIS", "VECLIB_MAXIMUM")
]


class Measured(NamedTuple):
    """Median time of a function, in ms, and what its first call returned."""

    ms: float
    result: Any


def medians(
    functions: dict[str, Callable[[], Any]], seconds: float, threads: int
) -> dict[str, Measured]:
    """Time each function for about `seconds`, in turns: 3 to 31 samples, or one call if slow.

    CPU time, which other processes disturb less, on one thread; wall time on several, and then
    after a pause, in which the idle threads of the contender before stop spinning. What has to be
    compiled or loaded should have been.
    """
    now, pause = (time.process_time, 0.0) if threads == 1 else (time.perf_counter, 1e-2)

    def sample(function: Callable[[], Any], calls: int) -> float:
        time.sleep(pause)
        start = now()
        for _ in range(calls):
            function()
        return (now() - start) / calls

    results, estimates = {}, {}
    for name, function in functions.items():
        start = now()
        results[name] = function()
        estimates[name] = now() - start
        if estimates[name] < SLOW:  # the first call fills caches
            estimates[name] = sample(function, 1)
    calls = {name: max(1, round(SHORTEST / max(t, 1e-7))) for name, t in estimates.items()}
    samples = {name: [t] if t >= SLOW else [] for name, t in estimates.items()}
    for _ in range(31):
        for name, function in functions.items():
            spent = sum(samples[name]) * calls[name]
            if estimates[name] < SLOW and (len(samples[name]) < 3 or spent < seconds):
                samples[name].append(sample(function, calls[name]))
    return {name: Measured(1e3 * float(np.median(t)), results[name]) for name, t in samples.items()}


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Relative distance in Frobenius norm; `found` is overwritten where its dtype allows."""
    difference = np.subtract(found, expected, out=found if found.flags.writeable else None)
    return float(np.linalg.norm(difference) / np.linalg.norm(expected))


def in_new_process(
    module: str,
    function: str,
    *arguments: Any,
    threads: int | None,
    environment: dict[str, str] | None = None,
) -> Any:
    """Call a function of a module of this folder in a fresh interpreter, in an empty directory.

    The number of threads is read when NumPy is imported, so that it needs a process; None leaves
    all libraries the number that they choose. The result has to fit into JSON.
    """
    variables = {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}
    if threads is not None:
        variables |= SPIN | {name: str(threads) for name in THREAD_VARIABLES}
    folders = [str(Path(__file__).parent), *(os.path.abspath(p) for p in sys.path if p)]
    variables |= {"PYTHONPATH": os.pathsep.join(folders), "PYTHONWARNINGS": "ignore"}
    call = f"import json, sys, {module} as m; r = m.{function}(*json.loads(sys.argv[1]))"
    with tempfile.TemporaryDirectory() as scratch:  # one of the peers writes files where it runs
        done = subprocess.run(
            [sys.executable, "-c", call + "; print(); print(json.dumps(r))", json.dumps(arguments)],
            env=variables | (environment or {}),
            cwd=scratch,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    return json.loads(done.stdout.splitlines()[-1])


def digest(text: str) -> str:
    """What tells a text from any other."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def keep(name: str, results: dict[str, Any], page: Callable[[dict[str, Any]], str]) -> None:
    """Write the results of a question, and the page that tells them."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".rst").write_text(page(results), encoding="utf-8")


def machine() -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    return {
        "date": date.today().isoformat(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }
