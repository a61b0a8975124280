"""Benchmark results as a page of the documentation: ``python benchmarks/report.py`` rewrites it."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]
YARDSTICKS = ("skfact", "norm(A)", "batched eigh", "dense", "scipy.fft")


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText: one section per question that was asked."""
    named = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    sections = {
        "scaling": _scaling,
        "peers": _peers,
        "memory": _memory,
        "apply": _apply,
        "chains": _chains,
        "one vector": _one_vector,
        "first use": _first_use,
        "processes": _processes,
    }
    lines = [
        f"Measured on {results['date']}: {results['cpu']}, {results['cores']} cores, "
        f"{results['system']}, {named}. With one thread, times are CPU time and all libraries run "
        "on one thread; with two, they are wall time and all may use two. Everything is float64 "
        "or complex128.",
        "",
    ]
    for question, section in sections.items():
        if question in results:
            lines += section(results[question])
    return "\n".join(lines)


def _scaling(rows: Rows) -> list[str]:
    passes, times = [], {}
    for (name, n, threads), found in sorted(
        _cells(rows, "matrix", "n", "threads").items(), key=lambda cell: _order(*cell[0])
    ):
        ours, norm = found["skfact"], found["norm(A)"]
        if threads == 1:
            times.setdefault(name, {})[n] = ours["ms"]
        else:
            row = [name, n, _ms(ours["ms"]), _ms(norm["ms"]), _g(ours["ms"] / norm["ms"])]
            passes.append([*row, f"{ours['error']:.1e}"])
    growth = []
    for name, ms in times.items():
        exponent = np.polyfit(np.log(list(ms)), np.log(list(ms.values())), 1)[0]
        sizes = f"{min(ms)} .. {max(ms)}"
        growth.append([name, sizes, ", ".join(map(_ms, ms.values())), f"{exponent:.2f}"])
    return [
        *_title("Factorization: passes over the matrix"),
        "``butterfly_factorize(A)`` with default options, two threads. One pass is",
        "``np.linalg.norm(A)``, in turns with the factorization, each after a pause of 10 ms.",
        "*Butterfly* is a random product of butterfly factors, *noisy* a",
        "Hadamard matrix with 10 % noise; the DFT is permuted by bit reversal on the way.",
        "Errors are relative, in Frobenius norm.",
        "",
        *_table(["matrix", "n", "skfact, ms", "norm(A), ms", "passes", "error"], passes),
        "How the time on one thread grows: the exponent of n fitted to the sizes between.",
        "",
        *_table(["matrix", "n", "ms, at each doubling", "exponent"], growth),
    ]


def _peers(rows: Rows) -> list[str]:
    cells = _cells(rows, "matrix", "n")
    summary = []
    for (name, n), found in sorted(cells.items(), key=lambda cell: _order(*cell[0])):
        ours = found["skfact"]["ms"]
        line = [name, n, _ms(ours), _g(ours / found["norm(A)"]["ms"]), "-", "-", "-"]
        peers = {c: row["ms"] for c, row in found.items() if c not in YARDSTICKS}
        if peers:
            best = min(peers, key=peers.__getitem__)
            line[4:] = [best, _ms(peers[best]), _g(peers[best] / ours)]
        eigh = found.get("batched eigh")
        summary.append([*line, _g(ours / eigh["ms"]) if eigh else "-"])
    sizes = sorted({row["n"] for row in rows})
    everything: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        if "error" in row:
            line = everything.setdefault((row["matrix"], row["contender"]), [])
            line.append(f"{_ms(row['ms'])} ({row['error']:.1e})")
    return [
        *_title("Factorization beside the peers"),
        "One thread. *Times faster*: the time of the fastest peer over that of skfact. For a",
        "Gaussian matrix the last column is the time of skfact over that of ``np.linalg.eigh`` on",
        "the Gram matrices of the blocks of the middle split, formed beforehand.",
        "",
        *_table(
            [
                "matrix",
                "n",
                "skfact, ms",
                "passes",
                "fastest peer",
                "ms",
                "times faster",
                "of eigh",
            ],
            summary,
        ),
        "All configurations, in ms, and the relative error. What takes longer than two seconds was",
        "called once.",
        "",
        *_table(
            ["matrix", "library", *(f"n = {n}" for n in sizes)],
            [[*key, *line] for key, line in everything.items()],
        ),
    ]


def _memory(rows: Rows) -> list[str]:
    return [
        *_title("Factorization: memory"),
        "Peak of the extra memory during one factorization, in multiples of A (skfact: order",
        '"balanced"): as ``tracemalloc`` counts what Python and NumPy allocate, and as the memory',
        "of the process grows, which includes what compiled code allocates.",
        "",
        *_table(
            ["matrix", "n", "library", "traced", "resident"],
            [
                [r["matrix"], r["n"], r["contender"], _g(r["traced"]), _g(r["resident"])]
                for r in rows
            ],
        ),
    ]


