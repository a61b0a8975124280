"""Functions on ReLU networks, beside what they cannot do without: ``python benchmarks/relu.py``.

Each question is asked in a process of its own, with one thread or two. Within a process all
contenders take turns and medians count: of CPU time on one thread, of wall time on two. PyTorch is
measured where it is installed.

Writes results/relu.json and results/relu.rst, which the documentation includes. With ``--quick``
the page is printed, and nothing is written.
"""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from measure import in_new_process, machine
from page_parts import (
    Rows,
    cells,
    fold,
    how,
    listed,
    measured,
    section,
    short,
    table,
    three,
    time_of,
)

RESULTS = Path(__file__).parent / "results"
QUESTIONS = {
    "norms": (1, 2),
    "functions": (1, 2),
    "graphs": (1, 2),
    "embedding": (1,),
    "scaling": (1,),
}


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    return "\n".join(_norms(results) + _functions(results) + _embedding(results))


def _how(results: dict[str, Any]) -> list[str]:
    return how(
        results,
        f"{'Beside' if results['torch'] else 'Without'} PyTorch. With one thread, times are CPU "
        "time; with two, wall time.",
    )


def one_thread(rows: Rows, *names: str) -> dict[tuple[Any, ...], dict[str, dict[str, Any]]]:
    """The cells on one thread."""
    return cells([row for row in rows if row["threads"] == 1], *names)


def _norms(results: dict[str, Any]) -> list[str]:
    layers = one_thread(results["norms"], "dtype")
    answer = "On one thread, 784-1024-1024-10 takes " + listed(
        f"{time_of(found['path_norm']['ms'])} in {dtype}" for (dtype,), found in layers.items()
    )
    if all("PyTorch" in found for found in layers.values()):
        ratios = [found["path_norm"]["ms"] / found["PyTorch"]["ms"] for found in layers.values()]
        answer += f", {listed(map(short, ratios))} of the time of one forward pass in PyTorch"
    plain, with_norms = (
        short(found["path_norm"]["ms"] / found["predict, one row"]["ms"])
        for found in one_thread(results["graphs"], "what").values()
    )
    return section(
        "How long does the path norm of a ReLU network take?",
        f"{answer}.",
        (
            "path_norm",
            "For a network of layers in two precisions, and for a graph without and with batch "
            "norms: a mark for the milliseconds of path_norm and for those of a forward pass.",
            f"CPU time on one thread; the forward pass is of one row. {measured(results)}",
        ),
        "It reads the weights once; what is left beside that is the way through Python, some 0.05 "
        f"ms. A graph of 8 residual blocks takes {plain} times its own forward "
        f"pass, and {with_norms} times with batch norms, which are folded in each "
        "call.",
        fold(
            "784-1024-1024-10",
            "*Ratio*: the time over that of the contender in the line below. PyTorch makes a "
            "forward pass of one row of ones through the absolute weights.",
            table=_beside(results["norms"]),
        ),
        fold(
            "Graphs with skip connections",
            "The forward pass is the graph's own, of one row.",
            table=_beside(results["graphs"]),
        ),
        _how(results),
    )


