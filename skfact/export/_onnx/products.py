"""Products of one factor with rows or columns, as nodes of an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact.export._onnx.axes import blocks_first, natural, rearranged
from skfact.export._onnx.graph import Graph
from skfact.operators import KroneckerFactor, PartialPermutation, SparseFactor

# Entries of the longest row of a sparse matrix, as a share, above which it is made dense by the
# runtime when it loads the file: about there both take the same time with onnxruntime.
LONGEST_ROW = 1 / 64


def is_matrix(factor: Any) -> bool:
    """Whether rows are best multiplied from the right: by a full matrix, or a diagonal."""
    if isinstance(factor, KroneckerFactor):
        a, b, c, d = factor.pattern
        return a * d == 1 or b * c == 1
    return isinstance(factor, SparseFactor) and not has_short_rows(factor.csr)


def has_short_rows(csr: scipy.sparse.csr_array) -> bool:
    """Whether gathering the entries of all rows pays."""
    return longest_row(csr) <= max(1, LONGEST_ROW * csr.shape[1])


def longest_row(csr: scipy.sparse.csr_array) -> int:
    """Number of entries of the longest row."""
    return int(np.diff(csr.indptr).max())


def multiply_rows(graph: Graph, x: str, factors: Any) -> str:
    """Rows (..., n_in) times factors that are matrices."""
    for factor in reversed(factors):
        if isinstance(factor, SparseFactor):
            x = graph.add("MatMul", x, made_dense(graph, factor.csr.T))
        elif factor.values.shape[2:] == (1, 1):
            x = graph.add("Mul", x, graph.constant(factor.values.ravel()))
        else:
            x = graph.add("MatMul", x, graph.constant(factor.values[0, 0].T))
    return x


def multiply_columns(graph: Graph, x: str, factors: Any) -> str:
    """Factors times columns (n_in, batch); the result is (n_out, batch) when it is reshaped so."""
    stored = natural(factors[-1].shape[1])
    for factor in reversed(factors):
        if isinstance(factor, KroneckerFactor):
            a, b, c, d = factor.pattern
            x = rearranged(graph, x, stored, blocks_first(a, c, d))
            x = multiply_blocks(graph, x, factor.values.reshape(a * d, b, c))
            stored = blocks_first(a, b, d)
            continue
        x = rearranged(graph, x, stored, natural(factor.shape[1]))
        stored = natural(factor.shape[0])
        if isinstance(factor, PartialPermutation):
            x = select(graph, graph.reshape(x, factor.n_in, -1), factor)
        else:
            x = multiply_sparse(graph, x, factor.csr)
    return rearranged(graph, x, stored, natural(factors[0].shape[0]))


def multiply_blocks(graph: Graph, x: str, blocks: np.ndarray) -> str:
    """Blocks (n_blocks, b, c) times the columns of as many parts of x."""
    n_blocks, b, c = blocks.shape
    if b == c == 1:
        return graph.add("Mul", graph.constant(blocks[:, 0]), graph.reshape(x, n_blocks, -1))
    if n_blocks == 1:
        return graph.add("MatMul", graph.constant(blocks[0]), graph.reshape(x, c, -1))
    return graph.add("MatMul", graph.constant(blocks), graph.reshape(x, n_blocks, c, -1))


def multiply_sparse(graph: Graph, x: str, csr: scipy.sparse.csr_array) -> str:
    """A sparse matrix times columns."""
    n_out, n_in = csr.shape
    x = graph.reshape(x, n_in, -1)
    if not has_short_rows(csr):
        return graph.add("MatMul", made_dense(graph, csr), x)
    # all rows get the length of the longest one
    length = max(1, longest_row(csr))
    rows, columns = csr.tocoo().coords
    place = np.arange(csr.nnz) - csr.indptr[rows]
    index, values = np.zeros((n_out, length), np.int32), np.zeros((n_out, 1, length), csr.dtype)
    index[rows, place], values[rows, 0, place] = columns, csr.data
    gathered = graph.add("Gather", x, graph.constant(index), axis=0)
    return graph.add("MatMul", graph.constant(values), gathered)


def made_dense(graph: Graph, matrix: scipy.sparse.sparray) -> str:
    """A constant matrix that is sparse in the file, or dense where that is smaller."""
    coo = matrix.tocoo()
    index = np.stack(coo.coords, axis=1).astype(np.int32)
    if index.nbytes >= matrix.shape[0] * matrix.shape[1] * graph.dtype.itemsize // 2:
        return graph.constant(matrix.toarray())
    places = graph.add("Cast", graph.constant(index), to=graph.int64)
    return graph.add("ScatterND", graph.zeros(*matrix.shape), places, graph.constant(coo.data))


def select(graph: Graph, x: str, factor: PartialPermutation) -> str:
    """Rows of x (n_in, rest) that a selection takes, and zeros."""
    n_out, n_in = factor.shape
    index = factor._host
    if factor._kept == n_out:
        if n_out == n_in:
            return x
        return graph.add("Slice", x, *(graph.integers(k) for k in (0, n_out, 0)))
    if (index < 0).any():  # taken from a row of zeros at the end
        x = graph.add("Pad", x, graph.integers(0, 0, 1, 0))
    return graph.add(
        "Gather", x, graph.constant(np.where(index < 0, n_in, index).astype(np.int32)), axis=0
    )
