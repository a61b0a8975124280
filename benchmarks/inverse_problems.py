"""Do solvers gain from operators in place of matrices? ``python benchmarks/inverse_problems.py``.

Least squares (SciPy), iterated shrinkage (PyLops, left out if it is not installed) and orthogonal
matching pursuit, with an operator of `skfact.transforms` and with its dense matrix, on one thread
in double precision: times, memory, and how far apart the solutions are. Matrices of more than 2 GiB
are not made. Writes results/inverse_problems.json and .rst in some five minutes; ``--quick`` prints
the table for 4,096 unknowns. Needs 3 GB.
"""

import argparse
import tracemalloc
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from math import isqrt
from typing import Any

import numpy as np
from measure import in_new_process, keep, machine, medians, progress, relative_error
from page_parts import Rows, cells, fold, how, measured, section, short, table
from scipy.sparse.linalg import lsqr
from sklearn.linear_model import orthogonal_mp

from skfact.operators import orthogonal_matching_pursuit
from skfact.transforms import convolution, dct, hadamard

SIZES = (4096, 16_384, 65_536)
LARGEST = 2**31  # bytes of a matrix
SECONDS = 3.0  # that each contender is timed for
ITERATIONS = 50
OPERATOR, MATRIX = "operator", "matrix"
DEBLURRING, SHRINKAGE, PURSUIT = "deblurring", "shrinkage", "pursuit"

Solver = Callable[[Any], np.ndarray]


def deblurring(n: int) -> tuple[Any, dict[str, Solver]]:
    """An image of n random pixels, blurred by a disc; damped least squares."""
    side = isqrt(n)
    distance = np.hypot(*np.mgrid[-4:5, -4:5])
    blur = convolution((distance <= 4.3) / np.sum(distance <= 4.3), (side, side), mode="valid")
    y = blur @ np.random.default_rng(0).uniform(size=n)

    def solve(A: Any) -> np.ndarray:
        found: np.ndarray = lsqr(A, y, damp=0.1, iter_lim=ITERATIONS, atol=0, btol=0)[0]
        return found

    return blur, {OPERATOR: solve, MATRIX: solve}


