"""The factors of a product, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skfact._backend import is_array_api_obj, to_numpy
from skfact._checks import check_flag, check_number, check_ordered
from skfact._inputs import is_sparse, rectangular, refuse_sparse
from skfact.inspection._cells import image_of, sparse_entries
from skfact.inspection._matplotlib import Display, check_estimator_fitted, counted, is_dark
from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.operators._factors import Factor
from skfact.supports import Chain, FixedMask, KroneckerSparse

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
        The magnitudes of the entries that may be non-zero, one array per factor. They are made
        when they are asked for: a picture does not need them.
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

    @property
    def factors(self) -> list[scipy.sparse.coo_array]:
        """The magnitudes of the entries that may be non-zero, one array per factor."""
        return [sparse_entries(panel.matrix) for panel in self._panels]

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
        check_estimator_fitted(estimator)
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
        check_flag(values, "values")
        check_number(max_pixels, "max_pixels", int, 1)
        n_rows = ceil(len(self._panels) / PER_ROW)
        per_row = ceil(len(self._panels) / n_rows)
        width, height = per_row + (per_row - 1) * GAP, n_rows * ROW
        plt = self._draw_in(ax, INCHES * width + 0.2, INCHES * height + 0.2)
        ax, cmap = self.ax_, _colormap(plt, cmap, is_dark(self.ax_))
        unit = max(max(panel.matrix.shape) for panel in self._panels)
        ax.set_axis_off()
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        size, shaded = self._text_size(width), None
        for index, panel in enumerate(self._panels):
            row, column = divmod(index, per_row)
            x, y = column * (1 + GAP), row * ROW + HEAD
            by_magnitude = values and panel.has_values
            image = _shaded(image_of(panel.matrix, max_pixels, values=by_magnitude))
            high, wide = (max(side / unit, THINNEST) for side in panel.matrix.shape)
            left, top = x + (1 - wide) / 2, y + (1 - high) / 2
            extent = (left, left + wide, top + high, top)
            drawn = ax.imshow(image, extent=extent, cmap=cmap, vmin=0, vmax=1, aspect="equal")
            shaded = drawn if by_magnitude else shaded
            frame = {"fill": False, "edgecolor": "0.6", "linewidth": 0.8, "clip_on": False}
            ax.add_patch(plt.Rectangle((left, top), wide, high, **frame))
            ax.text(x + 0.5, y - 0.05, panel.above, ha="center", va="bottom", fontsize=size)
            ax.text(x + 0.5, y + 1.05, panel.below, ha="center", va="top", fontsize=size)
            if index:
                ax.text(x - GAP / 2, y + 0.5, "×", ha="center", va="center", fontsize=1.8 * size)
        if shaded is not None:
            bar = ax.figure.colorbar(shaded, ax=ax, shrink=0.6, pad=0.02)
            bar.set_label("magnitude / largest\nof the factor", fontsize="small")
            bar.ax.tick_params(labelsize="small")
        if unit > max_pixels:
            cell = ceil(unit / max_pixels)
            text = f"one cell: up to {cell} × {cell} entries"
            look: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 0.83 * size}
            below = {"xytext": (0, -2.6 * size), "textcoords": "offset points"}  # two lines below
            ax.annotate(text, (width, y + 1.05), alpha=0.8, **look, **below)
        return self

    def _text_size(self, width: float) -> float:
        """Small text in points, or smaller where axes of so many units leave less room."""
        from matplotlib.font_manager import FontProperties

        self.ax_.apply_aspect()
        inches = self.ax_.get_window_extent().width / self.ax_.figure.dpi
        unit = 72 * inches / width
        longest = max(
            len(line)
            for panel in self._panels
            for line in panel.above.split("\n")[1:] + panel.below.split("\n")
        )
        usual = float(FontProperties(size="small").get_size_in_points())
        return min(usual, unit * (1 + GAP) / (0.65 * longest), unit * (HEAD - 0.05) / 2.8)


def _numbered(factors: Iterable[Any]) -> list[Panel]:
    """The panels; permutations do not count in the numbering of the factors."""
    panels: list[Panel] = []
    check_ordered(factors, "factors", "a sequence of factors, supports or 2-D arrays")
    for position, factor in enumerate(factors):
        number = 1 + sum(panel.above != "$P$" for panel in panels)
        panels.append(panel_of(factor, f"factors[{position}]", number))
    return panels


def _colormap(plt: Any, cmap: Any, dark: bool) -> Any:
    """The colormap, by default one that stands out from the background."""
    from matplotlib.colors import Colormap, ListedColormap

    if cmap is None:
        blues = plt.get_cmap("Blues_r" if dark else "Blues")
        return ListedColormap(blues(np.linspace(0.25, 1.0, 256)))
    if not isinstance(cmap, str | Colormap):
        raise TypeError(f"cmap must be a name or a Colormap of matplotlib, got {cmap!r}.")
    try:
        return plt.get_cmap(cmap)
    except ValueError as error:
        raise ValueError(f"cmap={cmap!r} is no colormap of matplotlib: {error}") from error


def _shaded(image: np.ndarray) -> np.ndarray:
    """The magnitudes relative to the largest one; infinite ones are as large as can be."""
    image = np.minimum(image, np.finfo(float).max)
    largest = np.nanmax(image, initial=0.0)
    return image / largest if largest > 0 else image


class Panel(NamedTuple):
    """One factor: what is drawn of it, and what is written next to it."""

    matrix: Any  # a pattern, a factor, a mask, or a copy of an array or of a sparse matrix
    has_values: bool  # the magnitudes are those of a factor, not ones that mark a support
    above: str
    below: str


def panel_of(factor: Any, name: str, number: int) -> Panel:
    """Read a factor, a support, a sparse matrix or a mask."""
    label = f"$S_{{{number}}}$"
    pattern = getattr(factor, "pattern", factor)
    if isinstance(pattern, KroneckerSparse):
        label = f"{label}\n{tuple(pattern)}"
    if isinstance(factor, PartialPermutation):
        return Panel(factor, False, "$P$", "permutation" if factor.is_permutation else "selection")
    if isinstance(factor, Factor | KroneckerSparse | FixedMask):
        matrix, count, has_values = factor, factor.nnz, isinstance(factor, Factor)
    else:
        matrix = _own_matrix(factor, name)
        count = matrix.nnz if is_sparse(matrix) else int(np.count_nonzero(matrix))
        has_values = matrix.dtype.kind != "b"
    return Panel(matrix, has_values, label, counted(count, "non-zero").replace(" ", "\n"))


def _own_matrix(matrix: Any, name: str) -> Any:
    """A copy of an array, or of a sparse matrix as COO, on the host."""
    if is_sparse(matrix):
        host = matrix if scipy.sparse.issparse(matrix) else matrix.get()
    else:
        refuse_sparse(matrix, name)
        host = to_numpy(matrix) if is_array_api_obj(matrix) else rectangular(matrix, name)
    if host.ndim != 2 or 0 in host.shape or host.dtype.kind not in "biufc":
        raise ValueError(
            f"{name} must be a factor, a support or a non-empty 2-D array of numbers, got "
            f"{type(matrix).__name__} of shape {host.shape} and dtype {host.dtype}."
        )
    if not scipy.sparse.issparse(host):
        return np.array(host)
    copy = scipy.sparse.coo_array(host, copy=True)
    copy.sum_duplicates()
    return copy
