"""Fast random rotations of any size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import NUMPY
from skfact._checks import check_random_state, positive_int
from skfact._inputs import namespace_dtype
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.supports import KroneckerSparse
from skfact.transforms._flat_blocks import flat_block
from skfact.transforms._flat_radices import flat_radices


def random_rotation(
    n: int, random_state: Any = None, *, dtype: Any = "float64"
) -> FactorizedOperator:
    r"""Draw a fast orthogonal map whose entries are all small, of any size.

    The map is :math:`Q = H D`: random signs D, and an orthogonal H that spreads each entry of a
    vector over all others. For a power of two H is a Hadamard matrix.

    Parameters
    ----------
    n : int
        Number of inputs and of outputs.
    random_state : int, RandomState instance or None, default=None
        Draws the signs.
    dtype : dtype or str, default="float64"
        One of float32, float64, complex64 and complex128; the entries are real in any case.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        The map, with NumPy factors. Its inverse is ``rotation.T``.

    Raises
    ------
    TypeError
        If `n` is no integer, or `dtype` is another one.
    ValueError
        If `n` is less than 1, or `random_state` is none.

    See Also
    --------
    FastRandomProjection : Some coordinates of a rotation, to reduce dimensions.
    skfact.torch.OrthogonalButterfly : A trainable one.

    Notes
    -----
    Q is orthogonal up to rounding, and no entry exceeds :math:`2 / \sqrt n`, whatever n is; up to
    n = 4,096 none exceeds :math:`\sqrt{2 / n}`. All are :math:`\pm 1 / \sqrt n` if n is a product
    of orders of Hadamard matrices up to 64: powers of two, times one odd number up to 15 for each
    factor of 4. Among these are 3,584, 14,336 and 29,568.

    H is a butterfly in mixed radix. With the digits of an index in the radices
    :math:`b_1, ..., b_L`, factor l multiplies each run of the digit l by an orthogonal matrix of
    order :math:`b_l`. That is the one of these which has the smallest entries:

    - a Hadamard matrix, by Paley's constructions and their Kronecker products [1]_;
    - one of order b + 1 without a row and a column, plus a constant;
    - a conference matrix, or the quadratic characters of a field plus a constant;
    - the circulant matrix of (6, 6, -6, 3, 2) / 11;
    - the Hartley transform.

    Every entry of H is a product of one entry of each factor, so that the radices with the smallest
    bound of the entries can be looked for. For some n, as those with a large prime factor, their
    product exceeds n by less than the last radix: vectors are padded with zeros, and blocks that
    reach beyond n leave what is there as it is. The two remain apart, and the map of the first n
    entries is orthogonal. A block larger than 128 is taken only where the entries would exceed
    :math:`2 / \sqrt n`.

    A product with a vector takes n times the sum of the radices. The blocks are kept once for each
    factor if the product of the radices is n, else with as many numbers.

    References
    ----------
    .. [1] R. E. A. C. Paley, "On orthogonal matrices", Journal of Mathematics and Physics 12, 1933.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.transforms import random_rotation
    >>> rotation = random_rotation(3584, random_state=0)
    >>> rotation
    FactorizedOperator(3584 x 3584, 6 factors, nnz=154112, float64)
    >>> x = np.zeros(3584)
    >>> x[7] = 1.0
    >>> y = rotation @ x
    >>> bool(np.allclose(np.abs(y), 1 / np.sqrt(3584)))
    True
    >>> bool(np.allclose(rotation.T @ y, x))
    True
    """
    n = positive_int(n, "n")
    dtype = namespace_dtype(dtype, NUMPY)
    signs = 1.0 - 2.0 * check_random_state(random_state).randint(2, size=n)
    radices = flat_radices(n).radices if n > 1 else ()
    size = math.prod(radices)
    factors: list[Any] = []
    for l, b in enumerate(radices):
        pattern = KroneckerSparse(math.prod(radices[:l]), b, b, math.prod(radices[l + 1 :]))
        factors.append(KroneckerFactor._wrap(blocks(pattern, n, dtype), pattern))
    if size > n:
        factors = [PartialPermutation.crop(n, size), *factors, PartialPermutation.pad(size, n)]
    diagonal = signs.astype(dtype).reshape(n, 1, 1, 1)
    return FactorizedOperator(
        [*factors, KroneckerFactor._wrap(diagonal, KroneckerSparse(n, 1, 1, 1))]
    )


def blocks(pattern: KroneckerSparse, n: int, dtype: Any) -> np.ndarray:
    """Blocks (a, d, b, b) of a factor that leaves alone what is beyond the first n entries."""
    a, b, _, d = pattern
    values = np.broadcast_to(flat_block(b).astype(dtype), (a, d, b, b))
    if a * b * d == n:
        return values
    values = values.copy()
    first = np.arange(a)[:, None] * (b * d) + np.arange(d)  # entry of each block, the others follow
    n_mixed = np.clip(-((first - n) // d), 0, b)  # (a, d)
    for m in np.unique(n_mixed[n_mixed < b]):
        shorter = np.eye(b, dtype=dtype)
        if m:
            shorter[:m, :m] = flat_block(int(m))
        values[n_mixed == m] = shorter
    return values