def shrinkage(n: int) -> tuple[Any, dict[str, Solver]]:
    """Random rows of a Hadamard matrix, an eighth of them; FISTA."""
    import pylops
    from pylops.optimization.sparsity import fista

    operator, _, y = measurements(hadamard(n, norm="ortho"), n // 8, n // 128)

    def solve(wrapped: Any) -> np.ndarray:
        found: np.ndarray = fista(wrapped, y, niter=ITERATIONS, eps=0.01, alpha=1.0, tol=0.0)[0]
        return found

    return operator, {
        OPERATOR: lambda A: solve(pylops.LinearOperator(A.aslinearoperator())),
        MATRIX: lambda A: solve(pylops.MatrixMult(A)),
    }


def pursuit(n: int) -> tuple[Any, dict[str, Solver]]:
    """Random rows of a cosine transform, a sixteenth of them; orthogonal matching pursuit."""
    k = n // 1024
    operator, _, y = measurements(4 * dct(n, norm="ortho"), n // 16, k)
    return operator, {
        OPERATOR: lambda A: orthogonal_matching_pursuit(A, y, k),
        # without a copy it permutes the columns: only the first solution is looked at
        MATRIX: lambda A: orthogonal_mp(A, y, n_nonzero_coefs=k, copy_X=False),
    }


def measurements(transform: Any, m: int, k: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Rows of a transform, a vector with k non-zeros, and its image."""
    random = np.random.default_rng(0)
    n = transform.shape[1]
    operator = transform[np.sort(random.choice(n, m, replace=False)), :]
    x = np.zeros(n)
    x[random.choice(n, k, replace=False)] = random.choice([-1, 1], k) * random.uniform(1, 2, k)
    return operator, x, operator @ x


PROBLEMS = {DEBLURRING: deblurring, SHRINKAGE: shrinkage, PURSUIT: pursuit}
SOLVERS = {
    DEBLURRING: "lsqr of SciPy",
    SHRINKAGE: "FISTA of PyLops",
    PURSUIT: "orthogonal matching pursuit",
}


def matrix_of(operator: Any) -> np.ndarray:
    """The matrix, in the column order that scikit-learn wants, without another one beside it."""
    matrix = np.empty(operator.shape, order="F")
    for start in range(0, operator.shape[1], 512):
        columns = slice(start, start + 512)
        matrix[:, columns] = operator[:, columns].toarray()
    return matrix


def run(problem: str, n: int) -> Rows:
    """One problem with the operator and, if it is not too large, with the matrix."""
    operator, solvers = PROBLEMS[problem](n)
    maps = {OPERATOR: operator}
    if 8 * np.prod(operator.shape, dtype=float) <= LARGEST:
        maps[MATRIX] = matrix_of(operator)
    calls = {name: partial(solvers[name], A) for name, A in maps.items()}
    found = medians(calls, SECONDS, threads=1)
    rows = []
    for name, call in calls.items():
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append(
            {
                "problem": problem,
                "n": n,
                "measurements": operator.shape[0],
                "contender": name,
                "ms": found[name].ms,
                "map bytes": maps[name].nbytes,
                "bytes": maps[name].nbytes + peak,
            }
        )
    if MATRIX in maps:
        difference = relative_error(found[OPERATOR].result.copy(), found[MATRIX].result)
        assert difference < 1e-6, f"{problem}, {n}: the solutions differ by {difference}"
        rows[0]["difference"] = difference
    for row in rows:
        progress(f"{row}")
    return rows


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    found = cells(results["rows"], "problem", "n", "measurements")
    both = {key: pair for key, pair in found.items() if MATRIX in pair}
    sentences = []
    for problem, solver in SOLVERS.items():
        pairs = {n: pair for (name, n, _), pair in both.items() if name == problem}
        if pairs:
            n, pair = max(pairs.items())
            faster = pair[MATRIX]["ms"] / pair[OPERATOR]["ms"]
            small, large = (short(pair[name]["bytes"] / 1e6) for name in (OPERATOR, MATRIX))
            sentences.append(
                f"{solver} is {short(faster)} times as fast at {n:,} unknowns, in {small} MB in "
                f"place of {large} MB"
            )
    differences = [pair[OPERATOR]["difference"] for pair in both.values()]
    return "\n".join(
        section(
            "Do solvers gain from operators in place of matrices?",
            f"With the operator, {'; '.join(sentences)}. The solutions are the same to "
            f"{max(differences):.0e}.",
            (
                "inverse_problems",
                "Three panels, for deblurring, shrinkage and pursuit. Milliseconds of a solution "
                "against the number of unknowns, both logarithmic, with a line for the operator "
                "and one for the matrix.",
                f"CPU time on one thread, float64. {measured(results)}",
            ),
            "Matrices of more than 2 GiB are not made: that of the blur has 32 GB for 65,536 "
            "unknowns. Solvers read the whole matrix once or twice in each step; the factors are "
            "hundreds of times smaller.",
            fold("Milliseconds, megabytes, differences", table=lines(results["rows"])),
            how(
                results,
                f"{ITERATIONS} iterations of lsqr and FISTA, n / 1,024 steps of the pursuit, where "
                "the matrix goes through orthogonal_mp of scikit-learn. Memory is the map's and, "
                "as tracemalloc counts it, what the solver takes beside it at most.",
            ),
        )
    )


def lines(rows: Rows) -> list[str]:
    return table(
        ["problem", "n", "rows", "", "ms", "MB, of it the map", "difference"],
        [
            [
                row["problem"],
                f"{row['n']:,}",
                f"{row['measurements']:,}",
                row["contender"],
                short(row["ms"]),
                f"{short(row['bytes'] / 1e6)}, {short(row['map bytes'] / 1e6)}",
                f"{row['difference']:.0e}" if "difference" in row else "-",
            ]
            for row in rows
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4,096 unknowns; nothing is written")
    quick = parser.parse_args().quick
    versions = {}
    for name in ("numpy", "scipy", "scikit-learn", "pylops"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            progress(f"{name} is not installed")
    problems = [name for name in PROBLEMS if name != SHRINKAGE or "pylops" in versions]
    rows = [
        row
        for problem in problems
        for n in (SIZES[:1] if quick else SIZES)
        for row in in_new_process("inverse_problems", "run", problem, n, threads=1)
    ]
    if quick:
        print("\n".join(lines(rows)))
        return
    results = machine() | {"versions": versions, "rows": rows}
    keep("inverse_problems", results, page)


if __name__ == "__main__":
    main()
