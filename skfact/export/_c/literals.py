"""Numbers as C spells them."""

from __future__ import annotations

import textwrap

import numpy as np


def table(name: str, numbers: np.ndarray, kind: str) -> str:
    """A constant table of float, double or int, whose decimal digits give back each number."""
    suffix = "f" if kind == "float" else ""
    texts = [text + suffix for text in numbers.ravel().astype(str).tolist()]
    lines = textwrap.wrap(", ".join(texts), 96, break_long_words=False, break_on_hyphens=False)
    body = "\n".join(f"    {line}" for line in lines)
    return f"static const {kind} {name}[{numbers.size}] = {{\n{body}\n}};\n"
