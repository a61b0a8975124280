"""What became of one layer, in words."""

from __future__ import annotations

from dataclasses import dataclass

from skfact.butterfly._report.report import FAIR, GOOD

AS_GOOD = 0.98  # share of the error of low rank up to which a structure is worth its name


@dataclass(frozen=True, eq=False)
class CompressedLayer:
    """What became of a layer.

    Parameters
    ----------
    name : str
        Its name in the network.
    shape : (int, int)
        Outputs and inputs.
    structure : str
        What stands in for it.
    numbers_before : int
        Entries of its matrix.
    numbers_after : int
        Numbers that are stored in their place.
    error : float
        Relative error of its outputs on the inputs of the original network, in root mean square
        around their mean, with the structure fitted to these; without inputs, of the entries of
        the matrix.
    low_rank_error : float
        The same of low rank with as many numbers.
    output_error : float or None
        Relative error of its outputs in the compressed network, that of the layers before it
        included; beside their size where they do not vary, infinite where they are zeros and
        others come out. None without inputs.
    effect : float or None
        Squared relative error of the outputs of the network for one of this layer alone, as
        measured on a batch; None where it was not, and all layers count alike.
    nanoseconds_before : float
        Expected time of products with the matrix, with NumPy and 64 rows at a time.
    nanoseconds_after : float
        The same of what stands in for it.

    See Also
    --------
    compress : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.compression import compress
    >>> layer = compress(([np.ones((32, 32))], None), tol=0.01).layers[0]
    >>> layer.structure, layer.numbers_before, layer.numbers_after
    ('rank 1', 1024, 64)
    """

    name: str
    shape: tuple[int, int]
    structure: str
    numbers_before: int
    numbers_after: int
    error: float
    low_rank_error: float
    output_error: float | None
    effect: float | None
    nanoseconds_before: float
    nanoseconds_after: float

    @property
    def speedup(self) -> float:
        """By how much products are expected to be faster with NumPy; below one they are slower.

        Other libraries, such as PyTorch, have times of their own.
        """
        return self.nanoseconds_before / self.nanoseconds_after

    @property
    def is_dense(self) -> bool:
        """Whether it stays a matrix."""
        return self.numbers_after == self.numbers_before

    @property
    def verdict(self) -> str:
        """Whether it was worth it, and beside low rank."""
        if self.is_dense:
            return "kept dense"
        missed = self.error if self.output_error is None else self.output_error
        words = "misses much" if missed > FAIR else "good" if missed <= GOOD else "fair"
        if self.structure.startswith("rank") or self.error > AS_GOOD * self.low_rank_error:
            return words
        return f"{words}, closer than low rank"

    def __str__(self) -> str:
        m, n = self.shape
        head = f"{self.name}, {m} x {n}: "
        if self.is_dense:
            return f"{head}kept dense."
        inherited = "" if self.output_error is None else f", {self.output_error:.2g} in place"
        beside = (
            "" if self.structure.startswith("rank") else f"; low rank: {self.low_rank_error:.2g}"
        )
        return (
            f"{head}{self.structure}, {self.numbers_after} of {self.numbers_before} numbers, error "
            f"{self.error:.2g}{inherited}{beside}; with NumPy about {self.speedup:.2g} times as "
            "fast."
        )


def percent(share: float) -> str:
    """A share as a percentage of two digits, 100 as such."""
    return f"{100 * share:.0f} %" if share > 0.0995 else f"{100 * share:.2g} %"
