"""C source of operators."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor

import skfact
from skfact._inputs import is_complex_dtype
from skfact.export._c.literals import table
from skfact.export._c.names import check_name
from skfact.export._c.stages import LANES, stage
from skfact.export._numbers import narrowed, real_factors, real_name
from skfact.operators import FactorizedOperator, OperatorSum
from skfact.operators._products import TILES
from skfact.operators._save import path_name, written_whole

TYPES = {"float32": "float", "float64": "double"}


def to_c(
    operator: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    name: str = "apply_operator",
    dtype: Any = None,
) -> str:
    """Write an operator as one file of C99 that needs nothing else.

    Parameters
    ----------
    operator : FactorizedOperator or OperatorSum of shape (n_out, n_in)
        What the function computes: its `apply`. Of a fitted estimator pass `operator_`, and of a
        perceptron with operators in the place of coefficients `coefs_[l].T`, because these are of
        shape (n_in, n_out). Biases and activations are not part of it.
    path : str or path-like, default=None
        Where to write the source, too. An existing file is replaced once the new one is complete.
    name : str, default="apply_operator"
        Name of the function, which is no name of C, its library or common systems. All other
        names in the file begin with it.
    dtype : {"float32", "float64"}, default=None
        Whether to compute in float or double; None is the precision of the operator.

    Returns
    -------
    str
        The source. The function ``void name(const float *x, float *y, size_t batch, float *work)``
        maps `batch` rows of `x` to rows of `y`; `work` is memory for as many numbers as the macro
        ``NAME_WORK`` says. The comment at its beginning shows how to call and to test it.

    Raises
    ------
    TypeError
        If `operator` is no operator, or `name` or `path` of a wrong type.
    ValueError
        If `name` is no C identifier or belongs to C, an entry is not finite or leaves the range of
        `dtype`, or `dtype` is unknown.
    OSError
        If the file cannot be written.

    Notes
    -----
    The numbers are constant tables, written so that each is read back exactly. The function calls
    nothing, allocates nothing and keeps no state: threads may call it at the same time, with a
    `work` each. Eight rows go through all factors together, in loops that compilers turn into
    vector instructions (``-O3 -march=native``); for a single row most of these are idle.

    A complex operator takes and gives complex numbers as C99 stores them, real and imaginary parts
    in turn: of arrays ``z``, ``w`` of ``float complex`` or of C++'s ``std::complex<float>`` pass
    ``(const float *)z`` and ``(float *)w``.

    Examples
    --------
    >>> from scipy.linalg import hadamard
    >>> from skfact.butterfly import butterfly_factorize
    >>> from skfact.export import to_c
    >>> source = to_c(butterfly_factorize(hadamard(8)), name="hadamard_8", dtype="float32")
    >>> [line for line in source.splitlines() if line.startswith("void")]
    ['void hadamard_8(const float *x, float *y, size_t batch, float *work);',
     'void hadamard_8(const float *x, float *y, size_t batch, float *work)']
    """
    if not isinstance(operator, FactorizedOperator | OperatorSum):
        raise TypeError(
            "operator must be a FactorizedOperator or an OperatorSum, got "
            f"{type(operator).__name__}. {remedy(operator)}"
        )
    check_name(name)
    precision = real_name(dtype, operator.dtype)
    target = None if path is None else path_name(path)
    source = source_of(operator.to_device("numpy"), name, precision)
    if target is not None:
        with written_whole(target) as file:
            file.write(source.encode("ascii"))
    return source


def remedy(obj: Any) -> str:
    """What to pass in the place of something that is no operator."""
    if isinstance(obj, MLPClassifier | MLPRegressor):
        return (
            "Of a network pass the map of a layer: coefs_[0].T if that is an operator, as after "
            "compress, else butterfly_factorize(coefs_[0].T)."
        )
    if hasattr(obj, "to_operator"):
        return "Of a PyTorch layer pass its to_operator()."
    if isinstance(obj, BaseEstimator):
        return "Of a fitted estimator pass its operator_."
    return "Of a matrix pass what butterfly_factorize makes of it."


def source_of(operator: Any, name: str, precision: str) -> str:
    """The whole file."""
    real, macro = TYPES[precision], name.upper()
    parts = 2 if is_complex_dtype(operator.dtype) else 1
    n_out, n_in = (parts * n for n in operator.shape)
    terms = [factors_of(term, precision) for term in operator._summands]
    stages, calls, memory = run(terms, name, n_out, n_in, real)
    return "\n".join(
        [
            heading(operator, name, real, macro),
            f"#include <stddef.h>\n\n#define {macro}_N_IN {n_in}\n#define {macro}_N_OUT {n_out}\n"
            f"#define {macro}_WORK {memory}\n\n"
            f"void {name}(const {real} *x, {real} *y, size_t batch, {real} *work);\n\n"
            f"/* {LANES} rows are computed together */\n",
            *stages,
            function(name, real, n_out, n_in, calls),
            self_test(operator, name, real, macro),
        ]
    )


def factors_of(term: FactorizedOperator, precision: str) -> list[Any]:
    """The factors as the compiled loops take them, in real numbers of the precision."""
    fused = term._products.compiled_factors(term.dtype, TILES.cost) or term.factors
    return [in_precision(factor, precision) for factor in real_factors(fused, term.dtype)]


def in_precision(factor: Any, precision: str) -> Any:
    """A factor with numbers of that precision, which must be in its range."""
    if factor.dtype is not None:
        narrowed(factor._array, precision, "operator")
    return factor.astype(precision)


def run(
    terms: list[list[Any]], name: str, n_out: int, n_in: int, real: str
) -> tuple[list[str], str, int]:
    """Functions of all factors, the calls that take a tile through them, and their memory.

    The tile is read to the beginning of the memory and its image is at `result` in the end.
    """
    single = len(terms) == 1
    width = LANES * max(max(factor.shape) for factors in terms for factor in factors)
    # a sum needs the tile again for each term, and a place for what is added up
    tile = 0
    halves = (width, 0) if single else (width, 2 * width)
    total = 3 * width
    stages, calls = [], []
    for number, factors in enumerate(terms):
        source = tile
        for step, factor in enumerate(reversed(factors)):
            called = f"{name}_{step}" if single else f"{name}_{number}_{step}"
            stages.append(stage(called, factor, real))
            target = halves[step % 2]
            calls.append(f"        {called}(work + {source}, work + {target});")
            source = target
        if not single:
            calls.append(
                f"        for (int j = 0; j < {n_out * LANES}; j++)\n"
                f"            work[{total} + j] {'+=' if number else '='} work[{source} + j];"
            )
            source = total
    calls.append(f"        const {real} *result = work + {source};")
    memory = 2 * width if single else total + LANES * n_out
    return stages, "\n".join(calls), memory


def function(name: str, real: str, n_out: int, n_in: int, calls: str) -> str:
    """The function that the file is for: tiles of rows, the last one filled up with zeros."""
    return f"""\