def _functions(results: dict[str, Any]) -> list[str]:
    rows = [row for row in results["functions"] if row["dtype"] == "float64"]
    found = {what: times for (what,), times in one_thread(rows, "what").items()}
    (sketches,) = (what for what in found if what.startswith("sketches"))
    (kernel,) = (what for what in found if what.startswith("kernel"))
    ratios = {
        what: ours["ms"] / needed["ms"]
        for what, (ours, needed) in ((w, found[w].values()) for w in (sketches, kernel))
    }
    alone = "; ".join(
        f"{what}, {time_of(times[name]['ms'])}"
        for what, times in found.items()
        for name in ("top_paths", "equalize")
        if name in times
    )
    return section(
        "How long do the other functions on ReLU networks take?",
        f"On one thread, sketches take {short(ratios[sketches])} times as long as a forward pass "
        f"of as many rows, and the path kernel {short(ratios[kernel])} times as long as its matrix "
        f"products; {alone}.",
        (
            "functions",
            "Two panels: milliseconds against the width of two hidden layers, and against the "
            "number of hidden layers of width 256, all logarithmic, of path_norm, path_sketch, "
            "equalize and top_paths, with a line for each.",
            f"CPU time on one thread, float64, 10 outputs. {measured(results)}",
        ),
        "Sketches are a batched pass, an absolute pass that tells whether sums stay in range, and "
        "the drawing of signs.",
        fold(
            "784-1024-1024-10",
            "*Ratio*: the time over that of the contender in the line below, the work that the "
            "function cannot do without.",
            table=_beside(results["functions"]),
        ),
        fold(
            "Width and depth",
            "Milliseconds on one thread, float64; hidden layers and inputs of one width, 10 "
            "outputs.",
            table=_scaling(results["scaling"]),
        ),
        _how(results),
    )


def _embedding(results: dict[str, Any]) -> list[str]:
    rows = results["embedding"]
    n_samples, n_features = max((row["shape"] for row in rows), key=lambda shape: shape[1])
    found = {row["contender"]: row for row in rows if row["shape"][1] == n_features}
    dense, csr = found["dense"], found["CSR"]
    return section(
        "How long does the path embedding of a data set take?",
        f"On one thread, {n_samples:,} digits with {n_features:,} features take "
        f"{time_of(dense['ms'])} dense and {time_of(csr['ms'])} as CSR.",
        (
            "embedding",
            "For two networks, dense and as CSR: bars for the milliseconds, and for the memory of "
            "the result and its peak.",
            f"CPU time on one thread. {measured(results)}",
        ),
        f"A dense result is {short(dense['result'])} MiB, and {short(dense['peak'])} MiB are "
        f"allocated on the way; as CSR it is {short(csr['result'])} MiB, and "
        f"{short(csr['peak'])} MiB on the way.",
        fold(
            "Time and memory",
            "*Memory*: the peak of what is allocated during the call, the result included.",
            table=_embedding_table(rows),
        ),
        _how(results),
    )


def _embedding_table(rows: Rows) -> list[str]:
    lines = [
        [
            row["what"],
            row["shape"][1],
            row["contender"],
            three(row["ms"]),
            short(row["result"]),
            short(row["peak"]),
        ]
        for row in rows
    ]
    return table(["network", "features", "output", "ms", "result, MiB", "memory, MiB"], lines)


def _beside(rows: Rows) -> list[str]:
    lines = []
    for i, row in enumerate(rows):
        peer = rows[i + 1] if i + 1 < len(rows) else row
        same = all(peer[name] == row[name] for name in ("what", "dtype", "threads"))
        ratio = short(row["ms"] / peer["ms"]) if same and peer is not row else "-"
        what = row["what"] + (f" ({row['sweeps']} sweeps)" if "sweeps" in row else "")
        lines.append(
            [what, row["dtype"], row["threads"], row["contender"], three(row["ms"]), ratio]
        )
    return table(["what", "dtype", "threads", "contender", "ms", "ratio"], lines)


def _scaling(rows: Rows) -> list[str]:
    names = list(dict.fromkeys(row["contender"] for row in rows))
    found = cells(rows, "width", "depth")
    lines = [[*key, *(three(times[name]["ms"]) for name in names)] for key, times in found.items()]
    return table(["width", "hidden layers", *names], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, less than a minute")
    options = parser.parse_args()
    results: dict[str, Any] = machine() | {"torch": find_spec("torch") is not None}
    for question, numbers in QUESTIONS.items():
        results[question] = []
        for threads in numbers:
            results[question] += in_new_process(
                "relu_networks", question, threads, options.quick, threads=threads
            )
    text = page(results)
    if options.quick:
        print(text)
        return
    (RESULTS / "relu.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "relu.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
