"""What is left of trained networks with fewer numbers? ``python benchmarks/compression.py``.

``skfact.compression.compress`` beside plain ways (``compression_ways.py``), on three networks
(``compression_networks.py``), with 10, 25 and 50 % of the numbers of their linear layers, before
and after training for the outputs of the original. Writes results/compression.json; ``--quick``
prints the table for the smallest network.
"""

import argparse
from collections import Counter
from typing import Any

from measure import in_new_process, keep, machine
from page_parts import fold, how, listed, measured, section, short, table

NETWORKS = {  # the name of its case: what it is called, and which quality counts
    "digits": ("Digits", "accuracy"),
    "magika": ("Magika", "agreement"),
    "minilm": ("MiniLM", "cosine"),
}
OURS, LOW_RANK = "compress", "low rank, weighted"
ALIKE = 0.01  # differences of quality that say nothing
LOST = 0.05  # more than that is too much to use


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    cases = {name: results["networks"][name] for name in NETWORKS}
    return "\n".join(
        section(
            "What is left of a trained network with fewer numbers?",
            f"{' '.join(_answer(name, case) for name, case in cases.items())} {_verdict(cases)}",
            (
                "compression",
                "Three panels, a network for digits, Magika and MiniLM: quality against the share "
                "of the numbers that are left, of compress, weighted low rank, Monarch and "
                "pruning, with a line for each, and the quality of the original.",
                "The best of each way, however it shares the budget out, before training. "
                f"{measured(results)}",
            ),
            LIMITS,
            *(_qualities(name, case) for name, case in cases.items()),
            _gains(cases),
            how(results, *HOW, *results.get("notes", [])),
        )
    )


LIMITS = (
    "Limits: three networks; some 200 files and 200 sentences are held out, so that one in a "
    "hundred is within chance; few steps of training, at one rate. Pruning has a place beside each "
    "entry; where places cost nothing (a device that skips zeros by a pattern) it is the row "
    "*places free*. The embeddings of MiniLM, half of its numbers, stay."
)
HOW = (
    "*Digits*: a perceptron with 256 + 256 hidden neurons, half of the images held out. *Magika*: "
    "files of the Python installation, the share that keeps its type; its convolution is a linear "
    "layer on patches here, since it is most of the network. *MiniLM*: sentences of docstrings, "
    "cosines of embeddings to those of the original (mean and 5 % quantile), and the share that "
    "keeps its nearest neighbour.",
    "*Low rank* is a singular value decomposition of the weights, *weighted* of what they make of "
    "the inputs. *Monarch* is two block-diagonal factors fitted to the inputs, with 4, 8 or 16 "
    "blocks. *Pruning* keeps the largest entries, *weighted* those times the deviation of their "
    "input. All have the same inputs to calibrate on, and take the mean error into the biases. "
    "*compress* is ``compression_path``, one search for all sizes; *one pass* is "
    "``sequential=False``. Training: Adam, for the outputs of the original, on the "
    "inputs to calibrate on; only what was replaced.",
)


def _verdict(cases: dict[str, Any]) -> str:
    """Where structure pays, where low rank does, where nothing does."""
    found = [
        (name, density, _qualities_of(name, case, density))
        for name, case in cases.items()
        for density in sorted({row["density"] for row in case["rows"]})
    ]
    found = [case for case in found if OURS in case[2]]  # those that were measured
    n, chosen = len(found), Counter[str]()
    for case in cases.values():
        for row in case["rows"]:
            chosen.update(row.get("structures", {}) if row["way"] == OURS else {})
    replaced = chosen.total() - chosen["the dense matrix"]
    behind = sum(q[OURS] < max(q.values()) - ALIKE for _, _, q in found)
    lost = [
        f"{NETWORKS[name][0]} at {100 * density:g} %"
        for name, density, q in found
        if max(q.values()) < cases[name]["before"][NETWORKS[name][1]] - LOST
    ]
    return (
        f"Of the {replaced} layers that ``compress`` replaced, {chosen['low rank']} became low "
        f"rank. Weighted low rank is within {ALIKE} of it, or better, in "
        f"{_as_good(found, LOW_RANK, OURS)} of {n} cases; Monarch is better than weighted low rank "
        f"by more than that in {_ahead(found, 'Monarch')}, pruning in "
        f"{_ahead(found, 'pruning, weighted')}, with places for free in "
        f"{_ahead(found, 'pruning, weighted, places free')}. ``compress`` is behind the best by "
        f"more than that in {behind}. "
        + (f"Too much is lost in every way before training: {listed(lost)}." if lost else "")
    )


def _qualities_of(name: str, case: dict[str, Any], density: float) -> dict[str, float]:
    """The quality of each way at a density, however it spends its budget."""
    found: dict[str, float] = {}
    for row in case["rows"]:
        if row["density"] == density:
            quality = row["quality"][NETWORKS[name][1]]
            found[row["way"]] = max(quality, found.get(row["way"], 0.0))
    return found


def _as_good(found: list[Any], way: str, other: str) -> int:
    return sum(q.get(way, 0.0) >= q.get(other, 0.0) - ALIKE for _, _, q in found)


def _ahead(found: list[Any], way: str) -> int:
    return sum(q.get(way, 0.0) > q.get(LOW_RANK, 0.0) + ALIKE for _, _, q in found)


def _answer(name: str, case: dict[str, Any]) -> str:
    """What compress keeps at each density."""
    words, quality = NETWORKS[name]
    rows = [row for row in case["rows"] if row["way"] == OURS]
    if not rows:
        return f"{words}: not measured."
    rows.sort(key=lambda row: -row["density"])
    kept = listed(f"{row['quality'][quality]:.3f}" for row in rows)
    shares = listed(f"{100 * row['density']:g}" for row in rows)
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
        f"{case['layers']} linear layers with {case['weights']:,} weights, beside "
        f"{case['others']:,} other numbers, which stay. *Spent*: the budget on all layers "
        "alike, where it gains most (shared), or the same with errors as they count at the end of "
        "the network (by effect).",
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
                lines.append([*line, f"{row['seconds']:.0f}", chosen, row.get("shared", "-")])
    head = ["network", "numbers, %", "MB before", "after", "ms before", "after"]
    return fold(
        "Files and times",
        "Of ``compress``: the file of ``torch.save``, milliseconds for one batch, seconds that the "
        "compression to all three sizes takes together, the structures that were chosen, and how "
        "the budget was shared.",
        table=table([*head, "compress, s", "layers", "shared"], lines),
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
    keep("compression", found, page)


if __name__ == "__main__":
    main()