void {name}(const {real} *x, {real} *y, size_t batch, {real} *work)
{{
    while (batch > 0) {{
        const int n = batch < {LANES} ? (int)batch : {LANES};
        if (n < {LANES})
            for (int j = 0; j < {n_in * LANES}; j++)
                work[j] = 0;
        if (n == {LANES}) {{
            for (int j = 0; j < {n_in}; j++)
                for (int t = 0; t < {LANES}; t++)
                    work[j * {LANES} + t] = x[t * {n_in} + j];
        }} else {{
            for (int t = 0; t < n; t++)
                for (int j = 0; j < {n_in}; j++)
                    work[j * {LANES} + t] = x[t * {n_in} + j];
        }}
{calls}
        if (n == {LANES}) {{
            for (int j = 0; j < {n_out}; j++)
                for (int t = 0; t < {LANES}; t++)
                    y[t * {n_out} + j] = result[j * {LANES} + t];
        }} else {{
            for (int t = 0; t < n; t++)
                for (int j = 0; j < {n_out}; j++)
                    y[t * {n_out} + j] = result[j * {LANES} + t];
        }}
        x += n * {n_in};
        y += n * {n_out};
        batch -= (size_t)n;
    }}
}}
"""


def heading(operator: Any, name: str, real: str, macro: str) -> str:
    """What the file is, and how to use it."""
    n_out, n_in = operator.shape
    kind, cast = real, ""
    if is_complex_dtype(operator.dtype):
        kind = "complex numbers, as real and imaginary parts"
        cast = f"""\
 * Of arrays z and w of {real} complex, or of std::complex<{real}>, pass (const {real} *)z and
 * ({real} *)w.
"""
    return f"""\
/* {name}: y = A x for a matrix A of {n_out} x {n_in}, as a product of sparse factors.
 *
 * Made by skfact {skfact.__version__}. Standard C99, also C++; no other file is needed.
 *
 *     static {real} work[{macro}_WORK];
 *     {name}(x, y, batch, work);
 *
 * x has batch rows of {n_in}, and y batch rows of {n_out} {kind}, one after the other.
{cast}\
 * x, y and work must not overlap. Threads may share everything but y and work.
 *
 * Compile with -O3 -march=native. To test it: cc -D{macro}_TEST FILE && ./a.out
 */
"""


def self_test(operator: Any, name: str, real: str, macro: str) -> str:
    """A program that compares one product with what Python computed."""
    n_out, n_in = operator.shape
    x = (np.arange(n_in) % 7 - 3).astype(float)
    y = operator.astype("complex128" if is_complex_dtype(operator.dtype) else "float64").matvec(x)
    with np.errstate(over="ignore"):
        expected = y.view(np.float64).astype(np.float32 if real == "float" else np.float64)
    if not np.isfinite(expected).all():
        return ""
    step = 2 if is_complex_dtype(operator.dtype) else 1
    tolerance = "1e-3f" if real == "float" else "1e-10"
    return f"""\
#ifdef {macro}_TEST
#include <stdio.h>

{table(f"{name}_expected", expected, real)}
int main(void)
{{
    static {real} x[{macro}_N_IN], y[{macro}_N_OUT], work[{macro}_WORK];
    {real} largest = 0, error = 0;
    for (int j = 0; j < {n_in}; j++)
        x[j * {step}] = ({real})(j % 7 - 3);
    {name}(x, y, 1, work);
    for (int j = 0; j < {macro}_N_OUT; j++) {{
        const {real} e = {name}_expected[j], off = y[j] < e ? e - y[j] : y[j] - e;
        largest = e > largest ? e : -e > largest ? -e : largest;
        error = off > error ? off : error;
    }}
    printf("largest entry %g, largest error %g\\n", (double)largest, (double)error);
    return error <= {tolerance} * largest ? 0 : 1;
}}
#endif
"""
