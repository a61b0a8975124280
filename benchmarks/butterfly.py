"""Butterfly factorization beside its peers: ``python benchmarks/butterfly.py [--quick]``.

Every contender runs in this one process, on one thread, in turns; the median CPU time counts, which
other processes disturb less than wall time. Peers are measured where they are installed::

    pip install . pyfaust lazylinop psutil pandas

Writes results/butterfly.json and results/butterfly.rst, which the documentation includes. With
``--quick``, sizes are small and nothing is written unless ``--output`` says where.
"""

# ruff: noqa: E402
import os

for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "BLIS"):
    os.environ[f"{name}_NUM_THREADS"] = "1"  # read when NumPy is imported

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from contenders import Factorizer, factorizers, fft, versions
from report import page
from scipy.linalg import hadamard

RESULTS = Path(__file__).parent / "results"
SAMPLE_SECONDS = 1e-3  # shorter functions are called several times per sample


def make_matrix(name: str, n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    if name == "DFT":
        return np.fft.fft(np.eye(n))
    if name == "Gaussian":
        return rng.normal(size=(n, n))
    clean = hadamard(n).astype(float)
    return clean + 0.1 * rng.normal(size=(n, n)) if name == "noisy Hadamard" else clean


def cpu_time(function: Callable[[], Any], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls


def median_times(functions: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Median CPU time in ms; the functions take turns for about `seconds` each, 3 to 31 times."""
    first = {key: cpu_time(function, 1) for key, function in functions.items()}
    calls = {key: max(1, round(SAMPLE_SECONDS / max(t, 1e-7))) for key, t in first.items()}
    # a long first call is warm enough to count
    samples = {key: [t] if t > seconds else [] for key, t in first.items()}
    for _ in range(31):
        for key, function in functions.items():
            if len(samples[key]) < 3 or sum(samples[key]) * calls[key] < seconds:
                samples[key].append(cpu_time(function, calls[key]))
    return {key: 1e3 * float(np.median(times)) for key, times in samples.items()}


def measure_factorize(
    name: str, n: int, contenders: list[Factorizer], seconds: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the table, and what each contender found."""
    A = make_matrix(name, n)
    found = {c.name: c.factorize(A, name == "DFT") for c in contenders}
    functions: dict[str, Callable[[], Any]] = {
        c.name: lambda c=c: c.factorize(A, name == "DFT") for c in contenders
    }
    functions |= {"norm(A)": lambda: np.linalg.norm(A), "A @ A": lambda: A @ A}
    times = median_times(functions, seconds)
    rows = []
    for c in contenders:
        error = np.linalg.norm(c.toarray(found[c.name]) - A) / np.linalg.norm(A)
        row = {"matrix": name, "n": n, "contender": c.name, "ms": times[c.name]}
        row |= {"error": float(error), "norm_ms": times["norm(A)"], "matmul_ms": times["A @ A"]}
        rows.append(row)
    return rows, found


def measure_apply(
    name: str,
    n: int,
    batch: int,
    contenders: list[Factorizer],
    found: dict[str, Any],
    seconds: float,
) -> list[dict[str, Any]]:
    """Products of an exactly factorable matrix with a batch of columns, checked before timing."""
    A = make_matrix(name, n)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, batch) if batch > 1 else n).astype(A.dtype)
    batches = {"C": np.ascontiguousarray(X), "F": np.asfortranarray(X)}
    functions: dict[str, Callable[[], Any]] = {
        key: partial(make(found[c.name]), batches[c.layout])
        for c in contenders
        for key, make in c.products.items()
    }
    if name == "DFT":
        functions["scipy.fft"] = partial(fft, X)
    expected = A @ X
    for key, function in functions.items():
        error = np.linalg.norm(function() - expected) / np.linalg.norm(expected)
        if not error < 1e-10:
            raise RuntimeError(f"{key} is wrong for {name}, n = {n}, batch {batch}: {error:.1e}")
    times = median_times({"dense": lambda: A @ X, **functions}, seconds)
    dense = times.pop("dense")
    same = {"matrix": name, "n": n, "batch": batch, "dense_ms": dense}
    return [{**same, "contender": key, "ms": t} for key, t in times.items()]


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
        "threads": 1,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **versions()},
    }


def run(sizes: list[int], batches: list[int], seconds: float) -> dict[str, Any]:
    contenders = factorizers()
    results: dict[str, Any] = {**machine(), "factorize": [], "apply": []}
    for n in sizes:
        for name in ("Hadamard", "DFT", "noisy Hadamard", "Gaussian"):
            rows, found = measure_factorize(name, n, contenders, seconds)
            results["factorize"] += rows
            for row in rows:
                print(f"factorize {name} {n}: {row['contender']} {row['ms']:.2f} ms", flush=True)
            if name in ("Hadamard", "DFT"):
                for batch in batches:
                    rows = measure_apply(name, n, batch, contenders, found, seconds)
                    results["apply"] += rows
                    for row in rows:
                        gain = f"{row['dense_ms'] / row['ms']:.1f}x dense"
                        print(
                            f"apply {name} {n}, batch {batch}: {row['contender']} {gain}",
                            flush=True,
                        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, a few seconds")
    parser.add_argument("--output", type=Path, help="folder for the results")
    options = parser.parse_args()
    output = options.output or (None if options.quick else RESULTS)
    output = output.resolve() if output else None
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # one of the peers writes files where it is called
        if options.quick:
            results = run([64, 256], [1, 16], 0.02)
        else:
            results = run([256, 1024, 4096], [1, 16, 128, 1024], 0.5)
        os.chdir(Path(__file__).parent)
    text = page(results)
    if output is None:
        print(text)
        return
    output.mkdir(parents=True, exist_ok=True)
    (output / "butterfly.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (output / "butterfly.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
