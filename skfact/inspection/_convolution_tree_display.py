"""Pictures of convolution trees."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact.deep_linear import ConvolutionTree
from skfact.inspection._matplotlib import Display, counted, is_dark

EDGE, COLLIDING = "0.55", "#d62728"
POSITIVE, NEGATIVE = "#1f77b4", "#ff7f0e"
# the box of a kernel, of a signal or an image, and how far it lies below its node
WIDTH, IMAGE_WIDTH, HEIGHT, TOP = 0.84, 0.19, 0.33, 0.33
MOST_NAMED = 12  # leaves of a tree with words in it
LONGEST = 24  # characters of a list of indices
LONGEST_NAME = 4


class ConvolutionTreeDisplay(Display):
    """Picture of a convolution tree: its nodes from the root down, and a kernel on each edge.

    The box on an edge is a signal from its first entry to its last, or an image; marks stand where
    the kernel may be non-zero, and are listed below if there are few leaves. With kernels their
    height, or size, is the magnitude of the values, and orange ones are negative. The title says
    whether the tree is recoverable; if not, the path with two equal sums is red. Use
    :meth:`from_tree` to create one.

    Parameters
    ----------
    tree : ConvolutionTree
        The tree.
    kernels : sequence of arrays of shape (S_e,), default=None
        The values of each kernel on its support.

    Attributes
    ----------
    tree : ConvolutionTree
        The tree.
    kernels : list of ndarray of shape (S_e,), or None
        The values.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.deep_linear.ConvolutionTree : The tree.

    Examples
    --------
    >>> from skfact.deep_linear import ConvolutionTree
    >>> from skfact.inspection import ConvolutionTreeDisplay
    >>> tree = ConvolutionTree([(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 2), (0, 4)], size=8)
    >>> display = ConvolutionTreeDisplay.from_tree(tree)
    >>> display.figure_.get_axes() == [display.ax_]
    True
    """

    def __init__(self, tree: ConvolutionTree, kernels: Sequence[Any] | None = None) -> None:
        if not isinstance(tree, ConvolutionTree):
            raise TypeError(f"tree must be a ConvolutionTree, got {type(tree).__name__}.")
        self.tree = tree
        self.kernels = None
        if kernels is not None:
            self.kernels = [to_numpy(kernel) for kernel in tree._checked_kernels(kernels)]

    @classmethod
    def from_tree(
        cls, tree: ConvolutionTree, kernels: Sequence[Any] | None = None, *, ax: Any = None
    ) -> ConvolutionTreeDisplay:
        """Draw a tree.

        Parameters
        ----------
        tree : ConvolutionTree
            The tree.
        kernels : sequence of arrays of shape (S_e,), default=None
            The values of each kernel on its support.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : ConvolutionTreeDisplay
            The drawn display.
        """
        return cls(tree, kernels).plot(ax)

    def plot(self, ax: Any = None) -> ConvolutionTreeDisplay:
        """Draw the nodes and the kernels.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : ConvolutionTreeDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` is no matplotlib Axes.
        """
        tree = self.tree
        n_leaves = len(tree.leaves)
        self._draw_in(ax, min(max(4.0, 1.0 + 1.7 * n_leaves), 16.0), 1.0 + 0.95 * tree.depth)
        ax = self.ax_
        places, collision = _places(tree), tree.collision()
        red = () if collision is None else tree.paths[tree.leaves.index(collision.leaf)]
        for e, (parent, child) in enumerate(tree.edges):
            (x0, y0), (x1, y1) = places[parent], places[child]
            colour, width = (COLLIDING, 2.0) if e in red else (EDGE, 1.2)
            ax.plot([x0, x1, x1], [y0, y0, y1], color=colour, linewidth=width, zorder=1)
            self._draw_kernel(e, x1, y0 + TOP)
        ground = "#222222" if is_dark(ax) else "white"
        ink = "white" if is_dark(ax) else "black"
        for node, (x, y) in places.items():
            named = n_leaves <= MOST_NAMED
            size = 17 if named else 6
            ax.plot(x, y, "o", color=ground, markeredgecolor=EDGE, markersize=size, zorder=3)
            if named:
                name = _short(str(node), LONGEST_NAME)
                ax.text(x, y, name, ha="center", va="center", fontsize="x-small", color=ink,
                        zorder=4)  # fmt: skip
        ax.set(xlim=(-0.6, n_leaves - 0.4), ylim=(tree.depth + 0.35, -0.35))
        ax.set_axis_off()
        verdict = "recoverable" if collision is None else _why(collision)
        entries = "×".join(map(str, tree._sizes))
        kernels = counted(len(tree.edges), "kernel")
        ax.set_title(f"{kernels} in signals of {entries}: {verdict}", fontsize="medium", color=ink)
        return self

    def _draw_kernel(self, e: int, x: float, y: float) -> None:
        """The box of a kernel, with its top at (x, y), and what it lists."""
        ax, tree = self.ax_, self.tree
        dark = is_dark(ax)
        sizes = tree._sizes
        width = WIDTH if len(sizes) == 1 else IMAGE_WIDTH
        left = x - width / 2
        ax.fill(
            [left, left + width, left + width, left],
            [y, y, y + HEIGHT, y + HEIGHT],
            facecolor="#333333" if dark else "#f4f4f4", edgecolor=EDGE, linewidth=0.8, zorder=2,
        )  # fmt: skip
        values = np.ones(len(tree.supports[e])) if self.kernels is None else self.kernels[e]
        shares = np.abs(values) / (np.max(np.abs(values)) or 1.0)
        colours = [NEGATIVE if np.isrealobj(values) and v < 0 else POSITIVE for v in values]
        if len(sizes) == 1:
            at = left + width * (tree._indices[e][:, 0] + 0.5) / sizes[0]
            ax.vlines(
                at, y + HEIGHT * (1 - shares), y + HEIGHT, colors=colours, linewidth=1.8, zorder=3
            )
        else:
            rows, columns = ((tree._indices[e] + 0.5) / sizes).T
            ax.scatter(
                left + width * columns, y + HEIGHT * rows, s=2 + 10 * shares, c=colours,
                marker="s", linewidths=0, zorder=3,
            )  # fmt: skip
        listed = ", ".join(str(index).replace(" ", "") for index in tree.supports[e])
        if len(tree.leaves) <= MOST_NAMED // 2:
            grey, listed = "0.75" if dark else "0.35", _short(listed, LONGEST)
            ax.text(x + 0.04, y + HEIGHT + 0.03, listed, va="top", fontsize="xx-small", color=grey)


def _places(tree: ConvolutionTree) -> dict[Hashable, tuple[float, int]]:
    """Where each node stands: leaves side by side, the others above the middle of their children.

    Children of one node are neighbours, so that no lines cross.
    """
    children: dict[Hashable, list[Hashable]] = {}
    for parent, child in tree.edges:
        children.setdefault(parent, []).append(child)
    depths: dict[Hashable, int] = {tree.root: 0}
    order, waiting, found = [tree.root], [tree.root], dict[Hashable, tuple[float, int]]()
    column = 0
    while waiting:  # depth first
        node = waiting.pop()
        order.append(node)
        for child in children.get(node, ()):
            depths[child] = depths[node] + 1
        waiting += children.get(node, [])[::-1]
        if node not in children:
            found[node] = (float(column), depths[node])
            column += 1
    for node in reversed(order):
        if node in children:
            middle = float(np.mean([found[child][0] for child in children[node]]))
            found[node] = (middle, depths[node])
    return found


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _why(collision: Any) -> str:
    """In what way two choices of indices have one sum."""
    sums = [" + ".join(map(str, indices)) for indices in (collision.first, collision.second)]
    text = f"not recoverable,\nto leaf {collision.leaf}: {sums[0]} = {sums[1]}"
    short = f"not recoverable,\nas two sums of indices to leaf {collision.leaf} are equal"
    return text if len(text) < 70 else short
