"""scikit-learn's own checks, all of them, without an expected failure."""

import os
import unittest
from importlib.util import find_spec

import numpy as np
import pytest
import sklearn
import sklearn.utils.estimator_checks as estimator_checks
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact.supports import Chain, KSparse


class RankTwo:
    """A family as a callable that can be pickled, and whose name is the same in each process."""

    def __call__(self, n_out, n_in):
        return Chain.for_shape(n_out, n_in, rank=2)

    def __repr__(self):
        return "RankTwo()"


class Overlapping:
    """Supports of a factorization as such a callable: overlapping components."""

    def __call__(self, n_samples, n_features, n_components):
        r = n_components or 2
        left, right = np.ones((n_samples, r)), np.ones((r, n_features))
        left[: n_samples // 3, 0] = 0
        right[-1, : n_features // 2] = 0
        return left, right

    def __repr__(self):
        return "Overlapping()"


# n_components=2 and a Chain are not for data of one feature or of other sizes
SETTINGS = [
    ButterflyFactorizer(),
    ButterflyFactorizer(n_components=1),
    ButterflyFactorizer(criterion="subspace", max_iter=3),
    ButterflyFactorizer(n_components=1, supports="low-rank", max_iter=5),
    ButterflyFactorizer(supports="monarch", rank=2),
    ButterflyFactorizer(supports="low-rank", rank=2, order="right-to-left"),
    ButterflyFactorizer(supports=RankTwo(), orthonormalize=False),
    ButterflyFactorizer(supports="dense", backend="numpy"),
    ButterflyFactorizer(tol=0.3, order="left-to-right"),
    ButterflyFactorizer(permutation="digit-reversal"),
    ButterflyFactorizer(operator=PCA(n_components=1)),
    ButterflyFactorizer(operator=PCA(n_components=1, whiten=True), supports="low-rank"),
    ButterflyFactorizer(operator=Ridge()),
    FixedSupportMF(),
    FixedSupportMF(n_components=1),
    FixedSupportMF(n_components=3, alpha=0.5, backend="numpy"),
    FixedSupportMF(n_components=2, supports="disjoint-groups"),
    FixedSupportMF(n_components=2, supports="overlapping-groups", alpha=0.1, max_iter=5),
    FixedSupportMF(supports="butterfly", solver="exact"),
    FixedSupportMF(n_components=4, supports="monarch"),
    FixedSupportMF(n_components=3, supports="arrow", alpha=0.1, max_iter=5, n_init=2),
    FixedSupportMF(n_components=3, supports="banded", alpha=0.1, max_iter=5),
    FixedSupportMF(n_components=3, supports="lu", alpha=0.1, max_iter=5),
    FixedSupportMF(n_components=2, missing_values=np.nan, max_iter=5),
    FixedSupportMF(n_components=2, supports="disjoint-groups", missing_values=-1, max_iter=5),
    FixedSupportMF(supports=Overlapping(), max_iter=5),
    SparseDeepLinearNet(random_state=0),
    SparseDeepLinearNet("dense", hidden_layer_sizes=1, alpha=0.1, tol=1e-6, random_state=0),
    SparseDeepLinearNet("kaleidoscope", max_iter=10, fit_intercept=False, random_state=0),
    SparseDeepLinearNet("monarch", backend="numpy", solver="lbfgs", alpha=0.1, random_state=0),
    SparseDeepLinearNet(
        "dense", solver="adam", learning_rate_init=0.1, max_iter=50, random_state=0
    ),
    SparseDeepLinearNet([KSparse(3, axis=1)] * 2, max_iter=50, random_state=0),
    ReLUPathEmbedding(random_state=0),
    ReLUPathEmbedding(hidden_layer_sizes=(4, 3), n_paths=7, random_state=0),
    ReLUPathEmbedding(hidden_layer_sizes=(), backend="numpy"),
    ReLUPathEmbedding(hidden_layer_sizes=[3, 2, 2], sparse_output=True, random_state=0),
    ReLUPathEmbedding(MLPRegressor(hidden_layer_sizes=(3, 2), max_iter=3), random_state=0),
    ReLUPathEmbedding(
        MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=3),
        n_paths=5,
        sparse_output=True,
        random_state=0,
    ),
]
NAMESPACES = [
    ("array_api_strict", None, "float64"),
    ("array_api_strict", None, "float32"),
    ("torch", "cpu", "float64"),
    ("torch", "cpu", "float32"),
]
if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9):  # devices by name
    NAMESPACES.append(("array_api_strict", "device1", "float64"))

