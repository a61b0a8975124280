"""PALM and its hierarchical form beside pyfaust: ``python benchmarks/deep_linear_palm.py``.

One thread, CPU time; both libraries take turns in one process and medians count. Writes
results/deep_linear_palm.json and .rst, which the documentation includes; ``--quick`` prints the
page for small sizes. pyfaust is optional: ``pip install pyfaust``.
"""

import argparse
import json
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from matrices import make_matrix
from measure import in_new_process, machine, medians, progress, relative_error
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

from skfact.butterfly import butterfly_factorize
from skfact.deep_linear import hierarchical_palm, palm4msa
from skfact.supports import Chain

RESULTS = Path(__file__).parent / "results"
SWEEPS = 30


def pyfaust_palm(A: np.ndarray, chain: Chain) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyfaust.fact import palm4msa as peer
        from pyfaust.factparams import ParamsPalm4MSA, StoppingCriterion
        from pyfaust.proj import supp

    sets = [supp(pattern.mask().astype(A.dtype)) for pattern in chain]
    return peer(A, ParamsPalm4MSA(sets, StoppingCriterion(num_its=SWEEPS)))


def pyfaust_hierarchical(A: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyfaust.fact import hierarchical as peer

    return peer(A, "hadamard")


def run(threads: int, quick: bool) -> list[dict[str, Any]]:
    """All measurements, one row for each task and contender."""
    rows = []
    for n in (16, 32) if quick else (32, 64, 128, 256):
        tasks: dict[str, dict[str, Any]] = {}
        for name, label in (("Hadamard", "hierarchical"), ("noisy", "hierarchical, noisy")):
            A = make_matrix(name, n)
            tasks[label] = {
                "matrix": A,
                "skfact": partial(hierarchical_palm, A),
                "skfact, identity start": partial(hierarchical_palm, A, init="identity"),
                "butterfly_factorize": partial(butterfly_factorize, A),
                "pyfaust": partial(pyfaust_hierarchical, A),
            }
        A, chain = make_matrix("noisy", n), Chain.butterfly(n)
        tasks[f"{SWEEPS} sweeps, noisy"] = {
            "matrix": A,
            "skfact": partial(palm4msa, A, chain, max_iter=SWEEPS, tol=0),
            "pyfaust": partial(pyfaust_palm, A, chain),
        }
        for task, functions in tasks.items():
            A = functions.pop("matrix")
            if not find_spec("pyfaust"):
                del functions["pyfaust"]
            for name, (ms, found) in medians(functions, 0.1, threads).items():
                error = relative_error(np.array(found.toarray()), A)
                rows.append({"task": task, "n": n, "contender": name, "ms": ms, "error": error})
                progress(f"{task} {n}: {name} {ms:.4g} ms, error {error:.3g}")
    return rows


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    rows = results["rows"]
    return "\n".join(
        section(
            "How long do PALM and hierarchical PALM take?",
            _answer(rows),
            (
                "palm",
                "Three panels, hierarchical without noise, hierarchical with noise and "
                f"{SWEEPS} sweeps with noise: milliseconds against n, both logarithmic, of "
                "pyfaust, skfact from the identity, skfact and butterfly_factorize, with a line "
                "for each.",
                f"CPU time on one thread. {measured(results)}",
            ),
            f"{_errors(rows)}{_slower(rows)}Where the chain start is exact nothing is left to "
            "iterate, which is where the time without noise comes from; *identity start* does the "
            "iterations that were published, and does not survive noise in either library "
            "(:doc:`user_guide/deep_linear`).",
            fold(
                "Times and errors",
                "Relative errors in Frobenius norm. *Times faster*: time of pyfaust over that of "
                "the line.",
                table=_lines(rows),
            ),
            how(
                results,
                "One thread, CPU time, medians.",
                "*Hierarchical*: budgets of two entries for each row and column; the skfact "
                "default follows the chain start and the identity start and keeps the better. "
                "The closed form, :func:`~skfact.butterfly.butterfly_factorize`, is what the chain "
                "start calls once per level. "
                f"*{SWEEPS} sweeps*: on butterfly supports, from the published start.",
            ),
        )
    )


def _largest(rows: Rows) -> dict[str, dict[str, dict[str, Any]]]:
    """The contenders of each task for the largest matrix."""
    n = max(row["n"] for row in rows)
    found = cells([row for row in rows if row["n"] == n], "task")
    return {task: contenders for (task,), contenders in found.items()}


def _answer(rows: Rows) -> str:
    found = _largest(rows)
    n = max(row["n"] for row in rows)
    times = listed(f"{time_of(c['skfact']['ms'])} ({task})" for task, c in found.items())
    answer = f"For n = {n} on one thread, {times}"
    if all("pyfaust" in c for c in found.values()):
        ratios = listed(short(c["pyfaust"]["ms"] / c["skfact"]["ms"]) for c in found.values())
        answer += f": {ratios} times as fast as pyfaust"
    return f"{answer}."


def _errors(rows: Rows) -> str:
    errors = [
        f"{c['skfact']['error']:.2g} beside {c['pyfaust']['error']:.2g}"
        for c in _largest(rows).values()
        if "pyfaust" in c
    ]
    return f"The relative errors are {listed(errors)} of pyfaust. " if errors else ""


def _slower(rows: Rows) -> str:
    """Where pyfaust is faster."""
    answers = [
        f"pyfaust is faster for n = {n}, {task}: {time_of(found['pyfaust']['ms'])} beside "
        f"{time_of(found['skfact']['ms'])}, with an error of {found['pyfaust']['error']:.2g} "
        f"beside {found['skfact']['error']:.2g}. "
        for (task, n), found in cells(rows, "task", "n").items()
        if "pyfaust" in found and found["pyfaust"]["ms"] < found["skfact"]["ms"]
    ]
    return "".join(answers)


def _lines(rows: Rows) -> list[str]:
    peers = {(r["task"], r["n"]): r["ms"] for r in rows if r["contender"] == "pyfaust"}
    lines = []
    for row in sorted(rows, key=lambda row: (row["task"], row["n"])):
        peer = peers.get((row["task"], row["n"]))
        faster = f"{peer / row['ms']:,.1f}" if peer and row["contender"] != "pyfaust" else "-"
        line = [row["task"], row["n"], row["contender"], three(row["ms"]), f"{row['error']:.2e}"]
        lines.append([*line, faster])
    return table(["task", "n", "library", "ms", "error", "times faster"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    quick = parser.parse_args().quick
    versions = in_new_process("contenders", "versions", threads=1)
    versions = {k: v for k, v in versions.items() if k not in ("lazylinop", "torch")}
    rows = in_new_process("deep_linear_palm", "run", 1, quick, threads=1)
    results = machine() | {"versions": versions, "rows": rows}
    text = page(results)
    if quick:
        print(text)
        return
    (RESULTS / "deep_linear_palm.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "deep_linear_palm.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
