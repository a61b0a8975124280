"""What a CUDA device makes of it, in at most nine minutes: ``python benchmarks/cuda.py``.

Needs CuPy and a device, and says so where they are missing. Sections have deadlines and are written
as soon as they are done: what the device is, whether results are right (nothing is timed if not),
the tests that need a device, tile sizes of the kernel, products with factors beside copies, cuBLAS,
cuFFT and PyTorch, factorizations beside one copy of the matrix, and functions of the rest.

Times are between CUDA events: the median of 20 calls after 3. Batches take turns and are together
larger than the cache, but for the smallest; a factorization is given the same matrix each time.
Writes results/cuda.json and results/cuda.rst, or to ``--out``; where results of a device are there,
a run with failures or with ``--only`` leaves them and writes cuda.new.json. With ``--dry-run`` the
sizes are small, and only a table is printed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from measure import digest, machine, progress
from page_parts import Rows, fold, short, table

from skfact._kernels import _cuda
from skfact._kernels.apply import cuda
from skfact._kernels.apply.generic import apply_factor
from skfact._kernels.low_rank_blocks import cuda as split
from skfact.butterfly import butterfly_factorize
from skfact.datasets import make_butterfly
from skfact.deep_linear import palm4msa
from skfact.exceptions import StructureWarning
from skfact.fixed_support import fixed_support_factorize
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.relu import path_norm
from skfact.supports import Chain, KSparse

RESULTS = Path(__file__).parent / "results"
DTYPES = ("float32", "float64", "complex64", "complex128")
SECONDS = 540.0  # in all
ROTATED = 256 * 2**20  # bytes of inputs that take turns: more than any cache
SAME = ("skfact", "skfact, CuPy calls", "torch.einsum")  # that give what the dense product gives
WRONG = 100.0  # units of rounding that no result may be off


class Run:
    """The results so far, and the time that is left."""

    def __init__(self, path: Path | None, *, small: bool, whole: bool = True) -> None:
        self.path, self.small, self.whole = path, small, whole
        before = path and path / "cuda.json"
        found = json.loads(before.read_text()) if before and before.exists() else {}
        self.replaces_a_device = found.get("device") is not None
        self.start = self.section_start = time.monotonic()
        self.deadline = SECONDS
        self.results: dict[str, Any] = {**machine(), "commit": commit(), "device": None}
        self.results["sections"] = {}
        self.results["sources"] = {
            module.SOURCE.parent.name: digest(_cuda.code(module.SOURCE)) for module in (cuda, split)
        }
        self.cupy: Any = None

    def left(self) -> float:
        """Seconds left to the section."""
        total = SECONDS - (time.monotonic() - self.start)
        return min(total, self.deadline - (time.monotonic() - self.section_start))

    def section(self, name: str, seconds: float, rows: Callable[["Run"], Iterator[Any]]) -> bool:
        """Run a section until it is done or its time is up, and write; whether it went well."""
        self.section_start, self.deadline = time.monotonic(), seconds
        entry: dict[str, Any] = {"state": "done", "rows": []}
        self.results["sections"][name] = entry
        progress(f"{name}: at most {min(seconds, self.left()):.0f} s")
        try:
            for row in rows(self):
                entry["rows"].append(row)
                if self.left() <= 0:
                    entry["state"] = "cut off"
                    break
        except NotMeasured as reason:
            entry["state"] = f"not measured: {reason}"
        except Wrong as reason:
            entry["state"] = f"failed: {reason}"
        except Exception as error:  # noqa: BLE001 - the other sections are worth having
            entry["state"] = f"failed: {type(error).__name__}: {error}"
        entry["seconds"] = round(time.monotonic() - self.section_start, 1)
        progress(f"{name}: {entry['state']}, {entry['seconds']} s")
        self.write()
        return entry["state"] in ("done", "cut off")

    def skip(self, name: str, reason: str) -> None:
        entry = {"state": f"not measured: {reason}", "rows": [], "seconds": 0}
        self.results["sections"][name] = entry
        self.write()

    def write(self) -> None:
        if self.path is None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / "cuda.json"
        new = self.path / "cuda.new.json"
        if self.replaces_a_device and not self.is_sound():  # what was measured stays
            file = new
        else:
            (self.path / "cuda.rst").write_text(page(self.results))
            new.unlink(missing_ok=True)
        file.write_text(json.dumps(self.results, indent=1) + "\n")

    def is_sound(self) -> bool:
        """Whether all sections have run on a device, and none failed."""
        sections = self.results["sections"]
        return (
            self.whole
            and self.results["device"] is not None
            and all(name in sections for name in NAMES)
            and not any(one["state"].startswith("failed") for one in sections.values())
        )


class NotMeasured(Exception):
    """Why a section cannot be measured here."""


class Wrong(Exception):
    """What went wrong in a section."""


def commit() -> str:
    """The commit of the checkout, "-dirty" if files differ, where there is git and a repository."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude", "*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("SKFACT_COMMIT", "unknown")


