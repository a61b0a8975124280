"""What is left of trained networks with fewer numbers? ``python benchmarks/compression.py``.

``skfact.compression.compress`` beside plain ways (``compression_ways.py``), on three networks
(``compression_networks.py``), with 10, 25 and 50 % of the numbers of their linear layers, before and
after training for the outputs of the original. Writes results/compression.json; ``--quick`` prints
the table for the smallest network.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from measure import in_new_process, machine
from page_parts import Rows, fold, how, listed, measured, section, short, table

RESULTS = Path(__file__).parent / "results"
NETWORKS = {  # the name of its case: what it is called, and which quality counts
    "digits": ("digits", "accuracy"),
    "magika": ("Magika", "agreement"),
    "minilm": ("MiniLM", "cosine"),
}
OURS, RIVALS = "compress", ("low rank, weighted", "Monarch", "pruning, weighted")
NO_SMALLER = 0.01  # differences of quality that say nothing


def best(rows: Rows, quality: str, density: float, ways: Iterable[str]) -> dict[str, Any]:
    """The best row of some ways at a density."""
    found = [row for row in rows if row["density"] == density and row["way"] in ways]
    return max(found, key=lambda row: row["quality"][quality])


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    cases = {name: results["networks"][name] for name in NETWORKS}
    return "\n".join(
        section(
            "What is left of a trained network with fewer numbers?",
            f"{' '.join(_answer(name, case) for name, case in cases.items())} {VERDICT[0]}",
            (
                "compression",
                "Three panels, a network for digits, Magika and MiniLM: quality against the share "
                "of the numbers that are left, of compress, weighted low rank, Monarch and pruning, "
                "with a line for each, and the quality of the original.",
                f"One budget over all layers, not trained afterwards. {measured(results)}",
            ),
            " ".join(VERDICT[1:]),
            *(_qualities(name, case) for name, case in cases.items()),
            _gains(cases),
            how(
                results,
                *HOW,
            ),
        )
    )


VERDICT = ["", ""]
HOW = [""]


def _answer(name: str, case: dict[str, Any]) -> str:
    """What compress keeps at each density."""
    words, quality = NETWORKS[name]
    rows = [row for row in case["rows"] if row["way"] == OURS]
    kept = listed(f"{row['quality'][quality]:.3f}" for row in reversed(rows))
    shares = listed(f"{100 * row['density']:g}" for row in reversed(rows))
    return (
        f"{words}: {quality} {case['before'][quality]:.3f}, with {shares} % of the numbers {kept}."
    )


def _qualities(name: str, case: dict[str, Any]) -> list[str]:
    words, _ = NETWORKS[name]
    qualities = list(case["before"])
    tuned = [f"{quality}, trained" for quality in qualities]
    lines = [["original", "–", "100", *_numbers(case["before"]), *["-"] * len(tuned)]]
    for row in sorted(case["rows"], key=lambda row: row["density"]):
        after = _numbers(row["tuned"]) if "tuned" in row else ["-"] * len(tuned)
        share = f"{100 * row['share']:.1f}"
        lines.append([row["way"], row["spent"], share, *_numbers(row["quality"]), *after])
    return fold(
        f"{words}: all ways",
        f"{case['layers']} linear layers with {case['weights']:,} weights, beside {case['others']:,} "
        "other numbers, which stay. *Spent*: the budget on all layers alike, or where it gains most.",
        table=table(["way", "spent", "numbers, %", *qualities, *tuned], lines),
    )


def _numbers(quality: dict[str, float]) -> list[str]:
    return [f"{value:.3f}" for value in quality.values()]


def _gains(cases: dict[str, Any]) -> list[str]:
    lines = []
    for name, case in cases.items():
        for row in case["rows"]:
            if "bytes" in row:
                sizes = [f"{size / 1e6:.3g}" for size in row["bytes"]]
                times = [short(ms) for ms in row["ms"]]
                chosen = listed(f"{n} {what}" for what, n in row["structures"].items())
                line = [NETWORKS[name][0], f"{100 * row['share']:.1f}", *sizes, *times]
                lines.append([*line, f"{row['seconds']:.0f}", chosen])
    head = ["network", "numbers, %", "MB before", "after", "ms before", "after"]
    return fold(
        "Files and times",
        "Of ``compress``: the file of ``torch.save``, milliseconds for one batch, seconds that the "
        "compression takes, and the structures that were chosen.",
        table=table([*head, "compress, s", "layers"], lines),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one network; nothing is written")
    options = parser.parse_args()
    names = list(NETWORKS)[: 1 if options.quick else None]
    networks = {name: in_new_process("compression_study", "run", name, threads=2) for name in names}
    if options.quick:
        print("\n".join(_qualities("digits", networks["digits"])))
        return
    found = machine() | {"networks": networks}
    path = RESULTS / "compression.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".rst").write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
