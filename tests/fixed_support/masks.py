"""Pairs of masks for the tests of this folder."""

import scipy.sparse
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@st.composite
def support_pairs(draw, largest=5, m=None, n=None):
    """Two masks; `m` and `n` fix the numbers of rows and columns."""
    r = draw(st.integers(1, largest))
    m, n = (draw(st.integers(1, largest)) if size is None else size for size in (m, n))
    left, right = draw(hnp.arrays(bool, (m, r))), draw(hnp.arrays(bool, (r, n)))
    # components with an empty side leave the factors free: not for these tests
    assume(left.any(axis=0).all() and right.any(axis=1).all())
    return left, right


def band(n, width):
    """Upper triangular band with `width` diagonals."""
    return scipy.sparse.diags_array([1.0] * width, offsets=range(width), shape=(n, n))
