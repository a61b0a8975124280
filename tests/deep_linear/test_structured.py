"""Structured factors: projections by an independent method, what they print."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from skfact.deep_linear import CirculantFactor, StructuredFactor, ToeplitzFactor
from tests.asserts import assert_like

RANDOM = np.random.default_rng(0)
SIZES = np.array([1.0, 10.0, 100.0])


@pytest.mark.parametrize(
    "structure",
    [
        ToeplitzFactor(3, 4, blocks=(2, 1)),
        CirculantFactor(3, blocks=(1, 2)),
        StructuredFactor((3, 3), 3, lambda h: np.diag(SIZES * h), lambda G: SIZES * np.diag(G)),
        ToeplitzFactor(2, 5).T,
    ],
)
def test_projection_on_a_structure_is_least_squares(structure):
    G = RANDOM.standard_normal(structure.shape) + 1j * RANDOM.standard_normal(structure.shape)
    columns = [structure.matrix(h).ravel() for h in np.eye(structure.n_parameters)]
    basis = np.stack(columns, axis=1)
    expected = basis @ np.linalg.lstsq(basis, G.ravel(), rcond=None)[0]
    assert_allclose(structure.project(G), expected.reshape(structure.shape), atol=1e-12)


def test_matrices_are_those_of_scipy(asarray):
    h = RANDOM.standard_normal(6)
    given = asarray(h)
    circulant, toeplitz = scipy.linalg.circulant(h), scipy.linalg.toeplitz(h[2::-1], h[2:])
    assert_like(CirculantFactor(6).matrix(given), given, circulant)
    assert_like(ToeplitzFactor(3, 4).matrix(given), given, toeplitz)
    sums = [np.sum(circulant * CirculantFactor(6).matrix(e)) for e in np.eye(6)]
    assert_like(CirculantFactor(6).adjoint(asarray(circulant)), given, sums, rtol=1e-12)


def test_structures_print_what_makes_them():
    for factor in (ToeplitzFactor(2, 3), ToeplitzFactor(2, 3, blocks=(1, 2)), CirculantFactor(4)):
        again = eval(repr(factor))
        assert again.shape == factor.shape and again.n_parameters == factor.n_parameters
