"""Models of parameters: what a `projection` may be, and what it does to factors."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import array_namespace, device
from skfact.deep_linear import CirculantFactor, StructuredFactor, ToeplitzFactor, palm4msa
from skfact.deep_linear._parameter_model import check_projection, projection_on
from skfact.supports import KSparse
from tests.arrays import DTYPES
from tests.asserts import assert_like, for_each

RANDOM = np.random.default_rng(0)
H = np.array([1.0, -3.0, 0.5, 2.0, -0.25])


def to_mean(h):
    """All numbers equal."""
    return 0 * h + sum(h) / h.shape[0]


def one_group(h):
    """The larger one of the groups of the first two numbers and of the others."""
    xp = array_namespace(h)
    first = xp.arange(h.shape[0], device=device(h)) < 2
    parts = [xp.where(kept, h, xp.zeros_like(h)) for kept in (first, ~first)]
    return max(parts, key=lambda part: float(xp.sum(part * part)))


def nan_of(h):
    return h * np.nan


MODELS = {
    "non-negative": ("non-negative", [1, 0, 0.5, 2, 0]),
    "budget": (KSparse(2), [0, -3, 0, 2, 0]),
    "norm": (2.0, H * 2 / np.linalg.norm(H)),
    "loose norm": (100, H),
    "one group": (one_group, [1, -3, 0, 0, 0]),
    "equal numbers": (to_mean, np.full(5, 0.05)),
}


@for_each("name", MODELS)
def test_projections_of_every_library(name, asarray):
    model, expected = MODELS[name]
    project = projection_on(model)
    assert_like(project(asarray(H)), asarray(H), expected, rtol=1e-15, atol=1e-15)
    check_projection(project, 5, asarray(H), "supports[0]")


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype.startswith("float")])
@for_each("name", MODELS)
def test_nothing_within_the_model_is_nearer(name, dtype):
    project = projection_on(MODELS[name][0])
    for _ in range(20):
        h = RANDOM.standard_normal(5).astype(dtype)
        best = project(h)
        assert best.dtype == dtype
        others = [project(best + 10**e * RANDOM.standard_normal(5).astype(dtype)) for e in (-3, 0)]
        for other in others:
            slack = 1 + 10 * np.finfo(dtype).eps
            assert np.linalg.norm(h - best) <= slack * np.linalg.norm(h - other) + 1e-7


@for_each("name", MODELS)
def test_a_circulant_matrix_is_projected_on_the_nearest_one(name):
    model = MODELS[name][0]
    factor = CirculantFactor(5, projection=model)
    assert factor.projection is model and factor.T.projection is model
    G = RANDOM.standard_normal((5, 5))
    best = factor.project(G)
    assert_allclose(factor.project(best), best, atol=1e-14)
    for _ in range(50):
        h = factor._project(factor._solve_gram(factor.adjoint(best)) + RANDOM.standard_normal(5))
        assert np.linalg.norm(G - best) <= np.linalg.norm(G - factor.matrix(h)) * (1 + 1e-12)


def test_non_negative_tied_entries_are_nearest_too():
    factor = ToeplitzFactor(3, 4, projection="non-negative")
    G = RANDOM.standard_normal((3, 4))
    best = factor.project(G)
    for h in np.abs(RANDOM.standard_normal((200, 6))):
        assert np.linalg.norm(G - best) <= np.linalg.norm(G - factor.matrix(h))
    assert_array_equal(best >= 0, True)


def test_factors_say_what_their_model_is_and_can_be_pickled():
    for factor in (
        ToeplitzFactor(2, 3, projection="non-negative"),
        CirculantFactor(4, blocks=(1, 2), projection=KSparse(2)),
        CirculantFactor(4, projection=1.5),
    ):
        again = eval(repr(factor))
        assert again.projection == factor.projection
        loaded = pickle.loads(pickle.dumps(factor))
        h = RANDOM.standard_normal(factor.n_parameters)
        assert_array_equal(loaded._project(h), factor._project(h))
    assert "projection" not in repr(CirculantFactor(4))


@for_each(
    "model, error, message",
    [
        ("positive", ValueError, "projection must be 'non-negative', got 'positive'"),
        (KSparse(2, axis=0), ValueError, r"one vector: pass KSparse\(2\)"),
        (0.0, ValueError, "must be positive and finite"),
        (np.inf, ValueError, "must be positive and finite"),
        (True, TypeError, "projection must be None"),
        ([0, 1], TypeError, "projection must be None"),
    ],
)
def test_what_is_no_model(model, error, message):
    with pytest.raises(error, match=message):
        StructuredFactor((3, 3), 3, np.diag, np.diag, model)


@for_each(
    "wrong, message",
    [
        (lambda h: h + 1, "a second one moves"),
        (lambda h: h / 2, "a second one moves"),
        (lambda h: h[:2], r"returned an array of shape \(2,\)"),
        (lambda h: float(h[0]), "returned float"),
        (nan_of, "a second one moves"),
    ],
)
def test_what_is_no_projection(wrong, message):
    with pytest.raises(ValueError, match=f"supports\\[1\\].*{message}"):
        check_projection(projection_on(wrong), 4, np.empty(0), "supports[1]")


def test_factors_of_a_matrix_do_not_take_models():
    with pytest.raises(ValueError, match=r"supports\[0\] has a projection.*solver='palm'"):
        palm4msa(np.eye(4), [CirculantFactor(4, projection="non-negative")])
