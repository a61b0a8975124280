"""What does a factorization cost: in passes over the matrix, beside the peers, in memory?"""

import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from contenders import factorizers
from matrices import make_matrix
from measure import in_new_process, medians, progress, relative_error

PROC = Path("/proc/self")


def scaling(threads: int, quick: bool) -> list[dict[str, Any]]:
    """skfact alone, from small to large matrices, beside one pass over the matrix."""
    ours = factorizers()[:1]
    _warm_up(ours, quick)
    rows = []
    for n in [64, 256] if quick else [512, 1024, 2048, 4096, 8192]:
        for name in ("Hadamard", "butterfly", "DFT", "noisy"):
            if name != "DFT" or n <= 4096:
                rows += _measure(name, n, ours, threads, 0.02 if quick else 1.0)
    return rows


def peers(threads: int, quick: bool) -> list[dict[str, Any]]:
    """All libraries."""
    contenders = factorizers()
    _warm_up(contenders, quick)
    rows = []
    for n in [128] if quick else [1024, 2048, 4096]:
        for name in ("Hadamard", "DFT", "noisy", "Gaussian"):
            rows += _measure(name, n, contenders, threads, 0.02 if quick else 0.5)
    return rows


def _warm_up(contenders: list[Any], quick: bool) -> None:
    """Compile and load what has to be, so that the first call that is timed may count."""
    for name in ("Hadamard", "DFT"):
        A = make_matrix(name, 64 if quick else 512)
        for c in contenders:
            c.factorize(A, name == "DFT")


def _measure(
    name: str, n: int, contenders: list[Any], threads: int, seconds: float
) -> list[dict[str, Any]]:
    A = make_matrix(name, n)
    functions: dict[str, Callable[[], Any]] = {
        c.name: partial(c.factorize, A, name == "DFT") for c in contenders
    }
    functions["norm(A)"] = partial(np.linalg.norm, A)
    if name == "Gaussian":
        functions["batched eigh"] = partial(np.linalg.eigh, middle_gram_matrices(A))
    found = medians(functions, seconds, threads)
    rows = []
    for key, (ms, result) in found.items():
        row = {"matrix": name, "n": n, "threads": threads, "contender": key, "ms": ms}
        for c in contenders:
            if c.name == key:
                row["error"] = relative_error(c.toarray(result), A)
        rows.append(row)
        progress(f"factorize {name} {n}, {threads} thread(s): {key} {ms:.4g} ms")
    return rows


def middle_gram_matrices(A: np.ndarray) -> np.ndarray:
    """Gram matrices of the blocks of the middle split, from which their best rank 1 follows."""
    bits = len(A).bit_length() - 1
    b, c = 2 ** (bits // 2), 2 ** (bits - bits // 2)
    blocks = A.reshape(b, c, b, c).transpose(2, 1, 0, 3)  # (blocks in a row, in a column, b, c)
    return np.ascontiguousarray(blocks @ blocks.conj().swapaxes(-1, -2)).reshape(-1, b, b)


def memory(threads: int, quick: bool) -> list[dict[str, Any]]:
    """Extra memory of one factorization, each in a process of its own."""
    rows = []
    n = 256 if quick else 4096
    names = [c.name for c in factorizers()]
    # one configuration of each peer and backend
    chosen = [name for name in names if name in ("skfact", "pyfaust") or name.endswith("l2r")]
    chosen = chosen[:1] if quick else chosen
    for name in ("Hadamard",) if quick else ("Hadamard", "DFT", "noisy", "Gaussian"):
        for contender in chosen if name == "Hadamard" else ["skfact"]:
            row = in_new_process("factorize", "memory_of", contender, name, n, threads=threads)
            rows.append({"matrix": name, "n": n, "contender": contender, **row})
            progress(f"memory {name} {n}: {contender} {row}")
    return rows


def memory_of(contender: str, name: str, n: int) -> dict[str, float | None]:
    """Peak in multiples of A, as traced in Python and NumPy, and as resident in this process."""
    chosen = next(c for c in factorizers() if c.name == contender)
    _warm_up([chosen], n < 512)
    A = make_matrix(name, n)
    before = _reset_peak()
    found = chosen.factorize(A, name == "DFT")
    resident = None if before is None else (_resident("VmHWM") - before) / A.nbytes
    del found
    if contender != "skfact":  # compiled libraries allocate where nothing is traced
        return {"traced": None, "resident": resident}
    tracemalloc.start()
    chosen.factorize(A, name == "DFT")
    traced = tracemalloc.get_traced_memory()[1] / A.nbytes
    tracemalloc.stop()
    return {"traced": traced, "resident": resident}


def _reset_peak() -> float | None:
    """Let the peak of the resident memory be the present one (Linux only): bytes, or None."""
    try:
        (PROC / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _resident("VmRSS")


def _resident(field: str) -> float:
    lines = (PROC / "status").read_text(encoding="ascii").splitlines()
    return 1024 * next(float(line.split()[1]) for line in lines if line.startswith(field))