# Timing


def microseconds(run: Run, function: Callable[[int], Any]) -> dict[str, float]:
    """Median and tenths of the time of `function`, which is given the number of the call."""
    cupy = run.cupy
    for i in range(3):
        function(i)
    marks = [cupy.cuda.Event() for _ in range(2)]
    times = []
    for i in range(3, 5 if run.small else 23):
        marks[0].record()
        function(i)
        marks[1].record()
        marks[1].synchronize()
        times.append(1e3 * cupy.cuda.get_elapsed_time(*marks))
        if run.left() <= 0:
            break
    low, median, high = np.percentile(times, [10, 50, 90])
    return {"median_us": float(median), "p10_us": float(low), "p90_us": float(high)}


def rotated(run: Run, batch: int, n: int, dtype: str) -> list[Any]:
    """Batches of normal entries: but for the smallest, together more than a cache holds."""
    cupy, size = run.cupy, batch * n * np.dtype(dtype).itemsize
    total = 2**20 if run.small else ROTATED
    count = max(2, min(64, -(-total // size)))
    rows = min(batch, 4096) + 7
    entries = cupy.asarray(gaussian(np.random.default_rng(0), (rows, n), dtype))
    copies = cupy.concatenate([entries] * (1 + batch // rows))  # of at least batch rows
    return [copies[i % 7 : i % 7 + batch].copy() for i in range(count)]


def gaussian(random: np.random.Generator, shape: Any, dtype: str) -> np.ndarray:
    values = random.standard_normal(shape, dtype="float32")
    if np.dtype(dtype).kind == "c":
        values = values + 1j * random.standard_normal(shape, dtype="float32")
    return values.astype(dtype)


# Sections


def device(run: Run) -> Iterator[dict[str, Any]]:
    """Name, versions, and the bandwidth of a copy, which all else is compared with."""
    if find_spec("cupy") is None:
        raise NotMeasured("CuPy is not installed")
    import cupy

    runtime = cupy.cuda.runtime
    try:
        if not runtime.getDeviceCount():
            raise NotMeasured("CuPy finds no device")
    except runtime.CUDARuntimeError as error:
        raise NotMeasured(f"CuPy finds no device ({error})") from None
    facts = runtime.getDeviceProperties(0)
    free, _ = runtime.memGetInfo()
    entries = 2**16 if run.small else min(2**29, free // 16)
    run.cupy = cupy
    source, target = cupy.ones(entries, dtype="float32"), cupy.zeros(entries, dtype="float32")

    def copy(_: int) -> None:
        target[...] = source

    timed = microseconds(run, copy)
    name = facts["name"].decode() if isinstance(facts["name"], bytes) else facts["name"]
    run.results["device"] = {
        "name": name,
        "cupy": cupy.__version__,
        "cupy_settings": {key: os.environ[key] for key in os.environ if key.startswith("CUPY_")},
        "cuda": runtime.runtimeGetVersion(),
        "nvrtc": list(cupy.cuda.nvrtc.getVersion()),
        "driver": runtime.driverGetVersion(),
        "multiprocessors": facts["multiProcessorCount"],
        "cache_bytes": facts["l2CacheSize"],
        "copy_tb_s": 8e-6 * entries / timed["median_us"],
    }
    yield {"what": "copy", "bytes": 8 * entries, **timed}


def correctness(run: Run) -> Iterator[dict[str, Any]]:
    """Random chains, batches and layouts against loops of NumPy in double precision."""
    random = np.random.default_rng(0)
    for number in range(2 if run.small else 200):
        for dtype in DTYPES:
            operator = random_product(random, dtype)
            worst = max(errors(run, random, operator, dtype))
            if not worst < WRONG:
                raise ArithmeticError(f"{worst:.3g} eps for chain {number}, {operator!r}")
            row = {"source": cuda.SOURCE.parent.name, "what": "product", "dtype": dtype}
            yield {**row, "error_eps": worst}
    for dtype in DTYPES:
        for noise in (0.3,) if run.small else (0.0, 1e-2, 0.3):
            A = target(16 if run.small else 256, dtype, noise)
            found = butterfly_factorize(run.cupy.asarray(A)).toarray().get()
            error = float(np.linalg.norm(found - A) / np.linalg.norm(A))
            eps = float(np.finfo(dtype).eps)
            if not error < max(2 * noise, WRONG * eps):  # all that is not noise can be met
                raise ArithmeticError(f"error {error:.3g} at noise {noise} in {dtype}")
            row = {"source": split.SOURCE.parent.name, "what": f"factors, noise {noise}"}
            row["dtype"] = dtype
            yield {**row, "error": error, "error_eps": None if noise else error / eps}


def errors(
    run: Run, random: np.random.Generator, operator: FactorizedOperator, dtype: str
) -> Iterator[float]:
    """Errors of a product, in units of rounding, for batches and layouts of several kinds."""
    cupy, there = run.cupy, operator.to_device("cupy")
    n_in = operator.shape[1]
    eps = float(np.finfo(dtype).eps)
    for batch in (0, 1, 5, int(random.integers(2, 100))):
        memory = gaussian(random, (batch + 1, n_in + 3), dtype)
        X = memory[1:, 2 : n_in + 2]  # rows of another pitch, at an odd address
        given = cupy.asarray(memory)[1:, 2 : n_in + 2]
        found = there.apply(given)
        with cupy.cuda.Stream():
            again = there.apply(given).get()
        host = found.get()
        if not np.array_equal(host, again):
            raise ArithmeticError(f"two runs differ for {operator!r}, batch {batch}")
        expected = by_loops(operator, X)
        size = float(np.linalg.norm(expected))
        yield float(np.linalg.norm(host - expected)) / (size * eps) if size else 0.0


def by_loops(operator: FactorizedOperator, X: np.ndarray) -> np.ndarray:
    """The specification of the product, in double precision."""
    double = np.result_type(X.dtype, np.float64)
    columns = X.T.astype(double)
    for factor in reversed(operator.factors):
        is_plain = isinstance(factor, KroneckerFactor)
        columns = (
            apply_factor(factor.values.astype(double), columns)
            if is_plain
            else factor.apply(columns)
        )
    return columns.T


def random_product(random: np.random.Generator, dtype: str) -> FactorizedOperator:
    """One to five factors of any radices and ranks, with selections at some ends."""
    while True:
        depth = int(random.integers(1, 6))
        out, into = (random.choice([1, 2, 3, 4, 5, 8], depth).tolist() for _ in range(2))
        if max(np.prod(out), np.prod(into)) <= 4096:
            break
    ranks = random.integers(1, 3, depth - 1).tolist()
    factors: list[Any] = [
        KroneckerFactor(gaussian(random, (a, d, b, c), dtype), (a, b, c, d))
        for a, b, c, d in Chain.deformable(out, into, ranks)
    ]
    n_out, n_in = factors[0].shape[0], factors[-1].shape[1]
    if random.random() < 0.3:
        factors.insert(0, PartialPermutation(random.permutation(n_out), n_out))
    if random.random() < 0.3:
        factors.append(PartialPermutation.pad(n_in, max(1, n_in - 1)))
    return FactorizedOperator(factors)


def marked_tests(run: Run) -> Iterator[dict[str, Any]]:
    """The tests that need a device, in processes of their own."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors", "tests"]
    if run.small:
        command.append("tests/test_fixtures.py")
        command.remove("tests")
    elif find_spec("xdist") is not None:
        command += ["-n", "4"]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=max(1.0, run.left())
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured("the tests took too long") from None
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    counts = {name: int(n) for n, name in re.findall(r"(\d+) (\w+)", lines[-1])}
    yield {"summary": lines[-1], "passed": counts.get("passed", 0), "failed": failed[:40]}
    if done.returncode:
        raise Wrong(lines[-1].strip("= "))


def tiles(run: Run) -> Iterator[dict[str, Any]]:
    """Tunings of the kernel."""
    if not _cuda.serves(run.cupy):
        raise NotMeasured("kernels cannot be compiled here")
    ran = False
    for n, dtype in [(256, "float32"), (1024, "float32"), (1024, "complex64"), (4096, "float32")]:
        operator = usual_operator(n, dtype).to_device("cupy")
        factors = operator._products.usual_plan()
        batches = rotated(run, 64 if run.small else 2**24 // n, n, dtype)
        for samples, in_flight, threads in [
            (None, 1, 256), (None, 2, 256), (4, 1, 256), (8, 1, 256), (12, 1, 256), (16, 1, 256),
            (24, 1, 256), (None, 1, 128), (None, 1, 512), (None, 2, 128),
        ]:  # fmt: skip
            tuning = cuda.USUAL._replace(samples=samples, in_flight=in_flight, threads=threads)
            pairs = [(factor.pattern, factor.values) for factor in factors]
            row = {"n": n, "dtype": dtype, "batch": batches[0].shape[0]}
            row |= {"samples": samples, "in_flight": in_flight, "threads": threads}
            try:
                program = cuda.lay_out(pairs, n, n, tuning=tuning)
                timed = microseconds(run, partial(one_of, batches, program, cuda.multiply_chain))
            except Exception as error:  # noqa: BLE001 - this tuning does not fit the device
                yield {**row, "error": f"{type(error).__name__}: {error}"[:200]}
                continue
            ran = True
            yield {**row, **timed, "share_of_copy": share(run, batches[0], timed)}
    if not ran:
        raise Wrong("no tuning ran")


def one_of(batches: list[Any], program: Any, multiply: Callable[[Any, Any], Any], i: int) -> Any:
    return multiply(program, batches[i % len(batches)])


def share(run: Run, X: Any, timed: dict[str, float]) -> float:
    """Part of the bandwidth of a copy, counted on one read of X and one write of as much."""
    return 2e-6 * X.nbytes / timed["median_us"] / run.results["device"]["copy_tb_s"]


def usual_operator(n: int, dtype: str) -> FactorizedOperator:
    """A random product of butterfly factors, about an isometry."""
    random = np.random.default_rng(n)
    return FactorizedOperator(
        KroneckerFactor(gaussian(random, (a, d, b, c), dtype) / np.sqrt(c).astype(dtype), p)
        for p in Chain.butterfly(n)
        for a, b, c, d in [p]
    )


def products(run: Run) -> Iterator[dict[str, Any]]:
    """Batches through factors, beside a copy, the dense product, the FFT and PyTorch."""
    sizes = [(1024, "float32"), (4096, "float32"), (256, "float32"), (1024, "complex64")]
    sizes += [(1024, "float64"), (1024, "complex128"), (2048, "float32")]
    for n, dtype in [(64, "float32"), (64, "complex64")] if run.small else sizes:
        operator = usual_operator(n, dtype).to_device("cupy")
        for batch in (16,) if run.small else (65536, 1024, 32, 1):
            if batch * n * np.dtype(dtype).itemsize > 2**30:
                batch //= 4
            batches = rotated(run, batch, n, dtype)
            dense = operator.toarray().T
            for name, function in contenders(run, operator, batches, dense).items():
                timed = microseconds(run, function)
                row = {"contender": name, "n": n, "dtype": dtype, "batch": batch}
                if name in SAME:
                    row["error_eps"] = apart(function(0), batches[0] @ dense, dtype)
                yield {**row, **timed, "share_of_copy": share(run, batches[0], timed)}


def contenders(
    run: Run, operator: FactorizedOperator, batches: list[Any], dense: Any
) -> dict[str, Callable[[int], Any]]:
    """What multiplies batch number i, by name."""
    cupy = run.cupy

    def on(function: Callable[[Any], Any], given: list[Any] = batches) -> Callable[[int], Any]:
        return lambda i: function(given[i % len(given)])

    plan = operator._products.plan(operator.dtype, batches[0].shape[0])

    def by_library(X: Any) -> Any:
        columns = X.T
        for factor in reversed(plan):
            columns = apply_factor(factor.values, columns)
        return columns.T

    found = {
        SAME[0]: on(operator.apply),
        SAME[1]: on(by_library),
        "copy": on(lambda X: X.copy()),
        "dense, cuBLAS": on(lambda X: X @ dense),
    }
    if np.dtype(operator.dtype).kind == "c":
        found["FFT, cuFFT"] = on(lambda X: cupy.fft.fft(X, axis=1))
    if find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            tensors = [torch.as_tensor(X.get(), device="cuda") for X in batches[:8]]
            found[SAME[2]] = on(partial(by_einsum, torch_factors(plan)), tensors)
    return found


def apart(found: Any, expected: Any, dtype: str) -> float:
    """Distance of the first rows of two results, in units of rounding."""
    one, other = (
        part.cpu().numpy() if hasattr(part, "cpu") else part.get()
        for part in (found[:32], expected[:32])
    )
    return float(np.linalg.norm(one - other) / np.linalg.norm(other) / np.finfo(dtype).eps)


def torch_factors(plan: Any) -> list[Any]:
    import torch

    return [torch.as_tensor(factor.values.get(), device="cuda") for factor in reversed(plan)]


def by_einsum(values: list[Any], X: Any) -> Any:
    """The fused factors one by one, on rows; PyTorch runs on the same default stream."""
    import torch

    for v in values:
        a, d, _, c = v.shape
        X = torch.einsum("adbc,nacd->nabd", v, X.reshape(-1, a, c, d)).reshape(X.shape[0], -1)
    return X


def target(n: int, dtype: str, noise: float) -> np.ndarray:
    """A butterfly product of norm one per row, with relative noise."""
    A = make_butterfly(n, random_state=n)[0]
    random = np.random.default_rng(n)
    A = A / np.linalg.norm(A)
    rest = gaussian(random, A.shape, dtype)
    return (A + noise / np.linalg.norm(rest) * rest).astype(dtype)


def factorizations(run: Run) -> Iterator[dict[str, Any]]:
    """Matrices, beside one copy of them, and beside the processor."""
    butterfly_factorize(target(64, "float32", 0.3))  # compiles the loops of the processor
    for n in (64,) if run.small else (1024, 4096, 2048, 8192):
        for noise in (0.0, 1e-2, 0.3):
            A = target(n, "float32", noise)
            there = run.cupy.asarray(A)
            timed = microseconds(run, lambda _, there=there: butterfly_factorize(there))
            row: dict[str, Any] = {"n": n, "noise": noise, "contender": "device", **timed}
            yield {**row, "share_of_copy": 0.5 * share(run, there, timed)}
            if n <= 4096:
                start = time.perf_counter()
                butterfly_factorize(A)
                seconds = time.perf_counter() - start
                yield {"n": n, "noise": noise, "contender": "processor", "median_us": 1e6 * seconds}


def functions(run: Run) -> Iterator[dict[str, Any]]:
    """What goes through CuPy's own functions, on the device and on the processor."""
    warnings.simplefilter("ignore", StructureWarning)  # of a matrix without structure
    n, random = 32 if run.small else 512, np.random.default_rng(0)
    A = random.standard_normal((n, n)).astype("float32")
    sizes = (n, n, n, 10)
    weights = [random.standard_normal(pair).astype("float32") for pair in pairwise(sizes)]
    biases = [random.standard_normal(size).astype("float32") for size in sizes[1:]]
    ones, groups = np.ones((n, 8)), np.repeat(np.eye(8, dtype=bool), n // 8, axis=1)
    budget = [KSparse(8 * n), KSparse(8 * n)]

    asked: dict[str, Callable[..., Any]] = {
        "path_norm": lambda A, W, b: path_norm((W, b)),
        "palm4msa, 10 sweeps": lambda A, W, b: palm4msa(A, budget, max_iter=10, tol=0.0),
        "fixed_support_factorize": lambda A, W, b: fixed_support_factorize(A, ones, groups),
    }
    there = run.cupy.asarray
    moved = there(A), [there(w) for w in weights], [there(b) for b in biases]
    for name, function in asked.items():
        timed = microseconds(run, lambda _, function=function: function(*moved))
        yield {"contender": "device", "what": name, "n": n, **timed}
        function(A, weights, biases)
        start = time.perf_counter()
        function(A, weights, biases)
        us = 1e6 * (time.perf_counter() - start)
        yield {"contender": "processor", "what": name, "n": n, "median_us": us}


# The page


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    question = "What does a CUDA device gain?"
    found = results["device"]
    if found is None:
        reason = results["sections"]["device"]["state"].removeprefix("not measured: ")
        text = (
            f"**CUDA: not measured.** {reason[:1].upper()}{reason[1:]} on the machine of these "
            "benchmarks, and no other one has run ``python benchmarks/cuda.py`` yet. Its kernels "
            "and all code around them are tested without a device; nothing is known of their speed."
        )
        return "\n".join([question, "-" * len(question), "", text, ""])
    text = (
        f"Measured on {results['date']} on one {found['name']}, whose copies move "
        f"{found['copy_tb_s']:.2f} TB/s, with CuPy {found['cupy']}, CUDA {found['cuda']}, driver "
        f"{found['driver']}, commit {results['commit']}. Sections: "
        + "; ".join(f"{name} {one['state']}" for name, one in results["sections"].items())
        + "."
    )
    lines = [question, "-" * len(question), "", text, ""]
    for name, head in (
        ("products", ["n", "dtype", "batch", "contender"]),
        ("factorizations", ["n", "noise", "contender"]),
        ("functions", ["what", "n", "contender"]),
    ):
        rows = results["sections"].get(name, {}).get("rows", [])
        if rows:
            lines += fold(name.capitalize(), "Medians.", table=table(*cells_of(rows, head)))
    return "\n".join(lines)


def cells_of(rows: Rows, head: list[str]) -> tuple[list[Any], list[list[Any]]]:
    """Head and cells of a table of times."""
    body = [
        [*(row[name] for name in head), short(row["median_us"]), percent(row.get("share_of_copy"))]
        for row in rows
    ]
    return [*head, "µs", "of copy bandwidth"], body


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def summary(results: dict[str, Any]) -> str:
    """A short table for the terminal."""
    lines = [f"device: {results['device'] or 'none'}"]
    for name, one in results["sections"].items():
        lines.append(f"{name:15} {one['state']} ({one['seconds']} s, {len(one['rows'])} rows)")
    for name, head in (("products", "n dtype batch"), ("factorizations", "n noise")):
        for row in results["sections"].get(name, {}).get("rows", []):
            what = " ".join(f"{row[key]!s:>9}" for key in head.split())
            part = percent(row.get("share_of_copy"))
            lines.append(f"{what} {row['contender']:20} {short(row['median_us']):>10} us {part:>6}")
    for row in results["sections"].get("tests", {}).get("rows", []):
        lines += [row["summary"], *row["failed"]]
    return "\n".join(lines)


SECTIONS = (
    ("correctness", 120, correctness),
    ("products", 120, products),
    ("factorizations", 75, factorizations),
    ("tiles", 60, tiles),
    ("functions", 50, functions),
    ("tests", 150, marked_tests),
)
NAMES = tuple(name for name, *_ in SECTIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    parser.add_argument("--dry-run", action="store_true", help="small sizes, and write nothing")
    only = "sections, besides that of the device"
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="SECTION", help=only)
    given = parser.parse_args()
    path = None if given.dry_run else given.out
    run = Run(path, small=given.dry_run, whole=not given.only)
    missing = "" if run.section("device", 20, device) else "no device"
    for name, seconds, rows in SECTIONS:
        if given.only and name not in given.only:
            continue
        if missing and not (name == "tests" and run.cupy):
            run.skip(name, missing)
        elif not run.section(name, seconds, rows) and name == "correctness":
            missing = "results are wrong"
    print(summary(run.results))


if __name__ == "__main__":
    main()
