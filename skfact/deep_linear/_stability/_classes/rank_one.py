"""Parameters of several factors as rank-one tensors, and which parameters have the same one.

Parameters h = (h_1, ..., h_K) are vectors, of lengths that may differ. They enter a product that is
linear in each of them only through the tensor P(h), with entries prod_k h_k[i_k].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._checks import check_number, check_sequence, require_finite
from skfact._exponents import times_power_of_two
from skfact._inputs import as_floating, dtype_name, namespace_dtype
from skfact._linalg import is_complex

MOST_FACTORS = 64  # axes that an array can have, in NumPy and PyTorch


def rank_one_tensor(h: Sequence[Any]) -> Any:
    """Tensor of all products of entries, one from each parameter vector.

    Parameters
    ----------
    h : sequence of K arrays of shape (S_k,)
        Parameter vectors, real or complex; lengths may differ. Arrays of more dimensions, such as
        the blocks of a Kronecker pattern, are read in C order.

    Returns
    -------
    tensor : array of shape (S_1, ..., S_K)
        ``P(h)[i_1, ..., i_K] = h_1[i_1] * ... * h_K[i_K]``. Intermediate products neither over- nor
        underflow.

    Raises
    ------
    TypeError
        If `h` is no sequence of numeric vectors.
    ValueError
        If a vector is empty, a number or not finite, there are more than 64 vectors, or an entry of
        the tensor is beyond the largest number of its dtype.

    See Also
    --------
    are_rescalings : Whether two parameters have the same tensor.
    factor_distance : How far their classes are apart.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, section 3 (the Segre embedding).

    Examples
    --------
    >>> from skfact.deep_linear import rank_one_tensor
    >>> rank_one_tensor([[1.0, 2.0], [3.0, 4.0, 5.0]])
    array([[ 3.,  4.,  5.],
           [ 6.,  8., 10.]])
    """
    h = read_parameters(h, "h")
    if len(h) > MOST_FACTORS:
        raise ValueError(
            f"h has {len(h)} vectors, and arrays have at most {MOST_FACTORS} axes: compare "
            "parameters with are_rescalings or factor_distance, which need no tensor."
        )
    xp = array_namespace(*h)
    entries = [_binary(x) for x in h]
    tensor, exponent = entries[0]
    for mantissas, exponents in entries[1:]:  # powers of two apart: nothing overflows on the way
        tensor = tensor[..., None] * mantissas
        exponent = exponent[..., None] + exponents
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        tensor = _shifted(tensor, exponent)
    if not bool(xp.all(xp.isfinite(tensor))):
        raise ValueError(
            f"An entry of the tensor is beyond the largest {dtype_name(tensor.dtype)}: divide one "
            "of the vectors of h by a large number, or use are_rescalings or factor_distance, "
            "which do without the tensor."
        )
    return tensor


def are_rescalings(h: Sequence[Any], g: Sequence[Any], rtol: float | None = None) -> bool:
    """Tell whether two parameters have the same rank-one tensor.

    They do if each vector of `h` is a multiple of that of `g` and the multiples have product 1, or
    if both have a zero vector. For a single vector that is equality.

    Parameters
    ----------
    h, g : sequence of K arrays of shape (S_k,)
        Parameter vectors, real or complex, of the same lengths. Arrays of more dimensions, such as
        the blocks of a Kronecker pattern, are read in C order, and compare with arrays of the same
        shape or with vectors.
    rtol : float, default=None
        Tolerance for each vector, relative to its norm, and for each multiple. None is the square
        root of the machine epsilon of the less precise of the two.

    Returns
    -------
    equivalent : bool
        Whether ``P(h) = P(g)``, up to the tolerance; see Notes.

    Raises
    ------
    TypeError
        If an argument is no sequence of numeric vectors, or `rtol` no number.
    ValueError
        If the vectors are not finite or differ in number, length or shape, or `rtol` is negative or
        not finite.

    See Also
    --------
    rank_one_tensor : The tensor.
    factor_distance : How far two classes are apart.

    Notes
    -----
    The multiple l_k is read where g_k is largest. The test is ``||h_k - l_k g_k|| <= rtol ||h_k||``
    for each k, and ``abs(l_1 ... l_K - 1) <= K rtol``, with the logarithm of the product.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import are_rescalings
    >>> h = [np.array([1.0, 2.0]), np.array([3.0, 0.0, -1.0])]
    >>> are_rescalings(h, [-1e150 * h[0], -1e-150 * h[1]])
    True
    >>> are_rescalings(h, [-h[0], h[1]])
    False
    """
    first, second = read_pair(h, g)
    if rtol is None:
        rtol = _precision(h, g) ** 0.5
    check_number(rtol, "rtol", float, 0)
    if not math.isfinite(rtol):
        raise ValueError(f"rtol must be finite, got {rtol!r}.")
    one, two = scaled_units(first), scaled_units(second)
    if one is None or two is None:
        return one is two
    phase: complex = 1.0
    # log2 of the product of the multiples
    size = one.log_sizes - two.log_sizes + sum(one.exponents) - sum(two.exponents)
    for u, v in zip(one.units, two.units):
        ratio = complex(u[np.argmax(np.abs(v))] / v[np.argmax(np.abs(v))])
        multiple = (ratio if is_complex(v) else ratio.real) * v
        if not np.linalg.norm(u - multiple) <= rtol * np.linalg.norm(u):
            return False
        if ratio == 0:
            return len(one.units) * rtol >= 1
        size += math.log2(abs(ratio))
        phase *= ratio / abs(ratio)
    return abs(phase * 2.0 ** min(size, 1000.0) - 1) <= len(one.units) * rtol


class ScaledUnits(NamedTuple):
    """Parameters without a zero vector as ``h_k = units[k] * sizes[k] * 2**exponents[k]``.

    The largest magnitude in each unit vector is one, and sizes are of ordinary magnitude.
    """

    units: list[Any]
    sizes: list[float]
    exponents: list[int]

    @property
    def level(self) -> tuple[float, int]:
        """Largest magnitude in each vector of the normal form: a number, and a power of two."""
        whole, rest = divmod(sum(self.exponents), len(self.units))
        return 2.0 ** ((rest + self.log_sizes) / len(self.units)), whole

    @property
    def log_sizes(self) -> float:
        """log2 of the product of the sizes."""
        return math.fsum(map(math.log2, self.sizes))


def scaled_units(h: Sequence[Any]) -> ScaledUnits | None:
    """The unit vectors of parameters and their sizes; None if a vector is zero."""
    units, sizes, exponents = [], [], []
    for x in h:
        xp = array_namespace(x)
        exponent = math.frexp(largest_part(x))[1]
        x = times_power_of_two(x, -exponent)
        largest = float(xp.max(xp.abs(x)))
        if largest == 0:
            return None
        units.append(x / largest)
        sizes.append(largest)
        exponents.append(exponent)
    return ScaledUnits(units, sizes, exponents)


def normal_form(h: Sequence[Any]) -> list[Any]:
    """The parameters of the same class with equal largest magnitudes; zeros for the zero class.

    It is unique up to signs, or phases, of product one.
    """
    scaled = scaled_units(h)
    if scaled is None:
        return [array_namespace(x).zeros_like(x) for x in h]
    size, exponent = scaled.level
    return [times_power_of_two(size * unit, exponent) for unit in scaled.units]


def read_parameters(h: Any, name: str, most_axes: float = math.inf) -> list[Any]:
    """The vectors of `h`, finite, in one floating dtype of their library; arrays in C order.

    Raises
    ------
    TypeError
        If `h` is no sequence of numeric vectors.
    ValueError
        If there is none, or one is empty, a number, of more axes than that or not finite.
    """
    check_sequence(h, name, "a sequence of parameter vectors, one for each factor")
    if len(h) == 0:
        raise ValueError(f"{name} is empty: pass one parameter vector for each factor.")
    vectors = [as_floating(x, f"{name}[{k}]") for k, x in enumerate(h)]
    for k, x in enumerate(vectors):
        if not 1 <= x.ndim <= most_axes or 0 in x.shape:
            raise ValueError(
                f"{name}[{k}] must be a vector of at least one parameter, got an array of shape "
                f"{tuple(x.shape)}. The parameters of a single factor are a list of one vector."
            )
        require_finite(largest_part(x), f"{name}[{k}]")
    return in_one_dtype([array_namespace(x).reshape(x, (-1,)) for x in vectors])


def read_pair(h: Any, g: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two parameters of the same lengths, on the host, both in float64 or both in complex128.

    Single precision is not enough for differences of what is nearly equal.
    """
    one, two = read_parameters(h, "h"), read_parameters(g, "g")
    sizes, others = ([x.shape[0] for x in vectors] for vectors in (one, two))
    if sizes != others:
        raise ValueError(
            f"h and g must have as many vectors of the same lengths, got lengths {sizes} and "
            f"{others}."
        )
    for k, (x, y) in enumerate(zip(h, g)):
        shapes = [tuple(z.shape) if hasattr(z, "shape") else np.shape(z) for z in (x, y)]
        if shapes[0] != shapes[1] and 1 not in map(len, shapes):
            raise ValueError(
                f"h[{k}] and g[{k}] must have the same shape, or one of them be a vector in C "
                f"order, got {shapes[0]} and {shapes[1]}."
            )
    kind = np.complex128 if any(is_complex(x) for x in (one[0], two[0])) else np.float64
    first, second = ([to_numpy(x).astype(kind) for x in vectors] for vectors in (one, two))
    return first, second


