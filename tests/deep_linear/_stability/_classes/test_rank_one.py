"""Rank-one tensors of parameters, and which parameters share one."""

from functools import reduce

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.deep_linear import are_rescalings, rank_one_tensor
from skfact.deep_linear._stability._classes.rank_one import normal_form
from tests.arrays import DTYPES
from tests.asserts import assert_like, for_each
from tests.deep_linear._stability.parameters import draw, rescaled

SIZES = [(1,), (4,), (2, 3), (3, 1, 2), (2, 2, 3, 1)]


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("sizes", SIZES)
def test_entries_are_products(sizes, dtype):
    h = draw(np.random.default_rng(0), sizes, dtype)
    tensor = rank_one_tensor(h)
    assert tensor.dtype == dtype
    assert_allclose(tensor, reduce(np.multiply.outer, h), rtol=20 * np.finfo(dtype).eps)


def test_powers_of_two_are_exact_and_nothing_overflows_on_the_way():
    random = np.random.default_rng(0)
    h = draw(random, (3, 2, 4), "complex128")
    shifted = [h[0] * 2.0**900, h[1] * 2.0**100, h[2] * 2.0**-1000]
    assert_array_equal(rank_one_tensor(shifted), rank_one_tensor(h))
    assert_allclose(rank_one_tensor([[1e200], [1e200], [1e-300, 0.0]]), [[[1e100, 0.0]]])
    # entries of one vector may differ as much
    assert_allclose(rank_one_tensor([[1, 1e-200], [1, 1e-200], [1e250]])[1, 1, 0], 1e-150)


def test_arrays_of_every_library(asarray):
    h = draw(np.random.default_rng(0), (3, 2))
    found = rank_one_tensor([asarray(x) for x in h])
    assert_like(found, asarray(h[0]), np.outer(*h), rtol=1e-15)
    assert are_rescalings([asarray(x) for x in h], [asarray(2 * h[0]), asarray(h[1] / 2)])
    assert not are_rescalings([asarray(x) for x in h], [asarray(h[0]), asarray(h[1] / 2)])
    form = normal_form([asarray(x) for x in h])
    for x, expected in zip(form, normal_form(h)):
        assert_like(x, asarray(h[0]), expected, rtol=1e-15)


def test_arrays_of_more_dimensions_are_read_in_c_order(asarray):
    random = np.random.default_rng(8)
    shapes = [(1, 4, 2, 2), (2, 2, 2, 2), (3,)]
    h = [random.standard_normal(shape) for shape in shapes]
    flat = [x.ravel() for x in h]
    turned = [x.transpose().copy().transpose() for x in h]  # in Fortran order
    assert_array_equal(rank_one_tensor(turned), rank_one_tensor(flat))
    other = [asarray(-2.0 * h[0]), asarray(0.5 * flat[1]), asarray(-h[2])]
    assert are_rescalings([asarray(x) for x in h], other)
    assert not are_rescalings(h, [flat[0][::-1], *flat[1:]])


def test_real_and_complex_vectors_are_promoted():
    tensor = rank_one_tensor([np.ones(2, "float32"), np.array([1j], "complex64")])
    assert tensor.dtype == "complex64"
    assert rank_one_tensor([np.ones(2), np.array([1j], "complex64")]).dtype == "complex128"
    assert are_rescalings([[1j], [1j]], [[1.0], [-1.0]])


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("sizes", SIZES)
def test_rescalings_are_those_with_one_tensor(sizes, dtype):
    random = np.random.default_rng(1)
    for _ in range(20):
        h = draw(random, sizes, dtype)
        assert are_rescalings(h, rescaled(random, h, 3))
        other = [h[0] * -1, *h[1:]]
        assert not are_rescalings(h, other)
        assert not are_rescalings(h, [h[0] * 1.01, *h[1:]])
        assert are_rescalings(h, [h[0] * 1.01, *h[1:]], rtol=0.02)
        if sizes[0] > 1:  # one vector is no multiple
            bent = h[0].copy()
            bent[np.argmin(np.abs(bent))] += np.max(np.abs(bent))
            assert not are_rescalings(h, [bent, *h[1:]])


