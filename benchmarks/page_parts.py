"""Parts of the pages of results: a question, its answer, a figure, what limits it, folded tables.

The figures themselves are drawn by ``doc/benchmark_figures.py`` when the documentation is built.
"""

from collections.abc import Iterable
from typing import Any

Rows = list[dict[str, Any]]
YARDSTICKS = ("skfact", "norm(A)", "batched eigh", "dense", "scipy.fft")


def section(
    question: str, answer: str, figure: tuple[str, str, str], limits: str, *folded: list[str]
) -> list[str]:
    """One question; `figure` is its name, its alternative text and its caption."""
    name, alt, caption = figure
    lines = [question, "-" * len(question), "", answer, ""]
    lines += [f".. figure:: /generated/benchmark_{name}.svg", "   :width: 760px"]
    lines += ["   :figclass: benchmark"]
    lines += [f"   :alt: {alt}", "", f"   {caption}", ""]
    return lines + [limits, "", *(line for block in folded for line in block)]


def fold(title: str, *text: str, table: list[str] | None = None) -> list[str]:
    """Paragraphs and a table that are shown when their title is clicked."""
    lines = [line for paragraph in text for line in (paragraph, "")] + (table or [])
    return [f".. dropdown:: {title}", "", *(f"   {line}".rstrip() for line in lines), ""]


def table(head: list[Any], rows: Iterable[list[Any]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *rows]:
        row = ["–" if cell == "-" else cell for cell in row]  # a hyphen alone is a list
        lines += [f"   {'*' if i == 0 else ' '} - {cell}".rstrip() for i, cell in enumerate(row)]
    return [*lines, ""]


def measured(results: dict[str, Any]) -> str:
    """When and where, for a caption."""
    return f"Measured on {results['date']}: {results['cpu']}, {results['cores']} cores."


def how(results: dict[str, Any], *text: str) -> list[str]:
    """When, where and with what, folded."""
    named = [f"{name} {version}" for name, version in results.get("versions", {}).items()]
    machine = f"{measured(results)[:-1]}, {', '.join([results['system'], *named])}."
    return fold("How it was measured", machine, *text)


def cells(rows: Rows, *names: str) -> dict[tuple[Any, ...], dict[str, dict[str, Any]]]:
    """The rows by their values of these names, then by contender."""
    found: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), {})[row["contender"]] = row
    return found


def fastest(found: dict[str, dict[str, Any]], library: str = "") -> tuple[str, float] | None:
    """The fastest contender of a library and its time; without a library, the fastest peer."""
    ms = {
        name: row["ms"]
        for name, row in found.items()
        if row["ms"] and name.startswith(library or "") and (library or not yardstick(name))
    }
    return min(ms.items(), key=lambda item: item[1]) if ms else None


def yardstick(name: str) -> bool:
    return name.startswith(YARDSTICKS)


def matrix_order(matrix: str, *sizes: int) -> tuple[int, ...]:
    return ["Hadamard", "butterfly", "DFT", "noisy", "Gaussian"].index(matrix), *sizes


def between(values: Iterable[float]) -> str:
    """The smallest to the largest value."""
    found = sorted(values)
    low, high = short(found[0]), short(found[-1])
    return low if low == high else f"{low} to {high}"


def listed(words: Iterable[str]) -> str:
    """Words with commas, and "and" before the last."""
    found = list(words)
    return " and ".join(filter(None, [", ".join(found[:-1]), found[-1]]))


def short(value: float | None) -> str:
    """Two or three digits, without exponents."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2g}"


def three(value: float) -> str:
    """Three digits or more."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def time_of(ms: float) -> str:
    """A time with its unit."""
    if ms >= 1000:
        return f"{ms / 1000:.2g} s" if ms < 10_000 else f"{ms / 1000:.3g} s"
    return f"{three(ms)} ms" if ms >= 0.1 else f"{three(1000 * ms)} µs"
