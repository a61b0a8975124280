"""How often are unknown orders of rows and columns found? ``python benchmarks/permutations.py``.

Products of rank-one butterfly factors plus Gaussian noise, both sides shuffled, 20 seeds. A search
succeeds if the error of the factorization is at most 1.3 times the noise (1e-13 without noise); how
many it says it found stands beside it. CPU time on one thread. Writes results/permutations.json;
``--quick`` prints the table for small sizes.
"""

import argparse
import json
import time
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from matrices import make_matrix
from measure import in_new_process, machine, progress
from page_parts import Rows, table

from skfact.butterfly._permutations import search_permutations
from skfact.datasets import make_butterfly
from skfact.supports import Chain

RESULTS = Path(__file__).parent / "results"
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


def lines(rows: Rows) -> list[str]:
    cells = [
        [f"{value:.3g}" if isinstance(value, float) else value for value in row.values()]
        for row in rows
    ]
    return table(list(rows[0]), cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    rows = []
    for name, sizes, noise in QUESTIONS:
        if options.quick:
            sizes = [n for n in sizes if n <= 32]
        rows += in_new_process("permutations", "run", name, sizes, noise, options.seeds, threads=1)
    if options.quick:
        print("\n".join(lines(rows)))
        return
    text = json.dumps(machine() | {"rows": rows}, indent=1) + "\n"
    (RESULTS / "permutations.json").write_text(text, encoding="utf-8")
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
