"""Are transforms as fast as SciPy's? ``python benchmarks/transforms.py``.

Rows through operators of `skfact.transforms` against `scipy.fft`, on one thread in double
precision; a Hadamard transform, which SciPy has not, beside its real FFT. Writes
results/transforms.json in about a minute; ``--quick`` prints the table for n = 256.
"""

import argparse
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import scipy.fft
from measure import in_new_process, keep, machine, medians, progress
from page_parts import Rows, between, cells, fold, how, measured, section, short, table

from skfact.transforms import dct, dft, dst, hadamard, rfft

SIZES = (1024, 4096)
BATCHES = (16, 64, 256, 1024)
SECONDS = 0.5
OURS, SCIPY = "skfact", "scipy.fft"

Rule = Callable[[np.ndarray], np.ndarray]

# name -> (the operator of size n, SciPy's function of rows, whether the two must agree)
TRANSFORMS: dict[str, tuple[Callable[[int], Any], Rule, bool]] = {
    "dct": (dct, scipy.fft.dct, True),
    "dct, type 4": (partial(dct, type=4), partial(scipy.fft.dct, type=4), True),
    "dst": (dst, scipy.fft.dst, True),
    "dft": (dft, scipy.fft.fft, True),
    "rfft": (rfft, scipy.fft.rfft, True),
    "rfft, real": (
        partial(rfft, dtype="float64"),
        lambda X: scipy.fft.rfft(X).view("float64"),
        True,
    ),
    "hadamard": (hadamard, scipy.fft.rfft, False),
}


def run(n: int, batch: int) -> Rows:
    """All transforms of one size."""
    random, rows = np.random.default_rng(0), []
    for name, (build, rule, must_agree) in TRANSFORMS.items():
        operator = build(n)
        X = random.standard_normal((batch, n))
        if name == "dft":
            X = X + 1j * random.standard_normal((batch, n))
        found, expected = operator.apply(X), rule(X)
        if must_agree:
            assert np.allclose(found, expected, rtol=0, atol=1e-13 * np.linalg.norm(expected))
        contenders = {OURS: partial(operator.apply, X), SCIPY: partial(rule, X)}
        for contender, (ms, _) in medians(contenders, SECONDS, threads=1).items():
            rows.append(
                {"transform": name, "n": n, "batch": batch, "contender": contender, "ms": ms}
            )
            progress(f"{rows[-1]}")
    return rows


def ratios(rows: Rows) -> dict[str, list[float]]:
    """Our time over SciPy's, for each transform."""
    found: dict[str, list[float]] = {}
    for (name, *_), times in cells(rows, "transform", "n", "batch").items():
        found.setdefault(name, []).append(times[OURS]["ms"] / times[SCIPY]["ms"])
    return found


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    found = ratios(results["rows"])
    others = between(r for name, values in found.items() if name != "rfft" for r in values)
    answer = (
        f"With batches of {min(BATCHES)} to {max(BATCHES):,} rows operators take {others} times as "
        f"long as SciPy's functions; the real FFT in complex factors {between(found['rfft'])} times"
    )
    return "\n".join(
        section(
            "Are transforms as fast as SciPy's?",
            f"{answer}.",
            (
                "transforms",
                "Times of transforms over those of SciPy against the batch, with a panel for each "
                "size and a line for each transform.",
                f"One thread, double precision. {measured(results)}",
            ),
            "SciPy's algorithms have fewer operations; the factors run in vector instructions, "
            "with up to 16 vectors side by side. The Hadamard transform is compared with the real "
            "FFT of the same size.",
            fold("Milliseconds", table=lines(results["rows"])),
            how(results, "One thread, CPU time, double precision."),
        )
    )


def lines(rows: Rows) -> list[str]:
    return table(
        ["transform", "n", "batch", "contender", "ms"],
        [[*list(row.values())[:-1], short(row["ms"])] for row in rows],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small size; nothing is written")
    options = parser.parse_args()
    sizes = [(n, b) for n in ([256] if options.quick else SIZES) for b in BATCHES]
    rows = [row for n, b in sizes for row in in_new_process("transforms", "run", n, b, threads=1)]
    if options.quick:
        print("\n".join(lines(rows)))
        return
    versions = {name: version(name) for name in ("numpy", "scipy")}
    results = machine() | {"versions": versions, "rows": rows}
    keep("transforms", results, page)


if __name__ == "__main__":
    main()
