"""What does a product with the factors cost: beside dense products, the peers, the FFT?"""

from functools import partial
from operator import matmul
from typing import Any

import numpy as np
from contenders import products, transforms
from matrices import make_matrix, permutation, random_operator
from measure import medians, progress

from skfact.butterfly import butterfly_factorize
from skfact.supports import Chain

REAL, COMPLEX = "Hadamard", "DFT"


def against_dense(threads: int, quick: bool) -> list[dict[str, Any]]:
    """Batches of vectors through factors of an exact target: everything, checked before timing."""
    rows = []
    for n in [256] if quick else [256, 1024, 4096]:
        for name in (REAL, COMPLEX):
            A = make_matrix(name, n)
            operator = butterfly_factorize(A, permutation=permutation(name))
            contenders = products(operator)
            for batch in [1, 16] if quick else [1, 16, 128, 1024]:
                for row in _measure(A, contenders, batch, threads, 0.02 if quick else 0.2):
                    rows.append({"matrix": name, "n": n, "batch": batch, "threads": threads, **row})
    return rows


def _measure(
    A: np.ndarray, contenders: list[Any], batch: int, threads: int, seconds: float
) -> list[dict[str, Any]]:
    rng, n = np.random.default_rng(0), len(A)
    X = rng.normal(size=(n, batch) if batch > 1 else n).astype(A.dtype)
    if np.iscomplexobj(A):
        X += 1j * rng.normal(size=X.shape)
    expected = A @ X
    functions, wrong = {"dense": lambda: A @ X}, []
    for c in contenders:
        if batch == 1 and c.name.endswith("rows"):
            continue
        prepared = c.prepare(X)
        found = c.columns(c.multiply(prepared))
        error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        if error < 1e-10:
            functions[c.name] = partial(c.multiply, prepared)
        elif c.name.startswith("skfact"):
            raise RuntimeError(f"{c.name} is wrong for n = {n}, batch {batch}: {error:.1e}")
        else:
            wrong.append({"contender": c.name, "ms": None, "error": float(error)})
    for c in transforms(np.iscomplexobj(A), threads):
        functions[c.name] = partial(c.multiply, c.prepare(X))
    times = medians(functions, seconds, threads)
    for name, (ms, _) in times.items():
        gain = f"{times['dense'].ms / ms:.3g} x dense"
        progress(f"apply {A.dtype} {n}, batch {batch}, {threads} thread(s): {name} {gain}")
    return [{"contender": name, "ms": ms} for name, (ms, _) in times.items()] + wrong


def general_chains(threads: int, quick: bool) -> list[dict[str, Any]]:
    """Products along other chains than the dyadic one: time per multiplication of the factors."""
    if quick:
        chains = {
            "radix 2": Chain.butterfly(64),
            "radix 3": Chain.butterfly(81),
            "rank 2": Chain.deformable((4, 4, 4), (4, 4, 4), 2),
        }
    else:
        chains = {
            "radix 2": Chain.butterfly(2048),
            "radix 3": Chain.butterfly(2187),
            "radix 5": Chain.butterfly(3125),
            "radix 7": Chain.butterfly(2401),
            "radices 2, 3, 5, 7": Chain.butterfly(2520),
            "1024 x 4096": Chain.deformable((2,) * 10 + (1, 1), (2,) * 12),
            "4096 x 1024": Chain.deformable((2,) * 12, (1, 1) + (2,) * 10),
            "768 x 3072": Chain.for_shape(768, 3072),
            "rank 2": Chain.deformable((4, 2, 2, 2, 2, 2, 2, 2, 4), (4, 2, 2, 2, 2, 2, 2, 2, 4), 2),
        }
    rows = []
    operators = {name: random_operator(chain) for name, chain in chains.items()}
    for batch in [1, 16] if quick else [1, 16, 128, 1024]:
        functions = {}
        for name, operator in operators.items():
            X = np.random.default_rng(0).normal(size=(batch, operator.shape[1]))
            function = partial(operator.apply, X) if batch > 1 else partial(operator.matvec, X[0])
            function()  # compiles or loads what has to be
            functions[name] = function
        times = medians(functions, 0.02 if quick else 0.5, threads)
        for name, (ms, _) in times.items():
            operator = operators[name]
            multiplications = operator.nnz * batch
            row = {"chain": name, "shape": operator.shape, "nnz": operator.nnz, "batch": batch}
            rows.append(row | {"ms": ms, "ns": 1e6 * ms / multiplications})
            progress(f"chain {name}, batch {batch}: {rows[-1]['ns']:.3g} ns per multiplication")
    return rows


def one_vector(threads: int, quick: bool) -> list[dict[str, Any]]:
    """Microseconds per call with one vector; for n = 16 nearly all is the way through Python."""
    rows = []
    for n in (16, 256):
        operator = random_operator(Chain.butterfly(n))
        x = np.random.default_rng(0).normal(size=n)
        calls = {"operator.matvec(x)": operator.matvec, "operator @ x": partial(matmul, operator)}
        functions = {name: partial(call, x) for name, call in calls.items()}
        times = medians(functions, 0.02 if quick else 0.2, threads)
        rows += [{"n": n, "call": name, "us": 1e3 * ms} for name, (ms, _) in times.items()]
    return rows
