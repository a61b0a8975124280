"""Benchmark results as pages of the documentation.

``python benchmarks/report.py`` writes all of ``results/*.rst`` again from ``results/*.json``,
without measuring. This file holds the page of ``butterfly.py``; the other scripts hold theirs.
"""

import json
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from page_parts import (
    Rows,
    between,
    cells,
    fastest,
    fold,
    how,
    listed,
    matrix_order,
    measured,
    section,
    short,
    table,
    three,
    time_of,
    yardstick,
)

PAGES = {  # name of the results -> module that holds their page
    "butterfly": "report",
    "permutations": "permutations",
    "structure": "structure",
    "compression": "compression",
    "fixed_support": "fixed_support",
    "deep_linear_palm": "deep_linear_palm",
    "deep_linear_training": "deep_linear_training",
    "relu": "relu",
    "export": "export",
    "torch_layers": "torch_layers",
    "transforms": "transforms",
    "random_projection": "random_projection",
    "inverse_problems": "inverse_problems",
    "cuda": "cuda",
}
CONVENTIONS = (
    "With one thread, times are CPU time and all libraries run on one thread; with two, they are "
    "wall time and all may use two. Everything is float64 or complex128."
)


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText: one section per question that was asked."""
    sections = {
        "peers": _factoring,
        "apply": _products,
        "chains": _chains,
        "one vector": _one_vector,
        "first use": _first_use,
        "processes": _processes,
    }
    lines = [line for name, ask in sections.items() if name in results for line in ask(results)]
    for name, fold_alone in (("scaling", _growth), ("memory", _memory)):
        if name in results and "peers" not in results:  # asked alone
            lines += fold_alone(results[name])
    return "\n".join(lines)


def _factoring(results: dict[str, Any]) -> list[str]:
    n = max(row["n"] for row in results["peers"])
    found = cells([row for row in results["peers"] if row["n"] == n], "matrix")
    ours = {name: times["skfact"]["ms"] for (name,), times in found.items()}
    low, high = min(ours, key=ours.__getitem__), max(ours, key=ours.__getitem__)
    norms = between(ours[name] / times["norm(A)"]["ms"] for (name,), times in found.items())
    answer = (
        f"On one thread, a {n} x {n} matrix takes {time_of(ours[low])} ({low}) to "
        f"{time_of(ours[high])} ({high}): {norms} times as long as ``norm(A)``, which reads it once"
    )
    peers = [(ours[name], fastest(times)) for (name,), times in found.items()]
    if all(peer for _, peer in peers):
        answer += f", and {between(peer[1] / ms for ms, peer in peers)} times as fast as the "
        answer += "fastest peer"
    growth, tables = "", []
    if "scaling" in results:
        tables = [_growth(results["scaling"]), _passes(results["scaling"])]
        powers = [power for _, _, power in _exponents(results["scaling"])]
        growth = (
            f" The time grows with n to the power of {min(powers):.2f} to {max(powers):.2f}, since "
            "small matrices pay 0.3 ms for the way through Python."
        )
    tables += [_fastest_peers(results["peers"]), _configurations(results["peers"])]
    if "memory" in results:
        tables.append(_memory(results["memory"]))
    return section(
        "How long does it take to factor a matrix?",
        f"{answer}.",
        (
            "factoring",
            "Four panels, a Hadamard, a Fourier, a noisy and a Gaussian matrix: milliseconds "
            "against n, both logarithmic, of norm(A), skfact, the fastest lazylinop and the "
            "fastest pyfaust, with a line for each.",
            f"CPU time on one thread, each peer in its fastest form. {measured(results)}",
        ),
        "An exact matrix is read once by the first split, which is most of the work and makes "
        "three multiplications per entry, not one; a noisy one takes about five passes over each "
        "block, in cache, and a Gaussian one, which has no gap, about 30 Lanczos steps." + growth,
        *tables,
        _profile(),
        how(
            results,
            CONVENTIONS,
            "pyfaust: ``butterfly`` of type ``bbtree``, with and without ``diag_opt``. lazylinop: "
            "``ksd`` in both orders, of NumPy arrays with the SVD of NumPy and with the default "
            "one, and of PyTorch tensors on the CPU. A permutation of columns is left to its user: "
            "here it is an index.",
        ),
    )


def _passes(rows: Rows) -> list[str]:
    lines = []
    for (name, n), found in _by_matrix([row for row in rows if row["threads"] != 1]):
        ours, norm = found["skfact"], found["norm(A)"]
        line = [name, n, three(ours["ms"]), three(norm["ms"]), short(ours["ms"] / norm["ms"])]
        lines.append([*line, f"{ours['error']:.1e}"])
    return fold(
        "Two threads: passes over the matrix",
        "``butterfly_factorize(A)`` with default options. One pass is ``np.linalg.norm(A)``, in "
        "turns with the factorization, each after a pause of 10 ms. *Butterfly* is a random "
        "product of butterfly factors, *noisy* a Hadamard matrix with 10 % noise; the DFT is "
        "permuted by bit reversal on the way. Errors are relative, in Frobenius norm.",
        table=table(["matrix", "n", "skfact, ms", "norm(A), ms", "passes", "error"], lines),
    )


def _exponents(rows: Rows) -> list[tuple[str, dict[int, float], float]]:
    """Of each matrix: its name, the time at each size on one thread, and the fitted exponent."""
    times: dict[str, dict[int, float]] = {}
    for (name, n), found in _by_matrix([row for row in rows if row["threads"] == 1]):
        times.setdefault(name, {})[n] = found["skfact"]["ms"]
    return [
        (name, ms, float(np.polyfit(np.log(list(ms)), np.log(list(ms.values())), 1)[0]))
        for name, ms in times.items()
    ]


def _growth(rows: Rows) -> list[str]:
    lines = []
    for name, ms, exponent in _exponents(rows):
        times = ", ".join(map(three, ms.values()))
        lines.append([name, f"{min(ms)} .. {max(ms)}", times, f"{exponent:.2f}"])
    return fold(
        "One thread: growth with n",
        "The exponent of n is fitted to the sizes between.",
        table=table(["matrix", "n", "ms, at each doubling", "exponent"], lines),
    )


def _fastest_peers(rows: Rows) -> list[str]:
    lines = []
    for (name, n), found in _by_matrix(rows):
        ours = found["skfact"]["ms"]
        line = [name, n, three(ours), short(ours / found["norm(A)"]["ms"]), "-", "-", "-"]
        if peer := fastest(found):
            line[4:] = [peer[0], three(peer[1]), short(peer[1] / ours)]
        eigh = found.get("batched eigh")
        lines.append([*line, short(ours / eigh["ms"]) if eigh else "-"])
    head = ["matrix", "n", "skfact, ms", "passes", "fastest peer", "ms", "times faster", "of eigh"]
    return fold(
        "One thread: beside the fastest peer",
        "*Passes*: over the time of the norm. *Times faster*: the time of the fastest peer over "
        "that of skfact. For a Gaussian matrix the last column is the time of skfact over that of "
        "``np.linalg.eigh`` on the Gram matrices of the blocks of the middle split, formed "
        "beforehand.",
        table=table(head, lines),
    )


def _configurations(rows: Rows) -> list[str]:
    sizes = sorted({row["n"] for row in rows})
    lines: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        if "error" in row:
            line = lines.setdefault((row["matrix"], row["contender"]), [])
            line.append(f"{three(row['ms'])} ({row['error']:.1e})")
    return fold(
        "One thread: all configurations of the peers",
        "In ms, and the relative error. What takes longer than two seconds was called once.",
        table=table(
            ["matrix", "library", *(f"n = {n}" for n in sizes)],
            [[*key, *line] for key, line in lines.items()],
        ),
    )


def _memory(rows: Rows) -> list[str]:
    return fold(
        "Memory",
        "Peak of the extra memory during one factorization, in multiples of A (skfact: order "
        '"balanced"): as ``tracemalloc`` counts what Python and NumPy allocate, and as the memory '
        "of the process grows, which includes what compiled code allocates.",
        table=table(
            ["matrix", "n", "library", "traced", "resident"],
            [
                [r["matrix"], r["n"], r["contender"], short(r["traced"]), short(r["resident"])]
                for r in rows
            ],
        ),
    )


def _profile() -> list[str]:
    """What was looked into by hand; a new measurement does not change it."""
    return fold(
        "Where the time goes",
        "*Exact matrices.* The first split takes 2.0 of 4.2 ms at n = 2048 and 7.9 of 12 ms at "
        "n = 4096, one thread, where the norm takes 0.8 and 4.1 ms. At n = 2048 the matrix fits "
        "into the last cache; a norm that is called again and again, with nothing in between, "
        "takes 0.45 ms there with two threads, and the factorization 3.2 ms.",
        "*Noisy matrices.* At n = 1024 the first split is 2.6 of 4.6 ms (2.5 µs for each block of "
        "32 x 32), and the later splits of thousands of blocks of two rows, 0.14 µs each, are "
        "1.0 ms.",
        "*Gaussian matrices.* The rows of skfact, of the norm, of ``eigh`` and of the fastest peer "
        "were measured again, together, after the last change to the Lanczos steps.",
    )


def _products(results: dict[str, Any]) -> list[str]:
    rows = results["apply"]
    found = cells([row for row in rows if row["threads"] == 1], "n", "matrix", "batch")
    n = max(key[0] for key in found)
    largest = [times for key, times in found.items() if key[0] == n]
    small = min(key[0] for key in found)
    smallest = [times for key, times in found.items() if key[0] == small]
    answer = (
        f"On one thread, products with the factors of a {n} x {n} matrix are "
        f"{_over(largest, 'dense')} times as fast as the dense product"
    )
    if all(fastest(times) for times in largest):
        answer += f" and {_over(largest, '')} times as fast as the fastest peer"
    return section(
        "How long does a product with the factors take?",
        f"{answer}; for n = {small}, {_over(smallest, 'dense')} times as fast as the dense one.",
        (
            "products",
            "Six panels, a Hadamard and a Fourier matrix of three sizes: the speed-up over the "
            "dense product against the number of vectors, both logarithmic, of skfact, scipy.fft "
            "and the fastest peer, with a line for each.",
            "One thread; each library in its fastest form, and with vectors in rows or in columns, "
            f"whichever it does faster. {measured(results)}",
        ),
        f"{_beside_fft(found)} Large batches are limited by memory: at n = 4096, batch 1024, "
        "reading X and writing the result takes as long as all factors.",
        *(_speed_up_table(rows, threads) for threads in sorted({r["threads"] for r in rows})),
        how(
            results,
            CONVENTIONS,
            "All libraries are given the same factors in the form and the memory layout that they "
            "prefer. pyfaust: the Faust of the factors and ``opt_butterfly_faust`` of it, batches "
            "in Fortran order. lazylinop: ``ksm`` of all factors and of the factors fused to 2, 3 "
            "and 4, of NumPy arrays and of PyTorch tensors.",
            *_left_out(rows),
        ),
    )


def _ours(found: dict[str, dict[str, Any]]) -> float:
    """The time of skfact, of vectors in columns or rows."""
    return fastest(found, "skfact")[1]


def _over(many: list[dict[str, dict[str, Any]]], library: str) -> str:
    """The range of the times of a library, or of the fastest peer, over those of skfact."""
    return between(fastest(found, library)[1] / _ours(found) for found in many)


def _beside_fft(found: dict[tuple[Any, ...], dict[str, dict[str, Any]]]) -> str:
    ratios = [_ours(times) / fastest(times, "scipy.fft")[1] for times in found.values()]
    slower = sum(ratio > 1 for ratio in ratios)
    return (
        "Beside ``scipy.fft`` of the same sizes, which is written for the Fourier matrix alone, "
        f"skfact takes {between(ratios)} times as long, and less in {len(ratios) - slower} of "
        f"{len(ratios)} cases."
    )


def _left_out(rows: Rows) -> list[str]:
    wrong = sorted({row["contender"] for row in rows if row["ms"] is None})
    return [f"Left out where the result is wrong: {'; '.join(wrong)}."] if wrong else []


def _speed_up_table(rows: Rows, threads: int) -> list[str]:
    found = _by_matrix([row for row in rows if row["threads"] == threads], "batch")
    lines: list[list[Any]] = [
        [*key, *_speed_ups({c: r["ms"] for c, r in ms.items() if r["ms"]})] for key, ms in found
    ]
    head = ["matrix", "n", "batch", "skfact", "rows", "fastest peer", "its", "ratio", "ratio, rows"]
    return fold(
        f"{'One thread' if threads == 1 else 'Two threads'}: speed-ups",
        "Speed-up over the dense product ``A @ X`` of NumPy, X of shape (n, batch) or (n,): "
        "``operator.matmat(X)`` or ``matvec``; in *rows*, ``operator.apply(X)`` on rows of shape "
        "(batch, n). *Ratio*: speed-up of skfact over that of the fastest peer. *Of FFT*: time of "
        "the faster of both over that of ``scipy.fft`` (``rfft`` for real batches).",
        table=table([*head, "of FFT"], lines),
    )


def _speed_ups(ms: dict[str, float]) -> list[str]:
    """One line of the table, from the times of all contenders."""
    dense, ours = ms["dense"], [ms["skfact"], ms.get("skfact, rows")]
    line = [short(time and dense / time) for time in ours]
    peers = {c: time for c, time in ms.items() if not yardstick(c)}
    if peers:
        best = min(peers, key=peers.__getitem__)
        line += [best, short(dense / peers[best])]
        line += [short(time and peers[best] / time) for time in ours]
    else:
        line += ["-"] * 4
    fft = min(time for c, time in ms.items() if c.startswith("scipy.fft"))
    return [*line, short(min(filter(None, ours)) / fft)]


def _chains(results: dict[str, Any]) -> list[str]:
    rows = results["chains"]
    first, batches = rows[0]["chain"], sorted({row["batch"] for row in rows})
    batched = [row["ns"] for row in rows if row["batch"] > 1]
    single = {row["chain"]: row["ns"] for row in rows if row["batch"] == 1}
    others = [ns for name, ns in single.items() if name != first]
    return section(
        "What does a multiplication cost in other chains of factors?",
        f"In batches of {batches[1]} and more, {between(batched)} ns each on one thread; with one "
        f"vector {short(single[first])} ns for {first}, and {between(others)} ns for the other "
        "chains.",
        (
            "chains",
            "For each chain, nanoseconds per multiplication on a logarithmic axis: a bar from the "
            "fastest to the slowest batch, and a mark for one vector.",
            "Nanoseconds per multiplication by an entry of a factor; real rows, CPU time on one "
            f"thread. {measured(results)}",
        ),
        "In a general chain the entries of one vector do not fill the vector registers, and "
        "batched products of NumPy are used. For batches, 4096 x 1024 writes four times what it "
        "reads.",
        fold(
            "Nanoseconds per multiplication",
            f"There are nnz times batch multiplications; in brackets, relative to {first}.",
            table=_chain_table(rows, first, batches),
        ),
        how(results, CONVENTIONS),
    )


def _chain_table(rows: Rows, first: str, batches: list[int]) -> list[str]:
    ns = {(r["chain"], r["batch"]): r["ns"] for r in rows}
    chains = {r["chain"]: r for r in rows}
    lines: list[list[Any]] = []
    for (name, row), batch in product(chains.items(), batches):
        if batch == batches[0]:
            lines.append([name, " x ".join(map(str, row["shape"])), row["nnz"]])
        cost = ns[name, batch]
        lines[-1].append(f"{short(cost)} ({short(cost / ns[first, batch])})")
    return table(["chain", "shape", "nnz", *(f"batch {batch}" for batch in batches)], lines)


def _one_vector(results: dict[str, Any]) -> list[str]:
    rows = results["one vector"]
    us = {row["n"]: row["us"] for row in rows if row["call"] == "operator.matvec(x)"}
    answer = listed(f"{short(time)} µs for n = {n}" for n, time in us.items())
    answer = f"On one thread, skfact alone, {answer}"
    if "apply" in results:
        one = [row for row in results["apply"] if row["threads"] == row["batch"] == 1]
        n = max(row["n"] for row in one)
        times = cells(one, "matrix", "n")["Hadamard", n]
        answer += (
            f"; in turns with other libraries {time_of(times['skfact']['ms'])} for a Hadamard "
            f"matrix with n = {n}, where the dense product takes {time_of(times['dense']['ms'])}"
        )
    return section(
        "How long does one vector take?",
        f"{answer}.",
        (
            "one_vector",
            "Two panels, a Hadamard and a Fourier matrix: microseconds of a product with one "
            "vector against n, both logarithmic, of the dense product, the fastest peer, skfact "
            "and scipy.fft, with a line for each.",
            f"CPU time on one thread, each library in its fastest form. {measured(results)}",
        ),
        "For n = 16 nearly all is the way through Python. Chains whose entries do not fill the "
        "vector registers take longer: see the question before.",
        fold(
            "Microseconds per call",
            "On one thread, skfact alone.",
            table=table(
                ["n", "call", "µs"], [[r["n"], f"``{r['call']}``", short(r["us"])] for r in rows]
            ),
        ),
        how(results, CONVENTIONS),
    )


def _first_use(results: dict[str, Any]) -> list[str]:
    found = results["first use"]
    cold, warm = sum(found["cold"].values()), sum(found["warm"].values())
    lines = [
        [title, *(f"{t:.2f}" for t in times.values()), f"{sum(times.values()):.2f}"]
        for title, times in (("warm", found["warm"]), ("cold", found["cold"]))
    ]
    return section(
        "How long does the first use take?",
        f"{three(cold)} s with nothing compiled yet, as after the installation; {three(warm)} s in "
        "every later process.",
        (
            "first_use",
            "Two bars, cold and warm: seconds of the import, the first fit and the first "
            "transform, one after the other.",
            f"Wall time in a fresh process. {measured(results)}",
        ),
        "Cold, some 20 loops are compiled; the loop over the blocks of a split alone takes two "
        "thirds. Warm, most is the import: ``sklearn.decomposition`` alone takes "
        f"{found['others']:.2f} s.",
        fold(
            "Seconds",
            "``from skfact import ButterflyFactorizer``, the first ``fit`` of 64 x 64 and the "
            "first ``transform``; *cold*: one process; medians otherwise.",
            table=table(["caches", *found["warm"], "together"], lines),
        ),
        how(results),
    )


def _processes(results: dict[str, Any]) -> list[str]:
    rows, base = results["processes"], {}
    relative = {}
    for row in rows:
        seconds = base.setdefault("grid" in row["kind"], row["seconds"])
        relative[row["surrounding"]] = row["seconds"] / seconds
    jobs = [relative[row["surrounding"]] for row in rows[1:] if "grid" not in row["kind"]]
    answer = f"The jobs take {min(jobs):.2f} to {max(jobs):.2f} of the time of one thread"
    grid = [relative[row["surrounding"]] for row in rows if "grid" in row["kind"]]
    if len(grid) > 1:
        answer += f", a grid search with two jobs {grid[1]:.2f}"
    doubt = ""
    if min(jobs) * results["cores"] < 1:
        doubt = (
            f" Times below {1 / results['cores']:.2f} are more than {results['cores']} cores can "
            "gain; why was not looked into."
        )
    return section(
        "What do threads and processes around it gain?",
        f"{answer}.",
        (
            "processes",
            "A bar for each surrounding: its wall time over that of one thread, for the jobs and "
            "for the grid search.",
            f"Wall time relative to one thread, on {results['cores']} cores. {measured(results)}",
        ),
        f"No surrounding is slower than one thread.{doubt}"
        if max(relative.values()) <= 1
        else f"The slowest surrounding takes {max(relative.values()):.2f} of one thread.{doubt}",
        fold(
            "Seconds",
            "The same jobs (a factorization and a product with a batch each) and the same grid "
            "search in different surroundings, relative to one thread, ``OMP_NUM_THREADS=1``; "
            "unless it says one thread, no number of threads is set.",
            table=table(
                ["surrounding", "seconds", "relative"],
                [
                    [r["surrounding"], f"{r['seconds']:.3f}", f"{relative[r['surrounding']]:.2f}"]
                    for r in rows
                ],
            ),
        ),
        how(results, "Each row is a process of its own."),
    )


def _by_matrix(rows: Rows, *names: str) -> list[tuple[tuple[Any, ...], dict[str, dict[str, Any]]]]:
    """The cells of a table, matrix by matrix, from small to large."""
    found = cells(rows, "matrix", "n", *names)
    return sorted(found.items(), key=lambda cell: matrix_order(*cell[0]))


def main() -> None:
    """Write all pages again."""
    folder = Path(__file__).parent / "results"
    for name, module in PAGES.items():
        results = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        text = import_module(module).page(results)
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
