"""Sketches: unbiased, and invariant to rescaling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact.relu import path_inner, path_norm, path_sketch
from tests.relu.networks import random_factors, random_network, scaled, seeds, sizes


@pytest.mark.parametrize("signs", ["node", "edge"])
@pytest.mark.parametrize("bias", [True, False])
def test_sketches_are_unbiased(signs, bias):
    a, b = random_network([3, 4, 2, 2], 1), random_network([3, 4, 2, 2], 2)
    m = 20_000 if signs == "node" else 4_000
    one, two = (path_sketch(n, m, signs=signs, include_bias=bias, random_state=3) for n in (a, b))
    assert one.shape == (m, 2)
    products = m * (one * two).sum(axis=1)
    error = products.std() / m**0.5
    assert abs(products.mean() - path_inner(a, b, include_bias=bias)) < 4 * error
    norm = path_norm(a, 2, include_bias=bias) * path_norm(b, 2, include_bias=bias)
    assert 0.1 * norm < products.std() < 3 * norm


@given(sizes, seeds, st.sampled_from(["node", "edge"]))
def test_sketches_are_invariant_to_rescaling(widths, seed, signs):
    network = random_network(widths, seed)
    sketch = path_sketch(network, 5, signs=signs, random_state=seed % 7)
    other = scaled(network, random_factors(widths, seed))
    assert_allclose(
        path_sketch(other, 5, signs=signs, random_state=seed % 7),
        sketch,
        rtol=0,
        atol=1e-12 * path_norm(network),
    )


@pytest.mark.parametrize("signs", ["node", "edge"])
@pytest.mark.parametrize("dtype, scale", [("float64", 1e150), ("float32", 1e30)])
def test_sketches_of_any_scale(signs, dtype, scale):
    """Weights whose plain products are 0, infinity or NaN on the way."""
    coefs, _ = random_network([4, 5, 3, 5, 2], 0)
    expected = path_sketch((coefs, None), 6, signs=signs)
    for scales in [(scale, scale, 1 / scale, 1 / scale), (1 / scale, 1 / scale, scale, scale)]:
        moved = [(w * s).astype(dtype) for w, s in zip(coefs, scales)], None
        found = path_sketch(moved, 6, signs=signs)
        assert found.dtype == dtype
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())
