"""
======================================
Which pairs of factors can be trusted?
======================================

Two factors have been fitted to a matrix, or learned from data, and their product is right. May one
look at the factors themselves: name the hidden units, read the filters, compare two trainings? Only
if no other factors have the same product.

The question comes up wherever factors stand for something: loadings of groups of features, the
gains of sensors in front of a blur (self-calibration), stages of a transform. It has an answer
before there are any data: :func:`~skfact.deep_linear.structure_identifiability` asks the structure.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact import SparseDeepLinearNet
from skfact.deep_linear import (
    CirculantFactor,
    StructuredFactor,
    ToeplitzFactor,
    factor_distance,
    structure_identifiability,
)
from skfact.supports import Chain, KroneckerSparse

# %%
# Twelve pairs
# ------------
#
# A *support* or a *mask* says which entries of a factor may be non-zero. In a Toeplitz matrix each
# diagonal holds one number, in a circulant one the diagonals go on around the edge.

n = 8
distance = np.subtract.outer(np.arange(n), np.arange(n))
band, lower, diagonal = np.abs(distance) <= 1, distance >= 0, distance == 0
groups = np.repeat(np.eye(3, dtype=bool), [3, 3, 2], axis=1)
pairs = {
    "column, row": [ToeplitzFactor(n, 1), ToeplitzFactor(1, n)],
    "diagonal, circulant": [diagonal, CirculantFactor(n)],
    "disjoint groups": [np.ones((n, 3), dtype=bool), groups],
    "butterfly": list(Chain.butterfly(n))[:2],
    "Monarch": Chain.for_shape(16, 16, family="monarch"),
    "Monarch, rank 2": Chain.for_shape(16, 16, family="monarch", rank=2),
    "rank 2": Chain.low_rank(n, n, 2),
    "lower, upper": [lower, lower.T],
    "tridiagonal": [band, band],
    "Toeplitz": [ToeplitzFactor(n, n)] * 2,
    "circulant": [CirculantFactor(n)] * 2,
    "diagonal, Toeplitz": [diagonal, ToeplitzFactor(n, n)],
}

# %%
# There are two ways in which a pair can be determined, and neither asks for more than the product.
#
# - *Up to scalars*: only a number can go from one factor to the other.
# - *Up to diagonals*: each inner unit may be scaled; what a column gets, the row after it loses.
#   Factors with the same supports cannot be told apart better than that, and to read them it is
#   enough to bring all columns of the first factor to unit norm.


def verdicts(structure):
    return [
        structure_identifiability(structure, up_to=up_to, random_state=0)
        for up_to in ("scalars", "diagonals")
    ]


found = {name: verdicts(pair) for name, pair in pairs.items()}
short = {"identifiable": "yes", "not identifiable": "no", "undecided": "?"}
print(f"{'pair':20} {'numbers':>8} {'free':>5} {'scalars':>8} {'diagonals':>10}")
for name, (scalars, diagonals) in found.items():
    free = sum(scalars.sizes) - scalars.jacobian_rank
    print(f"{name:20} {sum(scalars.sizes):8} {free:5} {short[scalars.verdict]:>8} "
          f"{short[diagonals.verdict]:>10}")  # fmt: skip

# %%
# *Free* is the number of directions in which the numbers can move without a change of the product,
# near almost all factors; one of them is the scalar. Each pair with its verdict, its entries
# coloured by the number that stands there. "Not all" means that particular factors share their
# product with others, while almost all share it with none near by.

COLORS = {
    "up to scalars": "#009E73",
    "up to diagonals": "#0072B2",
    "not all": "#CC79A7",
    "no": "#D55E00",
    "undecided": "#8c8c8c",
}


def grade(scalars, diagonals):
    answers = scalars.verdict, diagonals.verdict
    if "identifiable" in answers:
        return "up to scalars" if answers[0] == "identifiable" else "up to diagonals"
    if answers[1] == "undecided":
        return "undecided"
    return "not all" if scalars.jacobian_rank == scalars.thresholds[0] else "no"


def drawn(factor):
    """The number of each parameter where it stands, NaN elsewhere."""
    if isinstance(factor, StructuredFactor):
        return factor.matrix(np.arange(1.0, factor.n_parameters + 1))
    mask = factor.mask() if isinstance(factor, KroneckerSparse) else factor
    return np.where(mask, 0.0, np.nan)


def draw(ax, factor, left, unit, color):
    """A factor with its left edge there, halfway up, in a frame."""
    values = drawn(factor)
    height, width = unit * values.shape[0], unit * values.shape[1]
    box = left, left + width, (1 - height) / 2, (1 + height) / 2
    ax.imshow(values, cmap="twilight", vmin=-1, vmax=max(np.nanmax(values), 1) + 1, extent=box)
    frame = plt.Rectangle((left, box[2]), width, height, fill=False, color=color, linewidth=2)
    ax.add_patch(frame)
    return box[1]


figure, axes = plt.subplots(3, 4, figsize=(10, 5.6), layout="constrained")
for ax, (name, pair) in zip(axes.flat, pairs.items(), strict=True):
    kind = grade(*found[name])
    unit = 1 / max(size for factor in pair for size in factor.shape)
    edge = draw(ax, pair[0], 0, unit, COLORS[kind])
    draw(ax, pair[1], edge + 0.12, unit, COLORS[kind])
    ax.set(xlim=(-0.03, 2.15), ylim=(-0.05, 1.05))
    ax.set_axis_off()
    ax.set_title(f"{name}: {kind}", fontsize="medium", color=COLORS[kind])
plt.show()

# %%
# Why
# ---
#
# Each verdict has its reason, in words, and for a "no" two different pairs with one product
# (``second_solution``), which are checked. It also says what learned factors then mean. Four of
# them:

for name, which in (
    ("diagonal, circulant", 0),
    ("tridiagonal", 1),
    ("Toeplitz", 0),
    ("lower, upper", 1),
):
    answer = found[name][which]
    print(f"{name}: {answer.verdict}, up to {answer.up_to}")
    for part, text in (("reason", answer.reason), ("meaning", answer.meaning)):
        print(fill(text, 74, initial_indent=f"  {part:9}", subsequent_indent=" " * 11))
    print()

# %%
# - *Column and row, diagonal and circulant*: every product of a number of one and a number of the
#   other is an entry of its own. All factors are determined, and stably.
# - *Disjoint groups, butterfly, Monarch*: each inner unit has a block of rank one to itself. Rank 2
#   puts two units on the same block, where they can be mixed.
# - *Lower and upper* triangular factors are those of an LU decomposition: unique, once the diagonal
#   of one of them is fixed.
# - *Tridiagonal* factors have 44 numbers for the 34 entries of their product: ten too many, and the
#   scales of inner units explain eight of them.
# - *Circulant* matrices: 8 numbers cannot tell 16.
# - *Toeplitz* factors, and a diagonal before one, leave almost no freedom near a point, but some of
#   them have the product zero: a diagonal with a single entry, say, and the one Toeplitz diagonal
#   that does not pass its row. Here "no" is about particular factors, and the reason says which;
#   whether almost all are determined is undecided, "?".
#
# Two trainings
# -------------
#
# The verdict in practice. :class:`~skfact.deep_linear.SparseDeepLinearNet` learns one pair of each
# kind from 200 noisy samples, from two random starts.

rng = np.random.default_rng(0)
trained = {}
for name in ("diagonal, circulant", "circulant"):
    left, right = (
        f.matrix(rng.standard_normal(n)) if isinstance(f, CirculantFactor) else
        np.diag(rng.uniform(0.5, 2, n)) for f in pairs[name]
    )  # fmt: skip
    X = rng.standard_normal((200, n))
    Y = X @ (left @ right).T + 0.1 * rng.standard_normal((200, n))
    trained[name] = []
    for seed in (0, 3):
        net = SparseDeepLinearNet(pairs[name], max_iter=1000, tol=1e-12, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            trained[name].append(net.fit(X, Y))

print(f"{'':20} {'products differ by':>19} {'factors by':>11}")
for name, (one, other) in trained.items():
    products = np.linalg.norm(one.coef_ - other.coef_) / np.linalg.norm(one.coef_)
    factors = factor_distance(one.parameters_, other.parameters_)
    factors /= factor_distance(one.parameters_, [0 * h for h in one.parameters_])
    print(f"{name:20} {products:19.1g} {factors:11.1g}")

# %%
# Both times the two products agree. The diagonal and the circulant factor are the same in both
# trainings, up to a scalar: they may be read as gains and as a filter, as far as they fit. Two
# circulant factors are an accident of the start: predict with the product.
