"""How fast are factors outside of Python? ``python benchmarks/export.py``, three minutes.

ONNX models of factors beside those of the same matrices, in onnxruntime; C source, compiled by the
system's compiler, beside the loops of skfact. One thread, CPU time, float32 unless it says float64.
Every result is compared with `apply`. Writes results/export.json and .rst; ``--quick`` prints the
tables for n = 1,024. Needs onnx and onnxruntime; without a C compiler the second part is left out.
"""

import argparse
import ctypes
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from measure import in_new_process, keep, machine, medians, progress, relative_error
from page_parts import Rows, between, cells, fold, how, measured, section, table, three

from skfact.export import to_c, to_onnx
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain

SIZES = (1024, 4096)
BATCHES = (1, 16, 128, 1024)
KINDS = ("butterfly", "Monarch", "low rank", "low rank and entries")
COMPILED = (("butterfly", "float32"), ("butterfly", "float64"), ("Monarch", "float32"))
SECONDS = 0.6  # that each contender is timed for


def operator(kind: str, n: int, dtype: str) -> Any:
    """Factors of Gaussian numbers whose products keep norms, about."""
    random = np.random.default_rng(0)
    if kind in ("butterfly", "Monarch"):
        chain = Chain.butterfly(n) if kind == "butterfly" else Chain.monarch(n, n)
        factors = [
            KroneckerFactor(random.normal(size=(p.a, p.d, p.b, p.c)) / np.sqrt(p.c), p)
            for p in chain
        ]
        return FactorizedOperator(factors).astype(dtype)
    rank = n // 32
    left, right = random.normal(size=(n, rank)) / np.sqrt(rank), random.normal(size=(rank, n))
    low_rank = FactorizedOperator([left, right / np.sqrt(n)])
    if kind == "low rank and entries":
        low_rank = low_rank + scipy.sparse.random_array((n, n), density=4 / n, rng=random)
    return low_rank.astype(dtype)


def in_onnxruntime(kind: str, n: int) -> Rows:
    """Times of the models of factors and of the dense matrix; their sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    factors = operator(kind, n, "float32")
    dense = FactorizedOperator([factors.toarray()])
    models = {name: to_onnx(op) for name, op in (("factors", factors), ("dense", dense))}
    sessions = {
        name: onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        for name, model in models.items()
    }
    rows = []
    for batch in BATCHES:
        X = np.random.default_rng(1).normal(size=(batch, n)).astype("float32")
        calls: dict[str, Callable[[], Any]] = {
            name: partial(session.run, None, {"X": X}) for name, session in sessions.items()
        }
        calls["apply"] = partial(factors.apply, X)
        found = medians(calls, SECONDS, 1)
        expected = factors.apply(X)
        for name, one in found.items():
            row = {"kind": kind, "n": n, "batch": batch, "contender": name, "ms": one.ms}
            images = one.result[0] if name in models else one.result
            row["error"] = relative_error(images.copy(), expected)
            if name in models:
                row["bytes"] = models[name].ByteSize()
            rows.append(row)
        progress(f"{kind}, n = {n}, batch {batch}: { {k: v.ms for k, v in found.items()} }")
    return rows


def compiled(op: Any, folder: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function of C source, of rows."""
    source = to_c(op, Path(folder) / "map.c", name="map")
    library = Path(folder) / "map.so"
    options = ["-std=c99", "-O3", "-march=native", "-shared", "-fPIC"]
    compiler = shutil.which("cc") or "gcc"
    subprocess.run([compiler, *options, "-o", library, Path(folder) / "map.c"], check=True)
    function = ctypes.CDLL(str(library)).map
    work = np.empty(int(re.search(r"#define MAP_WORK (\d+)", source)[1]), op.dtype)

    def apply(X: np.ndarray) -> np.ndarray:
        Y = np.empty((len(X), op.shape[0]), op.dtype)
        x, y, w = (ctypes.c_void_p(array.ctypes.data) for array in (X, Y, work))
        function(x, y, ctypes.c_size_t(len(X)), w)
        return Y

    return apply


def in_c(kind: str, dtype: str, n: int) -> Rows:
    """Times of the compiled function and of `apply`."""
    op = operator(kind, n, dtype)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        function = compiled(op, folder)
        for batch in BATCHES:
            X = np.random.default_rng(1).normal(size=(batch, n)).astype(dtype)
            found = medians({"C": partial(function, X), "apply": partial(op.apply, X)}, SECONDS, 1)
            error = relative_error(found["C"].result, found["apply"].result)
            row = {"kind": kind, "dtype": dtype, "n": n, "batch": batch, "error": error}
            rows += [{**row, "contender": name, "ms": one.ms} for name, one in found.items()]
            progress(f"{kind}, {dtype}, n = {n}, batch {batch}: {found['C'].ms:.3g} ms")
    return rows


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    lines = _onnx(results)
    if results["c"]:
        lines += _c(results)
    return "\n".join(lines)