# Checks that scikit-learn runs on its own estimators only. Left out: check_param_validation, which
# asks for the private `_parameter_constraints` (tests/test_bad_input.py does its work).
PRIVATE = [
    "check_dataframe_column_names_consistency",
    "check_estimator_sparse_tag",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_transformers_unfitted",
    "check_valid_tag_types",
]


# scikit-learn runs its checks with the same warnings ignored: few rounds on random data, and
# data frames in fit beside arrays in transform
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning"),
]


@parametrize_with_checks(SETTINGS)
def test_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", PRIVATE)
@pytest.mark.parametrize("estimator", SETTINGS, ids=repr)
def test_checks_that_are_not_for_others(estimator, check):
    function = getattr(estimator_checks, check, None)
    if function is None:
        pytest.skip(f"scikit-learn {sklearn.__version__} has no {check}")
    estimator = clone(estimator)
    if check == "check_inplace_ensure_writeable" and hasattr(estimator, "missing_values"):
        estimator.set_params(missing_values=np.nan, solver="auto")  # it hands over a NaN
    function(type(estimator).__name__, estimator)


def takes_any_array(estimator):
    """Estimators inside compute on the host, and sparse arrays are SciPy's."""
    inside = getattr(estimator, "operator", None) or getattr(estimator, "estimator", None)
    return not hasattr(inside, "fit") and not getattr(estimator, "sparse_output", False)


def insist(check, *arguments):
    """Run a check that skips itself, silently in a long log, where something is missing."""
    try:
        check(*arguments)
    except unittest.SkipTest as skipped:
        pytest.fail(f"skipped: {skipped}")


@pytest.mark.parametrize("library, device, dtype", NAMESPACES)
@pytest.mark.parametrize("estimator", [e for e in SETTINGS if takes_any_array(e)], ids=repr)
def test_values_are_those_of_numpy(estimator, library, device, dtype, monkeypatch):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    estimator = clone(estimator).set_params(random_state=0)  # older checks leave that to others
    if dtype == "float32" and isinstance(estimator, ButterflyFactorizer):
        # the loops on NumPy arrays sum in another order, and inverse_transform multiplies that by
        # the condition number: up to 3e-5 between the libraries, where 1.2e-5 is allowed
        tolerance = estimator_checks._atol_for_type
        monkeypatch.setattr(estimator_checks, "_atol_for_type", lambda d: 10 * tolerance(d))
    insist(
        estimator_checks.check_array_api_input_and_values,
        type(estimator).__name__,
        estimator,
        library,
        device,
        dtype,
    )


@pytest.mark.parametrize("estimator", SETTINGS, ids=repr)
def test_array_api_checks_are_among_them(estimator):
    """And they run: without the environment variable, or the tag, they would skip silently."""
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    assert get_tags(estimator).array_api_support is takes_any_array(estimator)
    checks = [
        check
        for _, check in estimator_checks_generator(clone(estimator), legacy=True)
        if "array_api_strict" in str(getattr(check, "keywords", ""))
    ]
    for check in checks:
        if "torch" not in str(check.keywords):  # with PyTorch it wants an accelerator
            insist(check, clone(estimator))
    named = "check_array_api_same_namespace", "check_array_api_input"
    ran = {name for name in named if any(check.func.__name__ == name for check in checks)}
    expected = {name for name in named if hasattr(estimator_checks, name)}
    assert ran == (expected if takes_any_array(estimator) else set())


@pytest.mark.parametrize(
    "estimator", [ButterflyFactorizer(), FixedSupportMF(), ReLUPathEmbedding()], ids=repr
)
def test_the_number_of_checks(estimator):
    """A floor, lest a change of tags or of scikit-learn's names makes the list shrink unnoticed."""
    names = [str(check) for _, check in estimator_checks_generator(estimator)]
    assert len(names) >= 45
    known = [name for name in PRIVATE if hasattr(estimator_checks, name)]
    assert len(known) >= len(PRIVATE) - 2
