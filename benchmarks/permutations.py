"""How often are unknown orders of rows and columns found? ``python benchmarks/permutations.py``.

Products of rank-one butterfly factors plus Gaussian noise, both sides shuffled, 20 seeds. A search
succeeds if the error of the factorization is at most 1.3 times the noise (1e-13 without noise); how
many it says it found stands beside it. Then what clusters of rows and columns win for matrices in
no order. CPU time on one thread. Writes results/permutations.json and .rst; ``--quick`` prints the
tables for small sizes.
"""

import argparse
import json
import time
import warnings
from functools import reduce
from typing import Any

import numpy as np
from matrices import make_matrix
from measure import RESULTS, in_new_process, keep, machine, progress
from page_parts import Rows, fold, how, measured, section, table
from scipy.linalg import hadamard
from sklearn.datasets import load_digits
from sklearn.neighbors import kneighbors_graph

from skfact.butterfly import ButterflyFactorizer
from skfact.butterfly._permutations import search_permutations
from skfact.datasets import make_butterfly
from skfact.exceptions import StructureWarning
from skfact.supports import Chain

# matrix -> (sizes, noise): "butterfly" has values between .5 and 1.5 of random sign, whose products
# differ less than those of normal values
TRANSFORMS = ((16, 32, 64, 128, 256), (0.0, 0.01, 0.1))
RANDOM = ((16, 32, 64, 128), (0.0, 0.001, 0.01))
MIXED = ((12, 30, 60), (0.0, 0.01))
NOISY = ((16, 32), (0.1,))
QUESTIONS = (
    *((name, *TRANSFORMS) for name in ("DFT", "Hadamard")),
    *((name, *RANDOM) for name in ("butterfly", "normal values")),
    *((name, *MIXED) for name in ("DFT", "butterfly", "normal values")),
    *((name, *NOISY) for name in ("butterfly", "normal values")),
)
UNORDERED = (
    "potentials of sources in a ball",
    "Haar wavelets",
    "graph of digits, eigenvectors",
    "Hadamard, shuffled",
    "Gaussian",
)


def product(name: str, n: int, seed: int) -> np.ndarray:
    """A product of butterfly factors in some order of its rows and columns."""
    if name in ("DFT", "Hadamard"):
        return make_matrix(name, n)
    if name != "normal values":
        dtype = complex if name.startswith("complex") else float
        return make_butterfly(n, dtype=dtype, random_state=seed)[0]
    random = np.random.default_rng(seed)
    masks = [pattern.mask() for pattern in Chain.butterfly(n)]
    return reduce(np.matmul, [random.normal(size=mask.shape) * mask for mask in masks])


