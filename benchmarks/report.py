"""Benchmark results as a page of the documentation: ``python benchmarks/report.py`` rewrites it."""

import json
from pathlib import Path
from typing import Any

FACTORIZE = """\
Factorization
-------------

CPU time of a factorization into log2(n) butterfly factors, with default options. One pass over A,
as ``norm(A)`` makes it, is the floor; ``A @ A`` is a familiar size. *Error* is relative, in
Frobenius norm.
"""

APPLY = """\
Application
-----------

Speed-up over the dense product ``A @ X`` of NumPy, for X with the given number of columns: above 1
the factors are faster. The last row of a DFT is the fast transform of SciPy, written by hand.
"""


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    named = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    where = (
        f"Measured on {results['date']}: {results['cpu']} ({results['cores']} cores, "
        f"{results['threads']} thread used), {results['system']}, {named}. "
        "All contenders run in one process, in turns; medians of CPU time."
    )
    return "\n".join([where, "", FACTORIZE, *_factorize(results), APPLY, *_apply(results)])


def _factorize(results: dict[str, Any]) -> list[str]:
    head = ["matrix", "n", "library", "ms", "passes over A", "of A @ A", "error"]
    rows = [
        [
            row["matrix"],
            row["n"],
            row["contender"],
            f"{row['ms']:.4g}",
            f"{row['ms'] / row['norm_ms']:.3g}",
            f"{row['ms'] / row['matmul_ms']:.2g}",
            f"{row['error']:.1e}",
        ]
        for row in results["factorize"]
    ]
    return _table(head, rows)


def _apply(results: dict[str, Any]) -> list[str]:
    cells: dict[tuple[Any, ...], dict[int, str]] = {}
    for row in results["apply"]:
        key = row["matrix"], row["n"], row["contender"]
        cells.setdefault(key, {})[row["batch"]] = f"{row['dense_ms'] / row['ms']:.2g}"
    batches = sorted({row["batch"] for row in results["apply"]})
    head = ["matrix", "n", "library", *(f"batch {batch}" for batch in batches)]
    return _table(head, [[*key, *(found[b] for b in batches)] for key, found in cells.items()])


def _table(head: list[Any], rows: list[list[Any]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *rows]:
        lines += [f"   {'*' if i == 0 else ' '} - {cell}".rstrip() for i, cell in enumerate(row)]
    return [*lines, ""]


if __name__ == "__main__":
    folder = Path(__file__).parent / "results"
    found = json.loads((folder / "butterfly.json").read_text(encoding="utf-8"))
    (folder / "butterfly.rst").write_text(page(found), encoding="utf-8")
