"""Two factors with fixed supports, side by side: ``python benchmarks/fixed_support.py``.

Each question is asked in a process of its own. Within a process all contenders take turns and
medians count: of CPU time on one thread, of wall time on two. pyfaust is measured where it is
installed.

Writes results/fixed_support.json and results/fixed_support.rst, which the documentation includes.
With ``--quick`` the page is printed, and nothing is written.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from matrices import make_matrix
from measure import in_new_process, machine, medians
from page_parts import (
    Rows,
    between,
    cells,
    fold,
    how,
    measured,
    section,
    short,
    table,
    three,
    time_of,
)

RESULTS = Path(__file__).parent / "results"
# question -> number of threads
QUESTIONS = {"disjoint": 1, "middle_split": 2, "sweeps": 1, "missing": 2}
PALM_ITERATIONS = 100


def disjoint(quick: bool) -> Rows:
    """512 blocks of 16 x 32 of a 512 x 512 matrix, each to be approximated by rank one."""
    from skfact.fixed_support import analyze_supports, fixed_support_factorize
    from skfact.supports import KroneckerSparse

    left, right = KroneckerSparse(1, 16, 16, 32).mask(), KroneckerSparse(16, 32, 32, 1).mask()
    report = analyze_supports(left, right)
    random = np.random.default_rng(0)
    exact = (left * random.normal(size=left.shape)) @ (right * random.normal(size=right.shape))
    targets = {"exact": exact, "noisy": make_matrix("noisy", 512)}
    targets["Gaussian"] = make_matrix("Gaussian", 512)
    rows = []
    for name, A in targets.items():
        contenders: dict[str, Callable[[], Any]] = {
            "skfact": lambda A=A: fixed_support_factorize(A, report),
            "skfact, with analysis": lambda A=A: fixed_support_factorize(A, left, right),
            "NumPy, batched svd": lambda A=A: by_batched_svd(A),
        }
        if find_spec("pyfaust") and not quick:
            contenders["pyfaust palm4msa"] = lambda A=A: by_palm(A, left, right)
        for contender, found in medians(contenders, 1.0, threads=1).items():
            product = found.result
            if not isinstance(product, np.ndarray):
                product = product.left @ product.right
            error = float(np.linalg.norm(A - product) / np.linalg.norm(A))
            rows.append({"target": name, "contender": contender, "ms": found.ms, "error": error})
    return rows


def by_batched_svd(A: np.ndarray) -> np.ndarray:
    """What a user of NumPy would write for these supports; the product of the two factors."""
    blocks = A.reshape(16, 32, 16, 32).transpose(1, 2, 0, 3)  # (u, t, b, c)
    U, s, Vh = np.linalg.svd(blocks, full_matrices=False)
    root = np.sqrt(s[..., :1])
    left, right = np.zeros((16, 32, 16, 32)), np.zeros((16, 32, 16, 32))
    u = np.arange(32)
    left[:, u, :, u] = (U[..., 0] * root).transpose(0, 2, 1)  # row (b, u), component (t, u)
    for t in range(16):
        right[t, :, t, :] = Vh[:, t, 0] * root[:, t]  # component (t, u), column (t, c)
    return left.reshape(512, 512) @ right.reshape(512, 512)


def by_palm(A: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    from pyfaust.fact import palm4msa
    from pyfaust.factparams import ParamsPalm4MSA, StoppingCriterion
    from pyfaust.proj import supp

    constraints = [supp(mask.astype(float), normalized=False) for mask in (left, right)]
    parameters = ParamsPalm4MSA(constraints, StoppingCriterion(num_its=PALM_ITERATIONS))
    return palm4msa(A, parameters).toarray()


def middle_split(quick: bool) -> Rows:
    """The two halves of a dyadic chain as masks: analysis, then passes over the matrix."""
    from skfact.fixed_support import analyze_supports, fixed_support_factorize
    from skfact.supports import Chain

    n = 1024 if quick else 4096
    chain = Chain.butterfly(n)
    half = len(chain) // 2
    left, right = chain[:half].product.mask(), chain[half:].product.mask()
    fixed_support_factorize(np.ones((4, 4)), np.tri(4) * 0 + np.eye(4), np.eye(4))  # first use
    start = time.perf_counter()
    report = analyze_supports(left, right)
    report.piece_batches  # noqa: B018  (what the closed form takes, found once)
    seconds = time.perf_counter() - start
    rows = []
    for name in ("Hadamard", "butterfly", "noisy"):
        A = make_matrix(name, n)
        found = medians(
            {
                "skfact": lambda A=A: fixed_support_factorize(A, report),
                "norm(A)": lambda A=A: np.linalg.norm(A),
            },
            1.0,
            threads=2,
        )
        ours, norm = found["skfact"], found["norm(A)"]
        rows.append(
            {
                "target": name,
                "n": n,
                "analysis": seconds,
                "ms": ours.ms,
                "norm": norm.ms,
                "error": ours.result.error / norm.result,
            }
        )
    return rows


def sweeps(quick: bool) -> Rows:
    """A sweep of alternating least squares, 100 components on random supports, by density."""
    from skfact.fixed_support import analyze_supports, fixed_support_factorize

    m = 400 if quick else 2000
    random = np.random.default_rng(0)
    A = random.normal(size=(m, m))
    rate = 2 * m**3 / (1e-3 * medians({"A @ A": lambda: A @ A}, 1.0, threads=1)["A @ A"].ms)
    rows = []
    for density in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        left, right = random.random((m, 100)) < density, random.random((100, m)) < density
        report = analyze_supports(left, right)

        def run(n_sweeps: int, report: Any = report) -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is cut off
                return fixed_support_factorize(A, report, tol=0, max_iter=n_sweeps, random_state=0)

        found = medians({"2": lambda: run(2), "32": lambda: run(32)}, 2.0, threads=1)
        sweep = (found["32"].ms - found["2"].ms) / 30
        rows.append(
            {
                "density": density,
                "nnz": int(report.left_support.nnz + report.right_support.nnz),
                "multiplications": report.cost,
                "ms": sweep,
                "floor": 1e3 * 2 * report.cost / rate,
                "start": found["2"].ms - 2 * sweep,
            }
        )
    return rows


def missing(quick: bool) -> Rows:
    """A sweep where 10 % of the entries are missing, dense supports, by the number of components.

    The contender is what a user of NumPy would write: all Gram matrices by one product, then
    batched solves.
    """
    from skfact.fixed_support import fixed_support_factorize

    m, n = (500, 200) if quick else (5000, 1024)
    random = np.random.default_rng(0)
    rows = []
    for r in (32,):
        A = random.normal(size=(m, r)) @ random.normal(size=(r, n)) + random.normal(size=(m, n))
        observed = (random.random(size=(m, n)) > 0.1).astype(float)
        holes, zeros = np.where(observed > 0, A, np.nan), A * observed
        start = random.normal(size=(m, r))

        def run(n_sweeps: int, r: int = r, holes: np.ndarray = holes) -> Any:
            masks = np.ones((m, r), dtype=bool), np.ones((r, n), dtype=bool)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is cut off
                return fixed_support_factorize(
                    holes, *masks, missing_values=np.nan, tol=0, max_iter=n_sweeps
                )

        def plain(
            X: np.ndarray = start, A: np.ndarray = zeros, observed: np.ndarray = observed
        ) -> np.ndarray:
            return by_batched_solves(A.T, observed.T, by_batched_solves(A, observed, X))

        found = medians(
            {"2": lambda: run(2), "10": lambda: run(10), "NumPy": plain}, 2.0, threads=2
        )
        sweep = (found["10"].ms - found["2"].ms) / 8
        rows.append({"components": r, "ms": sweep, "numpy": found["NumPy"].ms})
    return rows


def by_batched_solves(A: np.ndarray, observed: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Least squares for the transpose of the right factor, over the observed entries."""
    r = X.shape[1]
    pairs = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    grams = (observed.T @ pairs).reshape(-1, r, r)
    return np.linalg.solve(grams, (A.T @ X)[:, :, None])[:, :, 0]


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    return "\n".join(_disjoint(results) + _sweeps(results))