def shuffled(A: np.ndarray, noise: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(1000 + seed)
    E = random.normal(size=A.shape)
    if np.iscomplexobj(A):
        E = E + 1j * random.normal(size=A.shape)
    A = A + noise * np.linalg.norm(A) / np.linalg.norm(E) * E
    return A[random.permutation(len(A))][:, random.permutation(A.shape[1])]


def run(name: str, sizes: list[int], levels: list[float], seeds: int) -> Rows:
    """The lines of the table for one kind of matrix."""
    search_permutations(product(name, sizes[0], 0))  # compile
    return [measure(name, n, noise, seeds) for n in sizes for noise in levels]


def measure(name: str, n: int, noise: float, seeds: int) -> dict[str, Any]:
    """One line of the table."""
    errors, claims, attempts, seconds = [], [], [], []
    for seed in range(seeds):
        A = shuffled(product(name, n, seed), noise, seed)
        made: dict[int, float] = {}
        start = time.process_time()
        found = search_permutations(A, random_state=seed, on_attempt=made.__setitem__)
        seconds.append(time.process_time() - start)
        errors.append(found.error)
        claims.append(found.found)
        attempts.append(len(made))
    row: dict[str, Any] = {"matrix": name, "n": n, "noise": noise, "searches": seeds}
    row["successes"] = int(np.sum(np.array(errors) <= max(1.3 * noise, 1e-13)))
    row["said to be found"] = int(np.sum(claims))
    row |= {"median seconds": float(np.median(seconds)), "longest": max(seconds)}
    row |= {"largest error": max(errors), "most attempts": max(attempts)}
    progress(f"{row}")
    return row


def unordered(name: str) -> np.ndarray:
    """A matrix whose rows and columns stand for points in no order."""
    random = np.random.default_rng(0)
    if name == "potentials of sources in a ball":
        sensors, sources = (random.normal(size=(n, 3)) for n in (128, 1024))
        sensors /= np.linalg.norm(sensors, axis=1, keepdims=True)
        sources *= 0.8 / np.linalg.norm(sources, axis=1, keepdims=True)
        return 1 / np.linalg.norm(sensors[:, None] - sources, axis=2)
    if name == "Haar wavelets":
        H = np.ones((1, 1))
        while len(H) < 256:
            below = np.kron(np.eye(len(H)), [1.0, -1.0])
            H = np.concatenate([np.kron(H, [1.0, 1.0]), below]) / np.sqrt(2)
        return H
    if name == "graph of digits, eigenvectors":
        digits = load_digits().data[random.permutation(1797)[:256]]
        graph = kneighbors_graph(digits, 8).toarray()
        graph = np.maximum(graph, graph.T)
        return np.linalg.eigh(np.diag(graph.sum(axis=0)) - graph)[1]
    if name == "Hadamard, shuffled":
        return shuffled(hadamard(256).astype(float), 0.0, 0)
    return random.normal(size=(256, 256))


def cluster(names: list[str]) -> Rows:
    """Errors of Monarch products with the orders of "auto" and of "cluster"."""
    rows = []
    for name in names:
        A = unordered(name)
        for rank in (1, 2):
            options: dict[str, Any] = {"supports": "monarch", "rank": rank}
            fits = {}
            for permutation in ("auto", "cluster"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", StructureWarning)
                    start = time.process_time()
                    found = ButterflyFactorizer(permutation=permutation, **options).fit(A)
                    fits[permutation] = (found.relative_error_, time.process_time() - start)
            row: dict[str, Any] = {"matrix": name, "shape": A.shape, "rank": rank}
            row["numbers"] = found.chain_.nnz / A.size
            for permutation, (error, seconds) in fits.items():
                row |= {permutation: error, f"{permutation}, seconds": seconds}
            rows.append(row)
            progress(f"{row}")
    return rows


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    rows, clusters = results["rows"], results["clusters"]
    misses = [row for row in rows if row["successes"] < row["searches"]]
    slowest = max(row["median seconds"] for row in rows)
    count = sum(row["searches"] for row in rows)
    answer = (
        f"{count - sum(row['searches'] - row['successes'] for row in misses)} of {count} shuffled "
        f"products are found, in {slowest:.2g} s or less (medians of each kind). Clusters lower "
        "the error of matrices whose rows and columns stand for points, and of Haar wavelets; of a "
        "shuffled Hadamard matrix they do not."
    )
    return "\n".join(
        section(
            "Are unknown orders of rows and columns found?",
            answer,
            (
                "permutations",
                "Seconds against n, both logarithmic, of searches with one percent of noise, with "
                "a line for each kind of matrix.",
                f"Median CPU time on one thread, noise of one percent. {measured(results)}",
            ),
            "A search succeeds if the error of the factorization is at most 1.3 times the noise. "
            "It ends early where two attempts agree, or the error is rounding; noisy products of "
            "normal values, whose rows differ much in size, take more attempts. "
            "Limits: noisy products of normal values are searched for up to 32 rows with a tenth "
            "of noise, and up to 128 with a hundredth. Beyond that searches miss: with a tenth of "
            "noise and 128 rows 2 of 5 ended at errors of .136 and .227, above the noise. No two "
            'attempts agree then, of which ``permutation="search"`` warns.',
            fold("Searches", table=lines(rows)),
            fold(
                "Clusters",
                "Relative errors of Monarch products with the share of the numbers of the matrix.",
                table=lines(clusters),
            ),
            how(results, "One thread, CPU time."),
        )
    )


def lines(rows: Rows) -> list[str]:
    cells = [
        [f"{value:.3g}" if isinstance(value, float) else value for value in row.values()]
        for row in rows
    ]
    return table(list(rows[0]), cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--clusters", action="store_true", help="measure the clusters alone again")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    rows: Rows = []
    clusters = in_new_process("permutations", "cluster", list(UNORDERED), threads=1)
    for name, sizes, noise in QUESTIONS if not options.clusters else ():
        if options.quick:
            sizes = [n for n in sizes if n <= 32]
        rows += in_new_process("permutations", "run", name, sizes, noise, options.seeds, threads=1)
    if options.quick:
        print("\n".join(lines(rows) + lines(clusters)))
        return
    if options.clusters:
        rows = json.loads((RESULTS / "permutations.json").read_text(encoding="utf-8"))["rows"]
    results = machine() | {"rows": rows, "clusters": clusters}
    keep("permutations", results, page)


if __name__ == "__main__":
    main()
