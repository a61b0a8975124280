"""The factors of a product, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.utils.validation import check_is_fitted

from skfact._backend import to_numpy
from skfact._checks import check_number
from skfact.inspection._matplotlib import Display
from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.supports import Chain, FixedMask, KroneckerSparse
from skfact.supports._kronecker import places

# In units of the longest side of all factors.
GAP = 0.32  # between two factors: room for the product sign
ROW = 1.64  # from one row of factors to the next: room for the texts
HEAD = 0.3  # above a factor: its name and pattern
THINNEST = 0.03  # a factor with a few columns is drawn at least this wide
PER_ROW = 6
INCHES = 1.5  # length of the unit in a figure of our own


class SupportDisplay(Display):
    """Supports of the factors of a product, drawn side by side.

    Above each factor stands its name and pattern ``(a, b, c, d)``, below it its number of
    non-zeros. All factors are drawn to the same scale. Use
    :meth:`from_estimator`, :meth:`from_operator` or :meth:`from_chain` to create one.

    Parameters
    ----------
    factors : iterable of factors, supports or 2-D arrays
        In the order of the product: what a FactorizedOperator or a Chain is made of, SciPy sparse
        matrices (stored entries are drawn), boolean masks, or dense arrays (non-zeros are drawn).
        Arrays of any library; they are copied to the host.

    Attributes
    ----------
    factors : list of scipy.sparse.coo_array
        The magnitudes of the entries that may be non-zero, one array per factor.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.supports.Chain : Supports that can be factored with guarantees.

    Examples
    --------
    >>> from skfact.inspection import SupportDisplay
    >>> from skfact.supports import Chain
    >>> display = SupportDisplay.from_chain(Chain.butterfly(16))
    >>> len(display.factors), display.figure_.get_axes() == [display.ax_]
    (4, True)
    """

    def __init__(self, factors: Iterable[Any]) -> None:
        self._panels = _numbered(factors)
        if not self._panels:
            raise ValueError("factors is empty; there is nothing to draw.")
        self.factors = [panel.entries for panel in self._panels]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        values: bool = False,
        max_pixels: int = 128,
        cmap: Any = None,
        ax: Any = None,
    ) -> SupportDisplay:
        """Draw the factors of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator with an `operator_`, such as ButterflyFactorizer.
        values : bool, default=False
            Shade each entry by its magnitude, relative to the largest one of its factor.
        max_pixels : int, default=128
            Longest side of a factor in cells; see :meth:`plot`.
        cmap : str or matplotlib Colormap, default=None
            Colours of the magnitudes; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : SupportDisplay
            The drawn display.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no `operator_` once fitted.
        """
        check_is_fitted(estimator)
        operator = getattr(estimator, "operator_", None)
        if not isinstance(operator, FactorizedOperator):
            raise TypeError(
                f"estimator must have an operator_ with sparse factors, such as a fitted "
                f"ButterflyFactorizer; got {type(estimator).__name__}. For a step of a pipeline, "
                "pass the step: pipeline[1], or pipeline.named_steps[...]."
            )
        return cls.from_operator(operator, values=values, max_pixels=max_pixels, cmap=cmap, ax=ax)

    @classmethod
    def from_operator(
        cls,
        operator: FactorizedOperator,
        *,
        values: bool = False,
        max_pixels: int = 128,
        cmap: Any = None,
        ax: Any = None,
    ) -> SupportDisplay:
        """Draw the factors of an operator.

        Parameters
        ----------
        operator : FactorizedOperator
            The operator, in any array library.
        values : bool, default=False
            Shade each entry by its magnitude, relative to the largest one of its factor.
        max_pixels : int, default=128
            Longest side of a factor in cells; see :meth:`plot`.
        cmap : str or matplotlib Colormap, default=None
            Colours of the magnitudes; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : SupportDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If `operator` is not a FactorizedOperator.

        Examples
        --------
        >>> from scipy.linalg import hadamard
        >>> from skfact.butterfly import butterfly_factorize
        >>> from skfact.inspection import SupportDisplay
        >>> operator = butterfly_factorize(hadamard(8))
        >>> display = SupportDisplay.from_operator(operator, values=True)
        >>> [entries.nnz for entries in display.factors]
        [16, 16, 16]
        """
        if not isinstance(operator, FactorizedOperator):
            raise TypeError(
                f"operator must be a FactorizedOperator, got {type(operator).__name__}."
            )
        display = cls(operator.factors)
        return display.plot(values=values, max_pixels=max_pixels, cmap=cmap, ax=ax)

    @classmethod
    def from_chain(
        cls, chain: Chain, *, max_pixels: int = 128, cmap: Any = None, ax: Any = None
    ) -> SupportDisplay:
        """Draw the supports of a chain.

        Parameters
        ----------
        chain : Chain
            The chain; a sequence of KroneckerSparse that is not chainable can be drawn with
            ``SupportDisplay(patterns).plot()``.
        max_pixels : int, default=128
            Longest side of a factor in cells; see :meth:`plot`.
        cmap : str or matplotlib Colormap, default=None
            The supports get its darkest colour; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : SupportDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If `chain` is not a Chain.
        """
        if not isinstance(chain, Chain):
            raise TypeError(f"chain must be a Chain, got {type(chain).__name__}.")
        return cls(chain).plot(max_pixels=max_pixels, cmap=cmap, ax=ax)

    def plot(
        self,
        ax: Any = None,
        *,
        values: bool = False,
        max_pixels: int = 128,
        cmap: Any = None,
    ) -> SupportDisplay:
        """Draw the factors.

        A side of up to `max_pixels` entries is drawn entry by entry. A longer one is drawn in
        `max_pixels` cells, each of which shows the largest magnitude of its entries and is empty
        only if it has none: nothing is lost, and thin diagonals look as thick as a cell. The
        picture says how many entries a cell stands for.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure whose size suits the number of factors.
        values : bool, default=False
            Shade each entry by its magnitude, relative to the largest one of its factor (only the
            product has a scale of its own). Permutations and supports without values stay plain.
        max_pixels : int, default=128
            Longest side of a factor in cells.
        cmap : str or matplotlib Colormap, default=None
            Colours of the magnitudes, from 0 to the largest; its last colour is that of supports
            drawn without values. None is the darker part of "Blues", which stands out from white.

        Returns
        -------
        display : SupportDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            If `max_pixels` is not a positive int.
        """
        check_number(max_pixels, "max_pixels", int, 1)
        n_rows = ceil(len(self._panels) / PER_ROW)
        per_row = ceil(len(self._panels) / n_rows)
        width, height = per_row + (per_row - 1) * GAP, n_rows * ROW
        plt = self._draw_in(ax, INCHES * width + 0.2, INCHES * height + 0.2)
        ax, cmap = self.ax_, _colormap(plt, cmap)
        unit = max(max(panel.entries.shape) for panel in self._panels)
        ax.set_axis_off()
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        shaded = None
        for index, panel in enumerate(self._panels):
            row, column = divmod(index, per_row)
            x, y = column * (1 + GAP), row * ROW + HEAD
            by_magnitude = values and panel.has_values
            image = _shaded(image_of(panel.entries, max_pixels), by_magnitude)
            high, wide = (max(side / unit, THINNEST) for side in panel.entries.shape)
            left, top = x + (1 - wide) / 2, y + (1 - high) / 2
            extent = (left, left + wide, top + high, top)
            drawn = ax.imshow(image, extent=extent, cmap=cmap, vmin=0, vmax=1, aspect="equal")
            shaded = drawn if by_magnitude else shaded
            frame = {"fill": False, "edgecolor": "0.6", "linewidth": 0.8, "clip_on": False}
            ax.add_patch(plt.Rectangle((left, top), wide, high, **frame))
            ax.text(x + 0.5, y - 0.05, panel.above, ha="center", va="bottom", fontsize="small")
            ax.text(x + 0.5, y + 1.05, panel.below, ha="center", va="top", fontsize="small")
            if index:
                ax.text(x - GAP / 2, y + 0.5, "×", ha="center", va="center", fontsize="x-large")
        if shaded is not None:
            bar = ax.figure.colorbar(shaded, ax=ax, shrink=0.6, pad=0.02)
            bar.set_label("magnitude / largest\nof the factor", fontsize="small")
            bar.ax.tick_params(labelsize="small")
        if unit > max_pixels:
            cell = ceil(unit / max_pixels)
            text = f"one cell: up to {cell} × {cell} entries"
            ax.text(width, height, text, ha="right", va="bottom", fontsize="x-small", color="0.35")
        return self


def _numbered(factors: Iterable[Any]) -> list[Panel]:
    """The panels; permutations do not count in the numbering of the factors."""
    panels: list[Panel] = []
    for factor in factors:
        panels.append(panel_of(factor, 1 + sum(panel.above != "$P$" for panel in panels)))
    return panels


def _colormap(plt: Any, cmap: Any) -> Any:
    """The colormap, by default one that stands out from white."""
    from matplotlib.colors import ListedColormap

    if cmap is None:
        return ListedColormap(plt.get_cmap("Blues")(np.linspace(0.25, 1.0, 256)))
    return plt.get_cmap(cmap)


def _shaded(image: np.ndarray, by_magnitude: bool) -> np.ndarray:
    """The magnitudes relative to the largest one, or ones in their place."""
    if not by_magnitude:
        return np.where(np.isnan(image), np.nan, 1.0)
    largest = np.nanmax(image, initial=0.0)
    return image / largest if largest > 0 else image


class Panel(NamedTuple):
    """One factor: its entries that may be non-zero, and what is written next to them."""

    entries: scipy.sparse.coo_array  # magnitudes; an entry that is stored may be non-zero
    has_values: bool  # the magnitudes are those of a factor, not ones that mark a support
    above: str
    below: str


def panel_of(factor: Any, position: int) -> Panel:
    """Read a factor, a support, a sparse matrix or a mask."""
    label = f"$S_{{{position}}}$"
    pattern = getattr(factor, "pattern", factor)
    if isinstance(pattern, KroneckerSparse):
        label = f"{label}\n{tuple(pattern)}"
    if isinstance(factor, PartialPermutation):
        what = "permutation" if factor.is_permutation else "selection"
        return Panel(factor.to_csr().tocoo(), False, "$P$", what)
    entries, has_values = _entries(factor, position)
    return Panel(entries, has_values, label, f"{entries.nnz:,}\nnon-zeros")


def _entries(factor: Any, position: int) -> tuple[scipy.sparse.coo_array, bool]:
    if isinstance(factor, KroneckerSparse):  # without a dense mask
        rows, columns = places(factor)
        marks = np.ones(factor.nnz, dtype=bool), (rows.ravel(), columns.ravel())
        factor = scipy.sparse.coo_array(marks, shape=factor.shape)
    elif hasattr(factor, "to_csr"):
        factor = factor.to_csr()
    elif isinstance(factor, FixedMask):
        factor = factor.mask()
    matrix = factor if scipy.sparse.issparse(factor) else to_numpy(factor)
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "biufc":
        raise ValueError(
            f"factors[{position - 1}] must be a factor, a support or a non-empty 2-D array of "
            f"numbers, got {type(factor).__name__} of shape {matrix.shape} and dtype "
            f"{matrix.dtype}."
        )
    entries = scipy.sparse.coo_array(matrix)
    magnitudes = np.abs(entries.data).astype(float)
    coo = scipy.sparse.coo_array((magnitudes, entries.coords), shape=entries.shape)
    return coo, matrix.dtype.kind != "b"


def image_of(entries: scipy.sparse.coo_array, max_pixels: int) -> np.ndarray:
    """Largest magnitude of each cell of the matrix, NaN where a cell has no entry.

    No side of the image is longer than `max_pixels`: a cell is one entry of a small matrix and a
    rectangle of entries of a large one. Whatever the size, no entry is lost.
    """
    shape = tuple(min(side, max_pixels) for side in entries.shape)
    row, column = (
        place * pixels // side
        for place, pixels, side in zip(entries.coords, shape, entries.shape, strict=True)
    )
    image = np.full(shape, -np.inf)
    np.maximum.at(image, (row, column), entries.data)
    return np.where(image == -np.inf, np.nan, image)