def _disjoint(results: dict[str, Any]) -> list[str]:
    found = list(cells(results["disjoint"], "target").values())
    ours = [times["skfact"] for times in found]
    answer = f"On one thread, {between(row['ms'] for row in ours)} ms for 512 x 512"
    for contender, words in (
        ("NumPy, batched svd", "singular value decompositions in NumPy"),
        ("pyfaust palm4msa", f"{PALM_ITERATIONS} iterations of pyfaust"),
    ):
        peers = [times[contender] for times in found if contender in times]
        if peers:
            ratios = between(peer["ms"] / row["ms"] for row, peer in zip(ours, peers))
            answer += f", {ratios} times as fast as {words}"
    errors = [(times["skfact"]["error"], row["error"]) for times in found for row in times.values()]
    if all(error <= (1 + 1e-6) * other for error, other in errors):
        answer += ", with the same error or a smaller one"
    analysis = [times["skfact, with analysis"]["ms"] - times["skfact"]["ms"] for times in found]
    middle = results["middle_split"]
    passes = between(row["ms"] / row["norm"] for row in middle)
    return section(
        "How long do two factors with disjoint supports take?",
        f"{answer}.",
        (
            "disjoint",
            "For an exact, a noisy and a Gaussian target: a mark for the time of skfact, of skfact "
            "with the analysis of the supports, of NumPy and of pyfaust, on a logarithmic axis.",
            f"512 blocks of rank one; CPU time on one thread. {measured(results)}",
        ),
        f"The analysis of the supports takes {between(analysis)} ms more, once for all matrices. "
        f"With supports as large as the halves of the dyadic chain, n = {middle[0]['n']} and two "
        f"threads, a factorization takes {passes} times as long as ``norm(A)``.",
        fold(
            "Disjoint blocks",
            "512 x 512, patterns (1, 16, 16, 32) and (16, 32, 32, 1) as masks. *NumPy* is a "
            "batched singular value decomposition written for these supports, its product "
            f"included; pyfaust runs {PALM_ITERATIONS} iterations of PALM4MSA. *Noisy* is the "
            "Hadamard matrix with 10 % noise.",
            table=_disjoint_table(results["disjoint"]),
        ),
        fold(
            "The middle split of the dyadic chain",
            "Both halves as boolean masks, two threads; the analysis is done once for all "
            "matrices.",
            table=_middle_table(middle),
        ),
        _how(results),
    )


