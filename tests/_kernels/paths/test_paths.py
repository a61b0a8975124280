"""Sums over paths through one layer: the compiled loops are the formula."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._kernels._jit import compiled
from skfact._kernels.paths import dispatch, power_product
from tests.asserts import assert_like, for_each

loops = compiled("skfact._kernels.paths.numba")
needs_numba = pytest.mark.skipif(loops is None, reason="numba is missing or switched off")
SHAPES = [(1, 1), (1, 5), (5, 1), (7, 3), (8, 4), (17, 33), (64, 40)]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda w: np.repeat(np.repeat(w, 2, axis=0), 2, axis=1)[::2, ::2],
    "reversed": lambda w: w[::-1, ::-1].copy()[::-1, ::-1],
}


def example(shape, dtype):
    rng = np.random.default_rng(0)
    return rng.random(shape[0]).astype(dtype), rng.standard_normal(shape).astype(dtype)


@for_each("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layout_and_exponent(shape, dtype):
    v, w = example(shape, dtype)
    for q in (0.5, 1, 2, 3):
        expected = v.astype(float) @ abs(w.astype(float)) ** q
        for layout in LAYOUTS.values():
            given = layout(w)
            given.flags.writeable = False
            found = power_product(v, given, q)
            assert found.dtype == dtype
            assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-13)


@needs_numba
@pytest.mark.parametrize("layout", ["C", "F"])
def test_slices_on_threads(monkeypatch, layout):
    monkeypatch.setattr(dispatch, "BYTES_PER_SECOND", 1.0)
    monkeypatch.setattr("skfact._kernels._threads.thread_limit", lambda: 3)
    v, w = example((50, 21), "float64")
    for q in (1, 2):
        assert_allclose(power_product(v, LAYOUTS[layout](w), q), v @ abs(w) ** q, rtol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_no_weight_that_is_not_finite_is_lost(bad, layout):
    """Not even behind a zero."""
    for i in (0, 7, 16):
        v, w = example((17, 9), "float64")
        v[i], w[i, 5] = 0.0, bad
        with np.errstate(invalid="ignore"):
            found = power_product(v, LAYOUTS[layout](w), 1)
        assert_array_equal(np.flatnonzero(~np.isfinite(found)), [5])


def test_every_array_library(asarray):
    v, w = example((9, 4), "float64")
    for rows in (v, np.stack([v, 2 * v])):
        given = asarray(rows)
        assert_like(power_product(given, asarray(w), 2), given, rows @ w**2, rtol=1e-13)
