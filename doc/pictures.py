"""Draw the pictures of the user guide; `python doc/pictures.py` draws the one of the README.

What they show is computed: supports, rectangles, products and gates by skfact, times by the
benchmarks. Each function returns one SVG of 760 pixels in width.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.linalg import hadamard

from skfact.butterfly import butterfly_factorize
from skfact.deep_linear import ConvolutionTree, are_rescalings, rank_one_tensor
from skfact.fixed_support import analyze_supports, rank_one_supports
from skfact.relu import activation_patterns, rescale
from skfact.supports import Chain

ROOT = Path(__file__).parents[1]
WIDTH = 760
# the colours of Okabe and Ito, which the colour-blind tell apart, on white
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#e69f00", "#009e73", "#cc79a7"
INK, GREY, LIGHT, PALE = "#222222", "#8c8c8c", "#d4d4d4", "#f4f4f4"
DIGITS = "₀₁₂₃₄₅₆₇₈₉"


def svg(height: float, title: str, *parts: str) -> str:
    """A picture on a white card, so that it reads on dark pages, too."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'width="{WIDTH}" height="{height:g}" font-family="sans-serif" font-size="14" '
        f'fill="{INK}" text-anchor="middle" role="img"><title>{title}</title>'
        f'<rect width="100%" height="100%" rx="8" fill="white"/>{"".join(parts)}</svg>\n'
    )