def _apply(rows: Rows) -> list[str]:
    lines = [
        *_title("Application"),
        "Speed-up over the dense product ``A @ X`` of NumPy, X of shape (n, batch) or (n,):",
        "``operator.matmat(X)`` or ``matvec``; in *rows*, ``operator.apply(X)`` on rows of shape",
        "(batch, n). All libraries are given the same factors in the form and the memory layout",
        "that they prefer. *Ratio*: speed-up of skfact over that of the fastest peer. *Of FFT*:",
        "time of the faster of both over that of ``scipy.fft`` (``rfft`` for real batches).",
        "",
    ]
    head = ["matrix", "n", "batch", "skfact", "rows", "fastest peer", "its", "ratio", "ratio, rows"]
    for threads in sorted({row["threads"] for row in rows}):
        cells = _cells([row for row in rows if row["threads"] == threads], "matrix", "n", "batch")
        table = [
            [*key, *_speed_ups({c: row["ms"] for c, row in found.items() if row["ms"]})]
            for key, found in sorted(cells.items(), key=lambda cell: _order(*cell[0]))
        ]
        lines += [f"{threads} thread{'s' * (threads > 1)}:", ""]
        lines += _table([*head, "of FFT"], table)
    wrong = sorted({row["contender"] for row in rows if row["ms"] is None})
    if wrong:
        lines += [f"Left out where the result is wrong: {'; '.join(wrong)}.", ""]
    return lines


def _speed_ups(ms: dict[str, float]) -> list[str]:
    """One line of the table, from the times of all contenders."""
    dense, ours = ms["dense"], [ms["skfact"], ms.get("skfact, rows")]
    line = [_g(time and dense / time) for time in ours]
    peers = {c: time for c, time in ms.items() if not c.startswith(YARDSTICKS)}
    if peers:
        best = min(peers, key=peers.__getitem__)
        line += [best, _g(dense / peers[best]), *(_g(time and peers[best] / time) for time in ours)]
    else:
        line += ["-"] * 4
    fft = min(time for c, time in ms.items() if c.startswith("scipy.fft"))
    return [*line, _g(min(filter(None, ours)) / fft)]


def _chains(rows: Rows) -> list[str]:
    batches = sorted({r["batch"] for r in rows})
    ns = {(r["chain"], r["batch"]): r["ns"] for r in rows}
    first = rows[0]["chain"]
    chains = {r["chain"]: r for r in rows}
    table = []
    for (name, row), batch in product(chains.items(), batches):
        if batch == batches[0]:
            table.append([name, " x ".join(map(str, row["shape"])), row["nnz"]])
        cost = ns[name, batch]
        table[-1].append(f"{_g(cost)} ({_g(cost / ns[first, batch])})")
    head = ["chain", "shape", "nnz", *(f"batch {batch}" for batch in batches)]
    return [
        *_title("Application: general chains"),
        "Nanoseconds per multiplication by an entry of a factor (there are nnz times batch), real",
        f"rows, one thread; in brackets relative to {first}.",
        "",
        *_table(head, table),
    ]


def _one_vector(rows: Rows) -> list[str]:
    return [
        *_title("Application: one vector"),
        "Microseconds per call on one thread. For n = 16 nearly all is the way through Python.",
        "",
        *_table(["n", "call", "µs"], [[r["n"], f"``{r['call']}``", _g(r["us"])] for r in rows]),
    ]


def _first_use(found: dict[str, Any]) -> list[str]:
    table = []
    for title, times in (("warm", found["warm"]), ("cold", found["cold"])):
        table.append([title, *(f"{t:.2f}" for t in times.values()), f"{sum(times.values()):.2f}"])
    return [
        *_title("First use"),
        "Seconds of wall time in a fresh process: ``from skfact import ButterflyFactorizer``, the",
        "first ``fit`` of 64 x 64 and the first ``transform``; *cold*: with nothing compiled yet,",
        "as after the installation (one process; medians otherwise). Importing",
        f"``sklearn.decomposition`` alone takes {found['others']:.2f} s.",
        "",
        *_table(["caches", *found["warm"], "together"], table),
    ]


def _processes(rows: Rows) -> list[str]:
    base: dict[bool, float] = {}
    table = []
    for row in rows:
        seconds = base.setdefault("grid" in row["kind"], row["seconds"])
        table.append(
            [row["surrounding"], f"{row['seconds']:.3f}", f"{row['seconds'] / seconds:.2f}"]
        )
    return [
        *_title("Threads and processes"),
        "The same jobs (a factorization and a product with a batch each) and the same grid search",
        "in different surroundings, wall time in seconds and relative to one thread,",
        "``OMP_NUM_THREADS=1``; unless it says one thread, no number of threads is set.",
        "",
        *_table(["surrounding", "seconds", "relative"], table),
    ]


def _cells(rows: Rows, *names: str) -> dict[tuple[Any, ...], dict[str, dict[str, Any]]]:
    """The rows by their values of these names, then by contender."""
    cells: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[name] for name in names), {})[row["contender"]] = row
    return cells


def _order(matrix: str, *sizes: int) -> tuple[int, ...]:
    return ["Hadamard", "butterfly", "DFT", "noisy", "Gaussian"].index(matrix), *sizes


def _g(value: float | None) -> str:
    """Two or three digits, without exponents."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2g}"


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _title(text: str) -> list[str]:
    return [text, "-" * len(text), ""]


def _table(head: list[Any], rows: list[list[Any]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *rows]:
        lines += [f"   {'*' if i == 0 else ' '} - {cell}".rstrip() for i, cell in enumerate(row)]
    return [*lines, ""]


if __name__ == "__main__":
    folder = Path(__file__).parent / "results"
    found = json.loads((folder / "butterfly.json").read_text(encoding="utf-8"))
    (folder / "butterfly.rst").write_text(page(found), encoding="utf-8")
