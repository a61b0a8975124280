"""
================================================
When gradient descent is trapped: two landscapes
================================================

Fix where two factors may be non-zero, and fit a matrix by their product. For some supports the
best factors come from a few singular value decompositions. For others the loss has *spurious
valleys*, from which no path leads down to the optimum, or spurious local minima, where gradient
descent ends. This example draws one of each, on matrices of size 2 and 3.

Both are masked rank-one approximations in disguise: one component is dense, and a second one
reaches a single entry, so that this entry never counts.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause
# sphinx_gallery_thumbnail_number = 2

import matplotlib.pyplot as plt
import numpy as np

from skfact.fixed_support import closedness, hardness_instance

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def gradient_descent(A, observed, x, y, step, n_steps):
    """All iterates for the masked loss; `x` (n_starts, m) and `y` (n_starts, n) are the starts."""
    xs, ys, losses = [], [], []
    for _ in range(n_steps):
        R = observed * (A - x[:, :, None] * y[:, None, :])  # (n_starts, m, n)
        xs.append(x)
        ys.append(y)
        losses.append((R**2).sum(axis=(1, 2)))
        x, y = (
            x + 2 * step * np.einsum("smn,sn->sm", R, y),
            y + 2 * step * np.einsum("smn,sm->sn", R, x),
        )
    return np.array(xs), np.array(ys), np.array(losses)


def best_y(A, observed, x):
    """The best `y` for given `x` (..., m): one least-squares problem per column of A."""
    weight = np.einsum("mn,...m->...n", observed, x**2)
    return np.einsum("mn,...m->...n", observed * A, x) / weight


def best_loss(A, observed, x):
    """Smallest masked loss over `y` for given `x` (..., m)."""
    R = observed * (A - x[..., :, None] * best_y(A, observed, x)[..., None, :])
    return (R**2).sum(axis=(-1, -2))


# %%
# A spurious valley
# -----------------
#
# The supports are those of an LU factorization: lower times upper triangular, 2 x 2. The last
# entry of A never counts.

A = np.array([[1.0, 3.0], [3.0, 0.0]])
observed = np.array([[1, 1], [1, 0]])
left, right = hardness_instance(A, observed)
print("left support", left.astype(int).tolist(), " right support", right.astype(int).tolist())

# %%
# The loss does not change when the column x of the dense component is doubled and its row y halved.
# So there is one number to draw, the direction of x, with the best y for each.
#
# On the left the loss falls to 0, where x is parallel to the first column of A. On the right lies a
# second valley. It falls towards 1, the square of the first entry of A, but does not attain it: at
# 90 degrees the first entry of x is zero, so that nothing fits the first row of A, and the loss of
# this single point is 10. Every way out of the valley climbs to at least 10.
#
# The wall between the valleys has no width: gray lines show it for x of length 1 and entries of y
# up to 8 and up to 25. The larger y may be, the thinner the wall, and it is never lower.
#
# Gradient descent started in the valley never leaves it, and has no minimum to converge to: the
# loss creeps towards 1 while the factors grow.

angle = np.radians([40.0, 140.0])
x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
y = best_y(A, observed, x)
scale = np.sqrt(np.linalg.norm(y, axis=1) / np.linalg.norm(x, axis=1))[:, None]
xs, ys, losses = gradient_descent(A, observed, scale * x, y / scale, step=3e-3, n_steps=20_000)
size = np.maximum(np.abs(xs).max(axis=2), np.abs(ys).max(axis=2))
print("loss at the end:", losses[-1].round(4), " largest entry of the factors:", size[-1].round(2))

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
ax = axes[0]
degrees = np.linspace(0, 180, 1801)
degrees = degrees[np.abs(degrees - 90) > 0.05]
direction = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)
reduced = best_loss(A, observed, direction)
for part in (degrees < 90, degrees > 90):
    ax.plot(degrees[part], reduced[part], color="black", label="best y" if part[0] else None)
for bound in (8, 25):
    missing = np.maximum(3 - bound * np.abs(direction[:, 0]), 0)  # of the entry in row 0, column 1
    ax.plot(degrees, reduced + missing**2, color="gray", lw=0.8, zorder=0)
ax.plot([90, 90], [1, 10], ":", color="black")
ax.plot(90, 10, "ko", label="the single point x = (0, 1)")
ax.plot(90, 1, "o", color="black", fillstyle="none")
for start, color, name in [(0, BLUE, "reaches the optimum"), (1, ORANGE, "trapped")]:
    path = np.degrees(np.arctan2(xs[:, start, 1], xs[:, start, 0])) % 180
    ax.plot(path, losses[:, start], color=color, lw=2, label=f"gradient descent: {name}")
    ax.plot(path[0], losses[0, start], "s", color=color)
ax.set(xlabel="direction of x (degrees)", ylabel="loss", title="loss against the direction of x")
ax.set_ylim(-0.5, 16)
ax.legend(fontsize=8)

ax = axes[1]
steps = np.arange(1, len(losses) + 1)
for start, color, name in [(0, BLUE, "optimum"), (1, ORANGE, "trapped")]:
    ax.semilogx(steps, losses[:, start], color=color, label=f"loss ({name})")
    ax.semilogx(steps, size[:, start], "--", color=color, label=f"largest entry ({name})")
ax.axhline(1, color="gray", lw=0.8)
ax.set(xlabel="step of gradient descent", title="falling loss, growing factors", ylim=(-0.5, 12))
ax.legend(fontsize=8)
plt.show()

# %%
# That an infimum may not be attained can be read from the supports.
# :func:`~skfact.fixed_support.closedness` returns the proof: factors that diverge while their
# product converges to a matrix that is no such product.

found = closedness(left, right)
print(found)
for epsilon in (1e-1, 1e-3, 1e-5):
    distance, largest = found.witness.distance(epsilon), found.witness.largest_entry(epsilon)
    print(f"distance to the limit {distance:.0e}, largest entry of the factors {largest:.0e}")

# %%
# A spurious local minimum
# ------------------------
#
# One size larger there is a strict local minimum, up to the scaling of x against y. The best loss
# is now a function on directions in three dimensions, drawn on a disc: the third axis is in the
# middle, directions in the plane of the other two on the rim (opposite points are the same).

A = np.array([[0.0, 3.0, -2.0], [1.0, 3.0, 1.0], [3.0, 0.0, 0.0]])
observed = np.ones((3, 3), dtype=int)
observed[2, 2] = 0

rng = np.random.default_rng(0)
starts = rng.normal(size=(2, 300, 3))
xs, ys, losses = gradient_descent(A, observed, *starts, step=0.01, n_steps=4000)
values, counts = np.unique(losses[-1].round(2), return_counts=True)
for value, count in zip(values, counts, strict=True):
    print(f"{count:4} of 300 starts end at a loss of {value}")

# %%
# Most starts reach the optimum, 13.52; some end in the local minimum, 18.73. The few others follow
# a valley towards 19, which is not attained: it ends in the middle of the disc, where the best loss
# jumps.


def on_disc(x):
    """Directions as points of the disc: the third axis in the middle."""
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    x = np.where(x[..., 2:] < 0, -x, x)
    radius = np.arccos(np.clip(x[..., 2], 0, 1)) / (np.pi / 2)
    around = np.arctan2(x[..., 1], x[..., 0])
    return radius * np.cos(around), radius * np.sin(around)


def from_disc(u, v):
    """The directions of points of the disc; NaN outside of it."""
    radius, around = np.hypot(u, v), np.arctan2(v, u)
    polar = np.where(radius <= 1, radius, np.nan) * np.pi / 2
    return np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1
    )


def draw(ax, u, v, levels):
    filled = ax.contourf(u, v, best_loss(A, observed, from_disc(*np.meshgrid(u, v))), levels)
    fig.colorbar(filled, ax=ax, label="loss with the best y", shrink=0.8)
    for target, color, name in [(13.52, BLUE, "optimum"), (18.73, ORANGE, "local minimum")]:
        ends = np.flatnonzero(np.abs(losses[-1] - target) < 0.01)
        for start in ends[:10]:
            path = np.stack(on_disc(xs[:, start]))
            jump = np.hypot(*np.diff(path)) > 0.5  # through the rim, to the opposite point
            path[:, 1:][:, jump] = np.nan
            ax.plot(*path, color=color, lw=1)
            ax.plot(*path[:, 0], ".", color=color, mec="white", ms=8)
        ax.plot(*on_disc(xs[-1, ends[0]]), "*", color=color, mec="white", ms=16, label=name)
    ax.set(xticks=[], yticks=[], aspect="equal", xlim=u[[0, -1]], ylim=v[[0, -1]])


fig, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
draw(axes[0], np.linspace(-1, 1, 400), np.linspace(-1, 1, 400), np.linspace(13.5, 33, 27))
axes[0].set_title("all directions of x")
axes[0].legend(loc="lower left")
draw(
    axes[1], np.linspace(-0.25, 0.1, 401), np.linspace(-0.12, 0.23, 401), np.linspace(18.7, 21, 24)
)
axes[1].set_title("around the local minimum")
fig.suptitle("The loss, and the ways of gradient descent")
plt.show()