def _onnx(results: dict[str, Any]) -> list[str]:
    found = cells(results["onnx"], "kind", "n", "batch")
    ratios = {key: times["dense"]["ms"] / times["factors"]["ms"] for key, times in found.items()}
    sizes = {key[:2]: (t["factors"]["bytes"], t["dense"]["bytes"]) for key, t in found.items()}
    by_size = {n: between(r for key, r in ratios.items() if key[1] == n) for n in SIZES}
    smaller = {n: between(d / f for (_, m), (f, d) in sizes.items() if m == n) for n in SIZES}
    lines = [
        [kind, n, batch, three(1e3 * t["factors"]["ms"]), three(1e3 * t["dense"]["ms"])]
        + [f"{ratios[kind, n, batch]:.2g}", f"{t['factors']['error']:.0e}"]
        for (kind, n, batch), t in found.items()
    ]
    files = [
        [kind, n, f"{factors / 1e6:.3g}", f"{dense / 1e6:.3g}", f"{dense / factors:.3g}"]
        for (kind, n), (factors, dense) in sizes.items()
    ]
    low, high = SIZES
    return section(
        "How fast and how small are ONNX models of factors?",
        f"In onnxruntime on one thread, {by_size[low]} times as fast as the dense matrix for "
        f"n = {low}, and {by_size[high]} times for n = {high}; the files are {smaller[low]} and "
        f"{smaller[high]} times smaller.",
        (
            "onnx_models",
            "Two panels, n = 1,024 and n = 4,096: the speed-up of factors over the dense matrix in "
            "onnxruntime against the number of rows, both logarithmic, with a line for each kind "
            "of factors.",
            f"CPU time on one thread, float32. {measured(results)}",
        ),
        "onnxruntime multiplies many small blocks one after the other, and writes each result to "
        "memory: neighbouring factors are multiplied out in the file until their numbers have "
        "doubled. The loops of skfact keep vectors in cache.",
        fold(
            "Microseconds",
            "*Times faster*: the time of the dense model over that of the factors. Errors are "
            "relative to ``apply``.",
            table=table(
                ["factors", "n", "rows", "factors, µs", "dense, µs", "times faster", "error"], lines
            ),
        ),
        fold("Files, MB", table=table(["factors", "n", "factors", "dense", "ratio"], files)),
        how(results),
    )


def _c(results: dict[str, Any]) -> list[str]:
    found = cells(results["c"], "kind", "dtype", "n", "batch")
    ratios = {key: times["C"]["ms"] / times["apply"]["ms"] for key, times in found.items()}
    many = between(r for (*_, n, batch), r in ratios.items() if n == SIZES[0] and batch > 1)
    one = between(r for (*_, n, batch), r in ratios.items() if n == SIZES[0] and batch == 1)
    lines = [
        [kind, dtype, n, batch, three(1e3 * t["C"]["ms"]), three(1e3 * t["apply"]["ms"])]
        + [f"{ratios[kind, dtype, n, batch]:.2g}", f"{t['C']['error']:.0e}"]
        for (kind, dtype, n, batch), t in found.items()
    ]
    return section(
        "How fast is the C source?",
        f"For n = {SIZES[0]} and batches of 16 and more it takes {many} of the time of ``apply``, "
        f"with one row {one}.",
        (
            "c_source",
            "Two panels, n = 1,024 and n = 4,096: the time of the C function over that of apply "
            "against the number of rows, both logarithmic, with a line for each kind of factors "
            "and precision.",
            f"CPU time on one thread. {measured(results)}",
        ),
        "Eight rows go through all factors together, so that one row takes as long as eight.",
        fold(
            "Microseconds",
            "Compiled with ``-O3 -march=native``. Errors are relative to ``apply``.",
            table=table(
                ["factors", "precision", "n", "rows", "C, µs", "apply, µs", "ratio", "error"], lines
            ),
        ),
        how(results, f"{results['compiler']}."),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="n = 1,024; nothing is written")
    quick = parser.parse_args().quick
    results: dict[str, Any] = machine() | {"onnx": [], "c": [], "compiler": ""}
    names = ("numpy", "numba", "onnx", "onnxruntime")
    results["versions"] = {name: version(name) for name in names}
    compiler = shutil.which("cc")
    if compiler:
        found = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
        results["compiler"] = found.stdout.splitlines()[0]
    for n in SIZES[:1] if quick else SIZES:
        for kind in KINDS:
            results["onnx"] += in_new_process("export", "in_onnxruntime", kind, n, threads=1)
        for kind, dtype in COMPILED if compiler else ():
            results["c"] += in_new_process("export", "in_c", kind, dtype, n, threads=1)
    if quick:
        print(json.dumps([results["onnx"], results["c"]], indent=1))
        return
    keep("export", results, page)


if __name__ == "__main__":
    main()
