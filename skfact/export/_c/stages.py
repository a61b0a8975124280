"""Factors as C: a table of numbers, and loops over a few vectors at a time.

In a tile of LANES vectors, entry j of vector t is at position ``j * LANES + t``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.export._c.literals import table
from skfact.operators import KroneckerFactor, PartialPermutation

LANES = 8  # vectors of a tile: with gcc 12, 4 and 16 are slower
ROWS = 4  # rows of a block that are computed together, in registers


def stage(name: str, factor: Any, real: str) -> str:
    """Tables and a function that multiplies a tile x, giving a tile y."""
    if isinstance(factor, KroneckerFactor):
        return blocks(name, factor, real)
    if isinstance(factor, PartialPermutation):
        return selection(name, factor, real)
    return sparse(name, factor, real)


def blocks(name: str, factor: KroneckerFactor, real: str) -> str:
    """A Kronecker-sparse factor: its blocks a few rows at a time, each by columns."""
    a, b, c, d = factor.pattern
    starts = range(0, b, ROWS)
    values = [factor.values[:, :, j : j + ROWS].swapaxes(2, 3).reshape(a, d, -1) for j in starts]
    whole, rest = divmod(b, ROWS)
    runs = [(whole, ROWS)] * (whole > 0) + [(1, rest)] * (rest > 0)
    return f"""\
/* {a} x {d} blocks of {b} x {c}: entries i, k, l of x (k < {c}) to i, j, l of y (j < {b}) */
{table(f"{name}_values", np.concatenate(values, axis=2), real)}
static void {name}(const {real} *x, {real} *y)
{{
    const {real} *v = {name}_values;
    for (int i = 0; i < {a}; i++) {{
        for (int l = 0; l < {d}; l++) {{
            const {real} *from = x + (i * {c * d} + l) * {LANES};
            {real} *to = y + (i * {b * d} + l) * {LANES};
{"".join(rows_of_blocks(times, n, c, d, real) for times, n in runs)}\
        }}
    }}
}}
"""


def rows_of_blocks(times: int, n: int, c: int, d: int, real: str) -> str:
    """The next n rows of a block, so many times."""
    return f"""\
            for (int j = 0; j < {times}; j++) {{
                {real} sum[{n}][{LANES}] = {{{{0}}}};
                for (int k = 0; k < {c}; k++, v += {n})
                    for (int r = 0; r < {n}; r++)
                        for (int t = 0; t < {LANES}; t++)
                            sum[r][t] += v[r] * from[k * {d} * {LANES} + t];
                for (int r = 0; r < {n}; r++, to += {d} * {LANES})
                    for (int t = 0; t < {LANES}; t++)
                        to[t] = sum[r][t];
            }}
"""


def selection(name: str, factor: PartialPermutation, real: str) -> str:
    """A permutation, or padding with zeros where the index is -1."""
    n_out = factor.shape[0]
    return f"""\
/* entry j of y is entry index[j] of x, or zero where that is -1 */
{table(f"{name}_index", factor._host, "int")}
static void {name}(const {real} *x, {real} *y)
{{
    for (int j = 0; j < {n_out}; j++)
        for (int t = 0; t < {LANES}; t++)
            y[j * {LANES} + t] = {name}_index[j] < 0 ? 0 : x[{name}_index[j] * {LANES} + t];
}}
"""


def sparse(name: str, factor: Any, real: str) -> str:
    """A sparse matrix in compressed rows."""
    csr = factor.csr
    if csr.nnz == 0:  # C has no empty tables
        return selection(name, PartialPermutation(np.full(csr.shape[0], -1), csr.shape[1]), real)
    return f"""\
/* a sparse matrix by rows: row j has the entries from start[j] to start[j + 1] */
{table(f"{name}_values", csr.data, real)}
{table(f"{name}_columns", csr.indices, "int")}
{table(f"{name}_start", csr.indptr, "int")}
static void {name}(const {real} *x, {real} *y)
{{
    for (int j = 0; j < {csr.shape[0]}; j++) {{
        {real} sum[{LANES}] = {{0}};
        for (int e = {name}_start[j]; e < {name}_start[j + 1]; e++)
            for (int t = 0; t < {LANES}; t++)
                sum[t] += {name}_values[e] * x[{name}_columns[e] * {LANES} + t];
        for (int t = 0; t < {LANES}; t++)
            y[j * {LANES} + t] = sum[t];
    }}
}}
"""
