"""scikit-learn's own checks, all of them, without an expected failure."""

import os
import pickle
import unittest
from importlib.util import find_spec

import numpy as np
import pytest
import sklearn
import sklearn.utils.estimator_checks as estimator_checks
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import issparse
from sklearn.base import clone, is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact.supports import Chain, KSparse
from skfact.transforms import FastRandomProjection
from tests.asserts import about, for_each, on_any_matrix


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


# All checks run on these, which take different ways through the code: solvers, supports, rotation,
# parts of the work done by another estimator, missing values, sparse output, backends.
# n_components=2 and a Chain are not for data of one feature or of other sizes.
CHECKED = [
    ButterflyFactorizer(),
    ButterflyFactorizer(criterion="subspace", max_iter=3, backend="numpy"),
    ButterflyFactorizer(operator=PCA(n_components=1), tol=0.3),
    FixedSupportMF(n_components=1),
    FixedSupportMF(
        n_components=3, supports="overlapping-groups", alpha=0.1, max_iter=5, backend="numpy"
    ),
    FixedSupportMF(n_components=2, missing_values=np.nan, max_iter=5),
    FixedSupportMF(n_components=2, positive="codes", alpha=0.1, max_iter=5),
    SparseDeepLinearNet(random_state=0),
    SparseDeepLinearNet(
        "dense", solver="adam", learning_rate_init=0.1, max_iter=50, random_state=0
    ),
    SparseDeepLinearNet([KSparse(3, axis=1)] * 2, max_iter=50, random_state=0),
    ReLUPathEmbedding(hidden_layer_sizes=(4, 3), n_paths=7, random_state=0, backend="numpy"),
    ReLUPathEmbedding(hidden_layer_sizes=[3, 2, 2], sparse_output=True, random_state=0),
    ReLUPathEmbedding(MLPRegressor(hidden_layer_sizes=(3, 2), max_iter=3), random_state=0),
    FastRandomProjection(2, random_state=0),
]
# The others are the same code with other options.
OTHERS = [
    ButterflyFactorizer(n_components=1),
    ButterflyFactorizer(n_components=1, supports="low-rank", max_iter=5),
    ButterflyFactorizer(supports="monarch", rank=2),
    ButterflyFactorizer(supports="low-rank", rank=2, order="right-to-left"),
    ButterflyFactorizer(supports=RankTwo(), orthonormalize=False),
    ButterflyFactorizer(supports="dense", backend="numpy"),
    ButterflyFactorizer(tol=0.3, order="left-to-right"),
    ButterflyFactorizer(permutation="digit-reversal"),
    ButterflyFactorizer(operator=PCA(n_components=1, whiten=True), supports="low-rank"),
    ButterflyFactorizer(operator=Ridge()),
    FixedSupportMF(),
    FixedSupportMF(n_components=3, alpha=0.5, backend="numpy"),
    FixedSupportMF(n_components=2, supports="disjoint-groups"),
    FixedSupportMF(n_components=2, supports="banded", alpha=0.1, max_iter=5),
    FixedSupportMF(supports="butterfly", solver="exact"),
    FixedSupportMF(n_components=4, supports="monarch"),
    FixedSupportMF(n_components=3, supports="arrow", alpha=0.1, max_iter=5, n_init=2),
    FixedSupportMF(n_components=3, supports="lu", alpha=0.1, max_iter=5),
    FixedSupportMF(n_components=2, supports="disjoint-groups", missing_values=-1, max_iter=5),
    FixedSupportMF(supports=Overlapping(), max_iter=5),
    FixedSupportMF(n_components=2, positive=True, missing_values=np.nan, max_iter=5),
    FixedSupportMF(n_components=2, supports="disjoint-groups", positive="components", max_iter=5),
    SparseDeepLinearNet("dense", hidden_layer_sizes=1, alpha=0.1, tol=1e-6, random_state=0),
    SparseDeepLinearNet("kaleidoscope", max_iter=10, fit_intercept=False, random_state=0),
    SparseDeepLinearNet("monarch", backend="numpy", solver="lbfgs", alpha=0.1, random_state=0),
    ReLUPathEmbedding(random_state=0),
    ReLUPathEmbedding(hidden_layer_sizes=(), backend="numpy"),
    ReLUPathEmbedding(
        MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=3),
        n_paths=5,
        sparse_output=True,
        random_state=0,
    ),
    FastRandomProjection(5, backend="numpy", random_state=0),
]
DEVICES = [("array_api_strict", None), ("torch", "cpu")]
if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9):  # devices by name
    DEVICES.append(("array_api_strict", "device1"))

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
KNOWN = [name for name in PRIVATE if hasattr(estimator_checks, name)]  # by this scikit-learn


# scikit-learn runs its checks with the same warnings ignored: few rounds on random data, most of
# which is missed, and data frames in fit beside arrays in transform
pytestmark = [
    pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataDimensionalityWarning"),
    on_any_matrix,
    pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning"),
]


@parametrize_with_checks(CHECKED)
def test_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", CHECKED, ids=repr)
def test_checks_that_are_not_for_others(estimator):
    for name in KNOWN:
        given = clone(estimator)
        if name == "check_inplace_ensure_writeable" and hasattr(given, "missing_values"):
            given.set_params(missing_values=np.nan, solver="auto")  # it hands over a NaN
        with about(name):
            getattr(estimator_checks, name)(type(given).__name__, given)


def has_masked_samples(fitted):
    """Whether codes of the samples of fit are zero outside a mask, which transform knows not of."""
    if not isinstance(fitted, FixedSupportMF):
        return False
    return fitted.support_report_.left_support.nnz < fitted.left_factor_.size


@pytest.mark.parametrize("estimator", OTHERS, ids=repr)
def test_the_same_code_with_other_options(estimator):
    """Fit, transform, predict, clone, pickle and names of features, on data of a few shapes."""
    random = np.random.default_rng(0)
    for shape in [(2, 10), (10, 1), (21, 2), (40, 10)]:
        X, y = random.standard_normal(shape), random.standard_normal(shape[0])
        fitted = clone(estimator).set_params(random_state=0).fit(X, y)
        codes = dense(fitted.transform(X))
        assert np.isfinite(codes).all()
        assert len(fitted.get_feature_names_out()) == codes.shape[1]
        assert fitted.n_features_in_ == shape[1]
        assert fitted.get_params().keys() == estimator.get_params().keys()
        for again in (clone(fitted).fit(X, y), pickle.loads(pickle.dumps(fitted))):
            assert_array_equal(dense(again.transform(X)), codes)
        expected = fitted.left_factor_ if has_masked_samples(fitted) else codes
        assert_allclose(dense(clone(fitted).fit_transform(X, y)), expected, rtol=1e-7, atol=1e-9)
        assert_allclose(dense(fitted.transform(X[::3])), codes[::3], rtol=1e-7, atol=1e-9)
        if is_regressor(fitted):
            assert fitted.predict(X).shape == y.shape
    with pytest.raises(ValueError, match="10 features"):
        fitted.transform(X[:, 1:])


def dense(codes):
    return codes.toarray() if issparse(codes) else codes


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


@pytest.mark.parametrize("library, device", DEVICES)
@pytest.mark.parametrize("estimator", filter(takes_any_array, CHECKED + OTHERS), ids=repr)
@for_each("dtype", ["float64", "float32"])
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


@pytest.mark.parametrize("estimator", CHECKED, ids=repr)
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
    assert len(KNOWN) >= len(PRIVATE) - 2