def test_multiples_may_be_beyond_all_products():
    h = [np.array([1.0, 2.0])] * 3
    assert are_rescalings(h, [1e150 * h[0], 1e150 * h[1], 1e-300 * h[2]])
    assert not are_rescalings(h, [1e150 * h[0], 1e150 * h[1], 1e-299 * h[2]])
    assert not are_rescalings(h, [1e150 * h[0], 1e150 * h[1], 1e300 * h[2]])


def test_all_parameters_with_a_zero_vector_are_one_class():
    zero, other, h = ([[0.0, 0.0], [1.0]], [[1.0, 5.0], [0.0]], [[1.0, 5.0], [1.0]])
    assert are_rescalings(zero, other) and are_rescalings(zero, zero)
    assert not are_rescalings(zero, h) and not are_rescalings(h, other)


def test_a_single_vector_has_no_scale():
    assert are_rescalings([[1.0, 2.0]], [[1.0, 2.0]])
    assert not are_rescalings([[1.0, 2.0]], [[-1.0, -2.0]])
    assert not are_rescalings([[1.0, 2.0]], [[2.0, 4.0]])


def test_single_precision_has_its_tolerance():
    h = draw(np.random.default_rng(2), (3, 4), "float32")
    near = [h[0] * np.float32(1 + 1e-4), h[1]]
    assert are_rescalings(h, near) and not are_rescalings(h, near, rtol=1e-5)
    double = [x.astype("float64") for x in near]
    assert are_rescalings(h, double)
    assert not are_rescalings([x.astype("float64") for x in h], double)


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("sizes", SIZES)
def test_normal_form_has_equal_largest_magnitudes_and_the_same_tensor(sizes, dtype):
    random, eps = np.random.default_rng(3), np.finfo(dtype).eps
    h = draw(random, sizes, dtype)
    form, again = normal_form(h), normal_form(rescaled(random, h, 3))
    tensor = rank_one_tensor(h)
    largest = np.max(np.abs(tensor)) ** (1 / len(h))
    for x, y, given in zip(form, again, h):
        assert x.dtype == dtype
        assert_allclose(np.max(np.abs(x)), largest, rtol=100 * eps)
        assert_allclose(np.abs(x), np.abs(y), rtol=100 * eps)
        assert are_rescalings([x, [1.0]], [given, [np.max(np.abs(x)) / np.max(np.abs(given))]])
    assert_allclose(rank_one_tensor(form), tensor, rtol=1000 * eps)


@for_each("largest", [1e-300, 1e-150, 1e150, 1e300, 1.2e308])
def test_normal_form_at_every_scale(largest):
    h = [np.array([1.0, -0.5]) * largest, np.array([1.0 + 1j]) * largest]
    one, two = normal_form(h)
    assert_allclose(one / largest, 2**0.25 * np.array([1.0, -0.5]), rtol=1e-14)
    assert_allclose(two / largest, 2**-0.25 * np.array([1.0 + 1j]), rtol=1e-14)


def test_zero_class_is_zero():
    for x in normal_form([np.ones(2), np.zeros(3)]):
        assert_array_equal(x, 0 * x)


def test_entries_beyond_numbers_are_refused():
    with pytest.raises(ValueError, match="beyond the largest float64"):
        rank_one_tensor([[1e200], [1e200]])
    with pytest.raises(ValueError, match="beyond the largest complex64"):
        rank_one_tensor([np.array([1e30j], "complex64")] * 2)
    with pytest.raises(ValueError, match="at most 64 axes"):
        rank_one_tensor([[1.0]] * 65)
    assert are_rescalings([[1.0]] * 65, [[-1.0]] * 64 + [[1.0]])