def in_one_dtype(vectors: list[Any]) -> list[Any]:
    """Arrays of one library in the dtype that holds them all."""
    xp = array_namespace(*vectors)
    names = {dtype_name(x.dtype) for x in vectors}
    double = bool(names & {"float64", "complex128"})
    if any(name.startswith("complex") for name in names):
        target = "complex128" if double else "complex64"
    else:
        target = "float64" if double else "float32"
    return [xp.astype(x, namespace_dtype(target, xp), copy=False) for x in vectors]


def _precision(*parameters: Sequence[Any]) -> float:
    """The largest machine epsilon among the vectors, in the dtypes they are given in."""
    dtypes = [as_floating(x, "h").dtype for h in parameters for x in h]
    return max(2.0**-23 if dtype_name(d) in ("float32", "complex64") else 2.0**-52 for d in dtypes)


def largest_part(x: Any) -> float:
    """The largest magnitude of a real or imaginary part: that of an entry could overflow."""
    xp = array_namespace(x)
    if not is_complex(x):
        return float(xp.max(xp.abs(x)))
    parts = float(xp.max(xp.abs(xp.real(x)))), float(xp.max(xp.abs(xp.imag(x))))
    return math.nan if any(map(math.isnan, parts)) else max(parts)


def _binary(x: Any) -> tuple[Any, Any]:
    """Entries as mantissas, with larger part from one to two, and exponents of two, as floats."""
    xp = array_namespace(x)
    size = xp.maximum(xp.abs(xp.real(x)), xp.abs(xp.imag(x))) if is_complex(x) else xp.abs(x)
    exponent = xp.floor(xp.log2(xp.where(size > 0, size, xp.ones_like(size))))
    return _shifted(x, -exponent), exponent


def _shifted(x: Any, exponent: Any) -> Any:
    """x * 2**exponent, for an array of real exponents."""
    if not is_complex(x):
        return times_power_of_two(x, exponent)
    xp = array_namespace(x)
    parts = [times_power_of_two(part(x), exponent) for part in (xp.real, xp.imag)]
    return xp.astype(parts[0], x.dtype) + 1j * xp.astype(parts[1], x.dtype)
