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
from report import Rows, _g, _ms, _table, _title

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
    lines = [
        f"Measured on {results['date']}: {results['cpu']}, {results['cores']} cores, "
        f"{results['system']}"
        + (", beside PyTorch." if results["torch"] else ", without PyTorch.")
        + " With one thread, times are CPU time; with two, wall time.",
        "",
        *_title("ReLU networks: 784-1024-1024-10"),
        "*Ratio*: the time over that of the contender in the line below, the work that the",
        "function cannot do without. PyTorch makes a forward pass of one row of ones through the",
        "absolute weights.",
        "",
        *_functions(results["norms"] + results["functions"]),
        *_title("ReLU networks with skip connections"),
        "The forward pass is the graph's own, of one row. Batch norms are folded in each call.",
        "",
        *_functions(results["graphs"]),
        *_title("ReLU networks: transform of the digits"),
        "One thread; *memory*: the peak of what is allocated during the call, the result included.",
        "",
        *_table(
            ["network", "features", "output", "ms", "result, MiB", "memory, MiB"],
            [
                [
                    row["what"],
                    row["shape"][1],
                    row["contender"],
                    _ms(row["ms"]),
                    _g(row["result"]),
                    _g(row["peak"]),
                ]
                for row in results["embedding"]
            ],
        ),
        *_title("ReLU networks: width and depth"),
        "Milliseconds on one thread, float64; hidden layers and inputs of one width, 10 outputs.",
        "",
        *_scaling(results["scaling"]),
    ]
    return "\n".join(lines)


def _functions(rows: Rows) -> list[str]:
    table = []
    for i, row in enumerate(rows):
        peer = rows[i + 1] if i + 1 < len(rows) else row
        same = all(peer[name] == row[name] for name in ("what", "dtype", "threads"))
        ratio = _g(row["ms"] / peer["ms"]) if same and peer is not row else "-"
        what = row["what"] + (f" ({row['sweeps']} sweeps)" if "sweeps" in row else "")
        line = [what, row["dtype"], row["threads"], row["contender"], _ms(row["ms"]), ratio]
        table.append(line)
    return _table(["what", "dtype", "threads", "contender", "ms", "ratio"], table)


def _scaling(rows: Rows) -> list[str]:
    names = list(dict.fromkeys(row["contender"] for row in rows))
    cells: dict[tuple[int, int], dict[str, str]] = {}
    for row in rows:
        cells.setdefault((row["width"], row["depth"]), {})[row["contender"]] = _ms(row["ms"])
    table = [[*key, *(found[name] for name in names)] for key, found in cells.items()]
    return _table(["width", "hidden layers", *names], table)


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
