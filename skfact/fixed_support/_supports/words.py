"""Components, rows and columns in words."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def abbreviated(indices: Any, longest: int = 6) -> str:
    """Indices as a short text: all of a few, a range, or the first and the last ones."""
    found = [int(i) for i in indices]
    if len(found) <= longest and not (len(found) > 3 and found[-1] - found[0] == len(found) - 1):
        return str(found)
    if all(b - a == 1 for a, b in pairwise(found)):
        return f"[{found[0]}..{found[-1]}]"
    return f"[{', '.join(map(str, found[: longest - 2]))}, ..., {found[-1]}]"


def named(components: Any) -> str:
    """Components by number: "component [1]", "components [0, 2]"."""
    return f"component{'s' * (len(components) != 1)} {abbreviated(components)}"


def in_lines(rows: Any, columns: Any, joint: str = " and ") -> str:
    """Where: "rows [0] and columns [1, 2]"."""
    return f"rows {abbreviated(rows)}{joint}columns {abbreviated(columns)}"