def _how(results: dict[str, Any]) -> list[str]:
    return how(
        results,
        f"{'Beside' if results['pyfaust'] else 'Without'} pyfaust. With one thread, times are CPU "
        "time; with two, wall time. Everything is float64.",
    )


def _disjoint_table(rows: Rows) -> list[str]:
    ours = {row["target"]: row["ms"] for row in rows if row["contender"] == "skfact"}
    lines = [
        [
            row["target"],
            row["contender"],
            three(row["ms"]),
            short(row["ms"] / ours[row["target"]]),
            f"{row['error']:.6g}",
        ]
        for row in rows
    ]
    return table(["target", "contender", "ms", "over skfact", "error"], lines)


def _middle_table(rows: Rows) -> list[str]:
    lines = [
        [
            row["target"],
            row["n"],
            short(row["analysis"]),
            three(row["ms"]),
            three(row["norm"]),
            short(row["ms"] / row["norm"]),
            f"{row['error']:.1e}",
        ]
        for row in rows
    ]
    return table(["target", "N", "analysis, s", "ms", "norm(A), ms", "passes", "error"], lines)


def _sweeps(results: dict[str, Any]) -> list[str]:
    rows = results["sweeps"]
    answers = [
        f"{time_of(row['ms'])} at a density of {100 * row['density']:.0f} %, "
        f"{short(row['ms'] / row['floor'])} times its floor"
        for row in (rows[0], rows[-1])
    ]
    return section(
        "How long does a sweep of alternating least squares take?",
        f"On one thread, {'; '.join(answers)}.",
        (
            "sweeps",
            "Milliseconds against the density of the supports, both logarithmic: the start, a "
            "sweep and its floor, with a line for each.",
            "2,000 x 2,000, 100 components, random supports; CPU time on one thread. "
            f"{measured(results)}",
        ),
        "The floor counts multiplications alone, at the rate of a large dense product. From 20 % "
        "on, the products with the blocks are read from a dense one (4e8 multiplications in each "
        "half step).",
        fold(
            "Sweeps, floors and starts",
            "A sweep is both half steps. *Floor*: its multiplications at the rate of a dense "
            "product of NumPy. *Start* is what is done once: the two starts, of which the better "
            "one is taken, and the search for patterns that are not closed.",
            table=_sweep_table(rows),
        ),
        _missing_fold(results.get("missing", [])),
        _how(results),
    )


def _missing_fold(rows: Rows) -> list[str]:
    lines = [
        [row["components"], three(row["ms"]), three(row["numpy"]), short(row["ms"] / row["numpy"])]
        for row in rows
    ]
    return rows and fold(
        "Sweeps over a table with missing entries",
        "5,000 x 1,024, 10 % missing, dense supports, two threads: a sweep, both half steps. "
        "*NumPy* makes all Gram matrices by one product of the mask with the products of pairs of "
        "components, then solves the systems as a batch.",
        table=table(["components", "ms per sweep", "NumPy, ms", "over NumPy"], lines),
    )


def _sweep_table(rows: Rows) -> list[str]:
    head = ["density", "non-zeros", "multiplications", "ms per sweep", "floor, ms", "start, ms"]
    lines = [
        [
            f"{row['density']:.0%}",
            f"{row['nnz']:,}",
            f"{row['multiplications']:.1e}",
            three(row["ms"]),
            three(row["floor"]),
            three(row["start"]),
        ]
        for row in rows
    ]
    return table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, without pyfaust")
    options = parser.parse_args()
    results: dict[str, Any] = machine()
    results["pyfaust"] = find_spec("pyfaust") is not None and not options.quick
    for question, threads in QUESTIONS.items():
        results[question] = in_new_process(
            "fixed_support", question, options.quick, threads=threads
        )
    text = page(results)
    if options.quick:
        print(text)
        return
    (RESULTS / "fixed_support.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (RESULTS / "fixed_support.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
