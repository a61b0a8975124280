"""Draw what skfact does: a dense matrix and the sparse factors that it finds.

`python doc/picture.py` writes `doc/_static/factors.svg`, for the README and the start page.
"""

from pathlib import Path

import numpy as np
from scipy.linalg import hadamard

from skfact.butterfly import butterfly_factorize

OUT = Path(__file__).parent / "_static" / "factors.svg"
COLOURS = {1: "#0072b2", -1: "#e69f00"}  # told apart by the colour-blind, too
CELL, GAP, TOP, FOOT = 5, 26, 34, 30  # pixels


def matrix(values: np.ndarray, x: int) -> str:
    """A square of cells, one path for each sign."""
    size = CELL * len(values)
    drawn = [f'<rect x="{x}" y="{TOP}" width="{size}" height="{size}" fill="#f4f4f4"/>']
    for sign, colour in COLOURS.items():
        cells = (f"M{j} {i}h1v1h-1z" for i, j in np.argwhere(np.sign(values) == sign))
        drawn.append(
            f'<path transform="translate({x} {TOP}) scale({CELL})" fill="{colour}" '
            f'd="{"".join(cells)}"/>'
        )
    return "".join(drawn)


def text(x: float, y: float, words: str, size: int = 15) -> str:
    """Centred words."""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}">{words}</text>'


def draw(A: np.ndarray) -> str:
    """The matrix, its factors, and how many numbers each needs."""
    factors = [factor.toarray() for factor in butterfly_factorize(A).factors]
    size, parts = CELL * len(A), []
    for number, values in enumerate([A, *factors]):
        x = GAP + number * (size + GAP)
        parts.append(matrix(values, x))
        n_numbers = f"{np.count_nonzero(values):,}"
        name = "A" if number == 0 else f'S<tspan dy="4" font-size="11">{number}</tspan>'
        parts.append(text(x + size / 2, TOP - 11, name))
        parts.append(text(x + size / 2, TOP + size + 20, n_numbers, 13))
        if number <= len(factors):
            sign = {0: "=", len(factors): ""}.get(number, "·")
            parts.append(text(x + size + GAP / 2, TOP + size / 2 + 5, sign, 20))
    width = GAP + (len(factors) + 1) * (size + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + size + FOOT}" '
        'font-family="sans-serif" text-anchor="middle" role="img">'
        f"<title>A dense {len(A)} x {len(A)} matrix with {A.size:,} numbers, as the product of "
        f"{len(factors)} factors with {sum(map(np.count_nonzero, factors))}.</title>"
        f'<rect width="100%" height="100%" rx="6" fill="white"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    OUT.write_text(draw(hadamard(32).astype(float)), encoding="utf-8")
    print(f"wrote {OUT}")