def text(x: float, y: float, *lines: str, **style: object) -> str:
    """Lines of words, 19 pixels apart; `style` holds attributes of SVG, `_` for `-`."""
    given = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return "".join(
        f'<text x="{x:g}" y="{y + 19 * number:g}"{given}>{line}</text>'
        for number, line in enumerate(lines)
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = INK, width: float = 1.5) -> str:
    return (
        f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{colour}" stroke-width="{width:g}" '
        'fill="none"/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """An arrow along an axis."""
    dx, dy = 7 * np.sign(x2 - x1), 7 * np.sign(y2 - y1)
    head = f"M{x2:g} {y2:g}l{-dx - dy / 2:g} {-dy - dx / 2:g}l{dy:g} {dx:g}z"
    return line(x1, y1, x2 - dx / 2, y2 - dy / 2) + f'<path d="{head}"/>'


def box(x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="1.5"/>'
    )


def cells(
    x: float,
    y: float,
    cell: float,
    shape: Sequence[int],
    coloured: Iterable[tuple[np.ndarray, str]],
    outline: str = "h.9v.9h-.9z",
) -> str:
    """A matrix: one path for each mask; later ones hide earlier ones."""
    drawn = [
        f'<rect x="{x:g}" y="{y:g}" width="{cell * shape[1]:g}" height="{cell * shape[0]:g}" '
        f'fill="{PALE}"/>'
    ]
    for mask, colour in coloured:
        path = "".join(f"M{j} {i}{outline}" for i, j in np.argwhere(mask))
        drawn.append(
            f'<path transform="translate({x:g} {y:g}) scale({cell:g})" fill="{colour}" d="{path}"/>'
        )
    return "".join(drawn)


def where(shape: Sequence[int], rows: object, columns: object) -> np.ndarray:
    """Mask of some rows and columns."""
    mask = np.zeros(shape, dtype=bool)
    mask[np.ix_(np.atleast_1d(rows), np.atleast_1d(columns))] = True
    return mask


def factors() -> str:
    """A Hadamard matrix beside the factors that are found, with their numbers of entries."""
    A = hadamard(32).astype(float)
    found = [factor.toarray() for factor in butterfly_factorize(A).factors]
    cell, gap, top, parts = 3, 26, 34, []
    size = cell * len(A)
    for number, values in enumerate([A, *found]):
        x = gap + number * (size + gap)
        signs = [(values > 0, BLUE), (values < 0, ORANGE)]
        parts += [
            cells(x, top, cell, A.shape, signs, "h1v1h-1z"),
            text(x + size / 2, top - 11, f"S{DIGITS[number]}" if number else "A"),
            text(x + size / 2, top + size + 20, f"{np.count_nonzero(values):,}"),
        ]
        if number < len(found):
            sign = "·" if number else "="
            parts.append(text(x + size + gap / 2, top + size / 2 + 6, sign, font_size=20))
    n_numbers = sum(map(np.count_nonzero, found))
    title = f"A matrix of {A.size:,} numbers as a product of factors with {n_numbers}."
    return svg(top + size + 32, title, *parts)


def butterfly() -> str:
    """Blocks of rank one of a matrix, and the entries of the factors that they become."""
    chain = Chain.butterfly(8)
    rest = chain[1].product(chain[2])
    steps = [
        (("A", "S₁", "R"), np.ones((8, 8), dtype=bool), chain[0].mask(), rest.mask()),
        (("R", "S₂", "S₃"), rest.mask(), chain[1].mask(), chain[2].mask()),
    ]
    words = [
        (
            "Two rows, four apart, in half of",
            "the columns: a block of rank one,",
            "2 numbers in S₁ times 4 in R.",
            "So are the other seven blocks.",
        ),
        (
            "R has smaller blocks of rank one:",
            "2 numbers in S₂ times 2 in S₃.",
            "Together: A = S₁ · S₂ · S₃,",
            f"{chain.nnz} numbers in place of 64.",
        ),
    ]
    cell, gap, parts = 16, 36, []
    for step, (names, *masks) in enumerate(steps):
        top = 34 + 184 * step
        blocks = rank_one_supports(*masks[1:])
        for place, (name, mask) in enumerate(zip(names, masks)):
            x = 24 + place * (8 * cell + gap)
            coloured = [(mask, LIGHT)]
            for block, colour in zip((blocks[0], blocks[-1]), (BLUE, ORANGE)):
                rows = block.components if place == 2 else block.rows
                columns = block.components if place == 1 else block.columns
                coloured.append((where((8, 8), rows, columns), colour))
            parts += [
                cells(x, top, cell, (8, 8), coloured),
                text(x + 4 * cell, top - 10, name, font_size=16),
                text(x - gap / 2, top + 4 * cell + 6, ("", "=", "·")[place], font_size=20),
            ]
        parts.append(text(510, top + 36, *words[step], text_anchor="start"))
    return svg(366, "Blocks of rank one become entries of two factors, and again.", *parts)


def supports() -> str:
    """Two masks and the rectangles of their components: which can be solved exactly."""
    halves = [(range(5), range(3)), (range(5, 8), range(3, 8))]
    top = (range(2), range(8))
    stacked = [top, top, (range(8), range(4)), (range(8), range(4, 8))]
    crossing = [(range(5), range(5)), (range(3, 8), range(3, 8))]
    panels = [
        ("Disjoint", halves, (BLUE, ORANGE), "one SVD for each rectangle"),
        ("Grey is complete", stacked, (GREY, GREY, BLUE, ORANGE), "others first, grey repairs"),
        ("Overlapping", crossing, (BLUE, ORANGE), "steps in turns, no guarantee"),
    ]
    parts = []
    for number, (name, rectangles, colours, how) in enumerate(panels):
        left, right = np.zeros((8, len(rectangles)), bool), np.zeros((len(rectangles), 8), bool)
        for k, (rows, columns) in enumerate(rectangles):
            left[list(rows), k] = right[k, list(columns)] = True
        middle = 127 + 253 * number
        exact = analyze_supports(left, right).is_tractable
        parts += [
            masks_and_product(middle - 32, 134, left, right, colours),
            text(middle, 28, name, font_size=16, font_weight="bold"),
            text(middle, 290, "exact, in closed form" if exact else "no closed form known", how),
        ]
    title = "Rectangles of two masks: disjoint, beside a complete class, overlapping."
    return svg(328, title, *parts)


def masks_and_product(
    x: float, y: float, left: np.ndarray, right: np.ndarray, colours: Sequence[str]
) -> str:
    """The product at (x, y), the left mask beside it and the right one above it."""
    cell, gap, parts = 16, 10, []
    side = cell * len(right)  # of the masks, along the components
    at_left, above = x - gap - side, y - gap - side
    own = [np.outer(left[:, k], right[k]) for k in range(len(right))]
    # where two components meet, the later one leaves a half of the cell to the earlier one
    met = [np.any([np.zeros((8, 8), bool), *own[:k]], axis=0) for k in range(len(own))]
    parts.append(cells(x, y, cell, (8, 8), []))
    for k, colour in enumerate(colours):
        place = (x, y, cell, (0, 0))
        parts += [
            cells(at_left + cell * k, y, cell, (8, 1), [(left[:, [k]], colour)]),
            cells(x, above + cell * k, cell, (1, 8), [(right[[k]], colour)]),
            cells(*place, [(own[k] & ~met[k], colour)]),
        ]
        if colours.index(colour) == k:  # equal ones are one class
            parts.append(cells(*place, [(own[k] & met[k], colour)], "h.9l-.9 .9z"))
    parts += [text(at_left - 12, y + 70, "I"), text(x + 142, above + side / 2 + 5, "J")]
    return "".join(parts)


def deep_linear() -> str:
    """Samples through sparse layers to outputs: what is given, chosen and learned."""
    chain, parts = Chain.butterfly(8), []
    top, step, samples = 62, 20, np.ones((12, 8), dtype=bool)
    one = where(samples.shape, 4, range(8))
    for x, name in ((24, "X"), (632, "Y")):
        parts += [
            cells(x, top - 8, 13, samples.shape, [(samples, LIGHT), (one, INK)]),
            text(x + 52, 34, name, font_size=16),
            text(x + 52, top + 170, "given", font_weight="bold"),
            text(x + 52, top + 189, "a row for each", "sample"),
        ]
    parts += [arrow(136, top + 51, 182, top + 51), arrow(578, top + 51, 624, top + 51)]
    for layer, (pattern, colour) in enumerate(zip(reversed(chain), (BLUE, ORANGE, GREEN))):
        x = 200 + 120 * layer
        for i, j in np.argwhere(pattern.mask()):
            parts.append(line(x, top + step * j, x + 120, top + step * i, colour, 2))
        parts.append(text(x + 60, 34, f"S{DIGITS[len(chain) - layer]}", font_size=16))
    dots = ((200 + 120 * layer, top + step * i) for layer in range(4) for i in range(8))
    parts += [f'<circle cx="{x}" cy="{y}" r="5"/>' for x, y in dots]
    parts += [
        text(380, top + 170, "chosen: which lines there are", font_weight="bold"),
        text(380, top + 189, "learned: a weight for each, and an offset b"),
        text(380, top + 208, f"{chain.nnz} weights in place of 64"),
    ]
    return svg(288, "Samples go through three sparse layers to outputs.", *parts)


def stable_recovery() -> str:
    """Two kernels and others with the same product: the table of all products decides."""
    h, wide, near = [np.array([1.0, 2]), np.array([1.0, 3])], [(0, 1), (0, 2)], [(0, 1), (0, 1)]
    rows = [("Indices 0, 1 and 0, 2", wide, [2 * h[0], h[1] / 2]),
            ("Indices 0, 1 and 0, 1", near, h[::-1])]  # fmt: skip
    parts = [
        text(130, 28, "kernels and the table", "of their products"),
        text(368, 28, "other kernels,", "and their table"),
        text(620, 28, "what is seen:", "their convolution"),
    ]
    for number, (name, supports, g) in enumerate(rows):
        tree, top = ConvolutionTree([(0, 1), (1, 2)], supports, 4), 146 + 178 * number
        sums = np.add.outer(*supports)
        seen = tree.product(h)[: np.max(sums) + 1]
        assert np.array_equal(seen, tree.product(g)[: len(seen)])
        for x, kernels in ((96, h), (334, g)):
            parts.append(_table(x, top, kernels, sums))
        same = are_rescalings(h, g)
        parts += [
            text(232, top + 48, "=" if same else "≠", font_size=24),
            text(24, top - 60, name, text_anchor="start", font_weight="bold"),
            arrow(448, top + 40, 500, top + 40),
        ]
        left = 620 - 20 * len(seen)
        for i, value in enumerate(seen[:, 0]):
            parts.append(_number(left + 40 * i, top + 20, value, i))
        words = "one table: determined," if same else "two tables: not determined,"
        more = "up to a number" if same else "as two cells are added up"
        parts.append(text(620, top + 88, words, more))
    return svg(446, "The table of the products of two kernels, and what is seen of it.", *parts)


def _table(x: float, y: float, kernels: Sequence[np.ndarray], sums: np.ndarray) -> str:
    """Products of the entries of two kernels, which stand beside and above it."""
    table = rank_one_tensor(kernels)
    parts = [_number(x + 40 * j, y + 40 * i, table[i, j], sums[i, j]) for i, j in np.ndindex(2, 2)]
    for k, (one, two) in enumerate(zip(*kernels)):
        parts += [
            text(x - 20, y + 25 + 40 * k, f"{one:g}"),
            text(x + 19 + 40 * k, y - 9, f"{two:g}"),
        ]
    parts += [
        text(x - 48, y + 46, "h₁", fill="#6b6b6b"),
        text(x + 39, y - 31, "h₂", fill="#6b6b6b"),
    ]
    return "".join(parts)


def _number(x: float, y: float, value: float, place: int) -> str:
    """A cell in the colour of its place in the convolution."""
    colour = (BLUE, ORANGE, GREEN, PINK)[place]
    ink = "white" if colour == BLUE else INK
    return box(x, y, 38, 38, colour) + text(x + 19, y + 25, f"{value:g}", fill=ink, font_size=16)


def network(left: float, coefs: Sequence[np.ndarray], on: Sequence[np.ndarray], title: str) -> str:
    """Layers of neurons, on or off, with the path through the first ones and its product."""
    names = (("x₁", "x₂"), ("h₁", "h₂", "h₃"), ("g₁", "g₂"), ("f",))
    heights = ((97, 159), (66, 128, 190), (97, 159), (97,))
    place = [[(left + 45 + 96 * layer, y) for y in row] for layer, row in enumerate(heights)]
    lines, path, circles = [], [], []
    for layer, coef in enumerate(coefs):
        for i, j in np.ndindex(coef.shape):
            lines.append(line(*place[layer][i], *place[layer + 1][j], LIGHT))
        (x1, y1), (x2, y2) = place[layer][0], place[layer + 1][0]
        weight, bold = f"{coef[0, 0]:g}", {"font_size": 16, "font_weight": "bold"}
        path.append(line(x1, y1, x2, y2, BLUE, 4))
        path.append(text((x1 + x2) / 2, (y1 + y2) / 2 - 9, weight, **bold))
    for layer, row in enumerate(place):
        for (x, y), name, active in zip(row, names[layer], on[layer]):
            style = f'stroke="{INK}"' if active else f'stroke="{GREY}" stroke-dasharray="4 3"'
            fill, ink = ("#cfe4f2", INK) if active else ("white", "#6b6b6b")
            circles.append(f'<circle cx="{x:g}" cy="{y:g}" r="16" fill="{fill}" {style}/>')
            circles.append(text(x, y + 5, name, fill=ink))
    values = [coef[0, 0] for coef in coefs]
    product = f"{' · '.join(f'{value:g}' for value in values)} = {np.prod(values):g}"
    under = text(left + 190, 238, f"Φ of the blue path = {product}")
    head = text(left + 190, 28, title, font_size=16, font_weight="bold")
    return "".join([*lines, *path, *circles, under, head])


def relu() -> str:
    """A path through a network, its gates, and the same path after a neuron is rescaled."""
    coefs = [np.array([[2.0, -1, 1], [1, 1, -2]]), np.array([[1, -1], [-0.5, 1], [1, 1]])]
    coefs, zeros = [*coefs, np.array([[3.0], [1]])], [np.zeros(3), np.zeros(2), np.zeros(1)]
    gates = np.split(activation_patterns((coefs, zeros), np.ones((1, 2)))[0], [3])
    same, _ = rescale((coefs, zeros), [np.array([2.0, 1, 1]), np.ones(2)])
    slopes = (coefs[0] * gates[0] @ (coefs[1] * gates[1]) @ coefs[2])[:, 0]
    on = [(True, True), *gates, (True,)]
    words = (
        "Filled neurons are active at x = (1, 1). Dashed ones are off: their paths do not count.",
        f"A path from each input is left: f(x) = {slopes[0]:g} · x₁ + {slopes[1]:g} · x₂ in both.",
    )
    return svg(
        304,
        "A path of a ReLU network, before and after a neuron is rescaled.",
        network(0, coefs, on, "a network"),
        network(380, same, on, "the same, h₁ rescaled by 2"),
        text(380, 268, *words),
    )


def first_use() -> str:
    """Seconds until the first result: once, and in each process after that."""
    results = json.loads((ROOT / "benchmarks" / "results" / "butterfly.json").read_text("utf-8"))
    steps = {"import": BLUE, "first fit": ORANGE, "first transform": GREEN}
    left, scale, parts = 150, 21, []
    for y, key, name in ((58, "cold", "first time"), (128, "warm", "each process after")):
        x, taken = left, results["first use"][key]
        parts.append(text(left - 12, y + 23, name, text_anchor="end"))
        for step, colour in steps.items():
            parts.append(box(x, y, scale * taken[step], 34, colour))
            x += scale * taken[step]
        told = f"{sum(taken.values()):.1f} s"
        parts.append(text(x + 8, y + 23, told, text_anchor="start", font_weight="bold"))
    for number, (step, colour) in enumerate(steps.items()):
        x = left + 130 * number
        parts += [box(x, 22, 14, 14, colour), text(x + 20, 34, step, text_anchor="start")]
    taken = results["first use"]["cold"]
    middle = left + scale * (taken["import"] + taken["first fit"] / 2)
    parts += [
        text(middle, 81, f"compiles: {taken['first fit']:.0f} s"),
        arrow(middle, 94, middle, 124),
        text(middle, 142, "kept on disk, and read from there"),
    ]
    (row,) = (
        row
        for row in results["scaling"]
        if (row["matrix"], row["n"], row["threads"], row["contender"])
        == ("Hadamard", 1024, 1, "skfact")
    )
    parts += [
        text(left - 12, 201, "each call after", text_anchor="end"),
        line(left + 1, 183, left + 1, 213, ORANGE, 2),
        text(left + 12, 201, f"{row['ms']:.1f} ms", text_anchor="start", font_weight="bold"),
        text(
            left + 72,
            201,
            "to factor a 1,024 x 1,024 Hadamard matrix, one thread",
            text_anchor="start",
        ),
    ]
    return svg(228, "Seconds until the first result, the first time and later.", *parts)


def which_tool() -> str:
    """Questions from the top to the bottom, each with the call to make if the answer is yes."""
    questions = [
        ("Supports, but no matrix yet?",),
        ("A ReLU network?",),
        ("Samples X and targets Y?",),
        ("A table with missing entries?",),
        ("Two factors, and you know", "where they have to be zero?"),
        ("A transform, or a fitted map", "with blocks of low rank?"),
        ("A matrix, and only how many", "numbers the factors may have?"),
    ]
    calls = [
        ("analyze_supports", "closedness, is_closable"),
        ("skfact.relu", "norms, distances, pruning, rounding"),
        ("SparseDeepLinearNet", "beside Ridge in one search"),
        ("FixedSupportMF(missing_values=...)", "beside an imputer; hide entries to choose"),
        ("FixedSupportMF", "fixed_support_factorize for a matrix"),
        ("butterfly_factorize", "ButterflyFactorizer in a pipeline"),
        ("hierarchical_palm", "palm4msa for all factors at once"),
    ]
    parts, height = [], 66
    for number, (question, (call, beside)) in enumerate(zip(questions, calls)):
        y = 16 + number * height
        parts += [
            box(24, y, 300, 46, "#fdf3dc", ORANGE),
            text(174, y + 38 - 9 * len(question), *question),
            arrow(324, y + 23, 408, y + 23),
            text(362, y + 16, "yes"),
            box(410, y, 326, 46, "#dcecf6", BLUE),
            text(573, y + 20, call, font_weight="bold"),
            text(573, y + 39, beside),
            arrow(174, y + 46, 174, y + height),
            text(190, y + height - 5, "no"),
        ]
    y = 16 + len(calls) * height
    parts += [
        box(24, y, 712, 46, PALE, GREY),
        text(380, y + 20, "Nothing here", font_weight="bold"),
        text(380, y + 39, "Keep the dense matrix, its largest entries, or a truncated SVD."),
    ]
    return svg(y + 62, "Which tool: questions, and the call that follows from each.", *parts)


PICTURES = (butterfly, supports, deep_linear, stable_recovery, relu, first_use, which_tool)


def write(folder: Path) -> None:
    """Draw those of the user guide."""
    for draw in PICTURES:
        (folder / f"picture_{draw.__name__}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    out = ROOT / "doc" / "_static" / "factors.svg"
    out.write_text(factors(), encoding="utf-8")
    print(f"wrote {out}")
