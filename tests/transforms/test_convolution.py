"""Convolution of images, against SciPy."""

import numpy as np
import pytest
import scipy.signal
from numpy.testing import assert_allclose

from skfact.transforms import convolution
from tests.asserts import for_each

SHAPES = [
    ((1, 1), (1, 1)),
    ((5, 7), (3, 2)),
    ((1, 9), (1, 4)),
    ((40, 30), (17, 11)),
    ((6, 5), (9, 8)),
]


@for_each("shape, kernel_shape", SHAPES)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_images(shape, kernel_shape, mode):
    if mode == "valid" and kernel_shape > shape:
        return
    random = np.random.default_rng(0)
    image, kernel = random.standard_normal(shape), random.standard_normal(kernel_shape)
    for weights in (kernel, kernel + 1j, kernel * (np.abs(kernel) > 1.5)):
        expected = scipy.signal.convolve(image, weights, mode, method="direct")
        op = convolution(weights, shape, mode)
        assert op.shape == (expected.size, image.size)
        error = 1e-13 * np.linalg.norm(weights) * np.linalg.norm(image)
        assert_allclose(op @ image.ravel(), expected.ravel(), rtol=0, atol=error)


def test_few_numbers_are_a_sparse_matrix():
    op = convolution([1.0, -1.0], 10_000)
    assert len(op.factors) == 1 and op.nnz == 20_000
    assert len(convolution(np.ones(500), 10_000).factors) > 10
