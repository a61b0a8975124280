"""Pairs of masks for the tests of this folder."""

import scipy.sparse
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@st.composite
def support_pairs(draw, largest=5, m=None, n=None):
    """Two masks; `m` and `n` fix the numbers of rows and columns."""
    r = draw(st.integers(1, largest))
    m, n = (draw(st.integers(1, largest)) if size is None else size for size in (m, n))
    left, right = draw(hnp.arrays(bool, (m, r))), draw(hnp.arrays(bool, (r, n)))
    # a component with an empty side would leave the other side free
    left[draw(st.lists(st.integers(0, m - 1), min_size=r, max_size=r)), range(r)] = True
    right[range(r), draw(st.lists(st.integers(0, n - 1), min_size=r, max_size=r))] = True
    return left, right


def band(n, width):
    """Upper triangular band with `width` diagonals."""
    return scipy.sparse.diags_array([1.0] * width, offsets=range(width), shape=(n, n))
