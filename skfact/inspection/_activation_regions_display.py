"""Activation regions against linear regions of a ReLU network, drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact._checks import check_number
from skfact.inspection._matplotlib import Display, counted, is_dark
from skfact.inspection._plane_regions import Layers, line_regions, plane_regions
from skfact.relu import canonical_form
from skfact.relu._networks.readers import read_layers
from skfact.relu._networks.samples import inputs_of

LARGEST_MARGIN = 1e9  # where rounding leaves nothing of the points
BEND, BEND_ON_DARK, SWITCH = "#202020", "#f0f0f0", "#d62728"


class ActivationRegionsDisplay(Display):
    """Where neurons of a ReLU network switch, and where its gradient really changes.

    The network is looked at on the line through two points, or in the plane through three. Where a
    neuron switches, an *activation region* ends. Often the gradient changes there, and a *linear
    region* ends, too: a dark boundary. Where it does not (behind an outgoing weight of zero, or
    neurons that cancel) the boundary is red and dashed, and the network is the same affine function
    on both sides. Use :meth:`from_network` to create one.

    Parameters
    ----------
    network : network-like of layers
        The network.
    points : array-like of shape (2, n_features) or (3, n_features)
        Points on the line, or in the plane: three points not on a line. Of a pipeline, as its
        `predict` takes them; line and plane are those through what its earlier steps give.
    margin : float, default=0.5
        How far to look beyond the points, as a part of their distance.
    resolution : int, default=300
        Number of points along each side of the plane. Regions smaller than that are not seen. A
        line is cut exactly.

    Attributes
    ----------
    n_activation_regions, n_linear_regions : int
        Their numbers in the picture.
    cuts : ndarray of shape (n_cuts,)
        On a line: where a neuron switches, 0 being the first point and 1 the second.
    bends : ndarray of bool of shape (n_cuts,)
        On a line: whether the gradient changes there.
    activation_regions, linear_regions : ndarray of int of shape (resolution, resolution)
        In a plane: number of the region of each point of the grid.
    extent : tuple
        Ends of the line, or of the axes of the plane, as ``imshow`` takes them.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.relu.activation_patterns : Which neurons are active on which samples.

    Examples
    --------
    The first two neurons are twins that cancel: they switch at x = 0, and nothing bends there.

    >>> from skfact.inspection import ActivationRegionsDisplay
    >>> network = [[[1, 2, 1]], [[2], [-1], [1]]], [[0, 0, -0.5], [0]]
    >>> display = ActivationRegionsDisplay.from_network(network, [[-1], [1]])
    >>> display.n_activation_regions, display.n_linear_regions
    (3, 2)
    >>> display.cuts, display.bends
    (array([0.5 , 0.75]), array([False,  True]))
    """

    def __init__(
        self, network: Any, points: Any, *, margin: float = 0.5, resolution: int = 300
    ) -> None:
        check_number(margin, "margin", float, 0)
        if margin > LARGEST_MARGIN:
            raise ValueError(f"margin must be at most {LARGEST_MARGIN:g}, got {margin!r}.")
        check_number(resolution, "resolution", int, 2)
        read = read_layers(network, "regions are found layer by layer")
        points = to_numpy(inputs_of(read, points, "points")).astype(np.float64)
        if len(points) not in (2, 3):
            raise ValueError(
                f"points must be 2 points of a line or 3 of a plane, got {len(points)}."
            )
        differences = points[1:] - points[0]
        if np.linalg.matrix_rank(differences) < len(differences):
            where = "equal" if len(points) == 2 else "on one line"
            raise ValueError(f"points are {where}: take others.")
        if read.activation == "identity":
            raise ValueError("network has the identity as activation: it is affine everywhere.")
        arrays = ([to_numpy(a).astype(np.float64) for a in x] for x in (read.weights, read.biases))
        layers = Layers(*canonical_form(tuple(arrays)))  # no product of weights overflows
        self.is_line = len(points) == 2
        if self.is_line:
            self._cut_line(layers, points, margin)
        else:
            self._cut_plane(layers, points, margin, resolution)

    def _cut_line(self, layers: Layers, points: np.ndarray, margin: float) -> None:
        start, step = points[0], points[1] - points[0]
        self.extent: tuple[float, ...] = (-margin, 1 + margin)
        self.cuts, self.bends = line_regions(layers, start, step, self.extent)
        self.n_activation_regions = 1 + len(self.cuts)
        self.n_linear_regions = 1 + int(self.bends.sum())
        # the output between two neighbours is a straight line
        self._positions = np.concatenate([self.extent[:1], self.cuts, self.extent[1:]])
        self._outputs = layers.outputs(start + self._positions[:, None] * step)

    def _cut_plane(self, layers: Layers, points: np.ndarray, margin: float, n: int) -> None:
        # orthonormal axes: distances in the picture are distances of samples
        axes, corner = np.linalg.qr((points[1:] - points[0]).T)
        axes, corner = axes * np.sign(np.diag(corner)), (corner.T * np.sign(np.diag(corner))).T
        self.points = np.concatenate([np.zeros((1, 2)), corner.T])
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        low, high = low - margin * (high - low), high + margin * (high - low)
        s, t = (np.linspace(a, b, n) for a, b in zip(low, high))
        grid = np.stack([np.tile(s, n), np.repeat(t, n)], axis=1)
        frame = np.concatenate([points[:1], axes.T])
        regions = plane_regions(layers, grid, frame)
        self.activation_regions, self.linear_regions = regions
        self.extent = (low[0], high[0], low[1], high[1])
        self.n_activation_regions, self.n_linear_regions = (1 + int(x.max()) for x in regions)

    @classmethod
    def from_network(
        cls,
        network: Any,
        points: Any,
        *,
        margin: float = 0.5,
        resolution: int = 300,
        ax: Any = None,
    ) -> ActivationRegionsDisplay:
        """Draw the regions of a network on a line or in a plane.

        Parameters
        ----------
        network : network-like of layers
            The network.
        points : array-like of shape (2, n_features) or (3, n_features)
            Points on the line, or in the plane.
        margin : float, default=0.5
            How far to look beyond the points, as a part of their distance.
        resolution : int, default=300
            Number of points along each side of the plane.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : ActivationRegionsDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If the network or a parameter is of an unsupported kind.
        ValueError
            If the network is not usable, or the points are not two, nor three that span a plane.
        """
        return cls(network, points, margin=margin, resolution=resolution).plot(ax)

    def plot(self, ax: Any = None) -> ActivationRegionsDisplay:
        """Draw the regions.

        On a line the outputs of the network are drawn, with a dark mark where the gradient changes
        and a red dashed one where a neuron switches and nothing changes. In a plane each linear
        region has one colour (of ten, in turns), and its boundaries are drawn alike.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : ActivationRegionsDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = self._draw_in(ax, *((6.5, 4) if self.is_line else (6, 6)))
        if self.is_line:
            self._plot_line(self.ax_)
        else:
            self._plot_plane(self.ax_, plt)
        activation = counted(self.n_activation_regions, "activation region")
        linear = counted(self.n_linear_regions, "linear region")
        self.ax_.set_title(f"{activation}, {linear}", fontsize="medium")
        bend = plt.Line2D([], [], color=self._bend_colour(), label="the gradient changes")
        text = "a neuron switches, nothing changes"
        switch = plt.Line2D([], [], color=SWITCH, linestyle="--", label=text)
        self._legend_below([bend, switch], drop=0.14, size="small")
        return self

    def _bend_colour(self) -> str:
        return BEND_ON_DARK if is_dark(self.ax_) else BEND

    def _plot_line(self, ax: Any) -> None:
        for t in self.cuts[self.bends]:
            ax.axvline(t, color=self._bend_colour(), linewidth=0.6, alpha=0.5, zorder=0)
        for t in self.cuts[~self.bends]:
            ax.axvline(t, color=SWITCH, linewidth=1.2, linestyle="--", zorder=0)
        ax.plot(self._positions, self._outputs)
        ax.set(xlim=self.extent, xlabel="position on the line (points at 0 and 1)")
        ax.set_ylabel("output" if self._outputs.shape[1] == 1 else "outputs")

    def _plot_plane(self, ax: Any, plt: Any) -> None:
        from matplotlib.colors import to_rgba

        least = 0.0 if is_dark(ax) else 0.45  # darker or lighter than the boundaries
        colours = least + 0.55 * plt.get_cmap("tab10")(self.linear_regions % 10)[..., :3]
        view = {"extent": self.extent, "origin": "lower", "interpolation": "nearest"}
        switch, bend = (_edges(x) for x in (self.activation_regions, self.linear_regions))
        overlay = np.zeros((*switch.shape, 4))
        rows, columns = np.indices(switch.shape)
        dashed = (rows + columns) // 4 % 2 == 0
        overlay[switch & ~bend & dashed] = to_rgba(SWITCH)
        overlay[bend] = to_rgba(self._bend_colour())
        ax.imshow(colours, **view)
        ax.imshow(overlay, **view)
        look = {"color": self._bend_colour(), "markersize": 8, "markeredgewidth": 2}
        ax.plot(*self.points.T, "x", **look)
        ax.set(xlabel="distance along the first axis", ylabel="distance along the second axis")
        ax.set_aspect("equal")


def _edges(image: np.ndarray) -> np.ndarray:
    """Pixels whose right or upper neighbour has another number."""
    found = np.zeros(image.shape, dtype=bool)
    found[:, :-1] |= image[:, 1:] != image[:, :-1]
    found[:-1] |= image[1:] != image[:-1]
    return found
