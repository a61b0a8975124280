"""Where the estimators compute, and that results come back where the data lives."""

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding
from skfact._backend import to_numpy
from tests.asserts import assert_like, for_each, on_any_matrix

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((30, 12))
W = RANDOM.standard_normal((6, 12))

SETTINGS = {
    "matrix": {},
    "components": {"n_components": 4, "max_iter": 3},
    "operator": {"operator": W},
    "complex operator": {"operator": W + 1j * W[::-1], "permutation": "digit-reversal"},
    "callable": {"operator": lambda n: np.tri(n), "order": "right-to-left"},
    "tolerance": {"tol": 0.5, "orthonormalize": False},
}
ARRAYS = ("components_", "level_errors_", "mean_", "offset_")

ignore_rounds = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@on_any_matrix
@ignore_rounds
@pytest.mark.parametrize("name", SETTINGS)
@for_each("dtype", ["float32", "float64"])
@for_each("backend", ["auto", "numpy"])
def test_results_are_arrays_of_the_caller(asarray, xp, dtype, name, backend):
    """Namespace, device, precision and values of everything that comes out."""
    host = X.astype(dtype)
    given = asarray(host)
    reference = ButterflyFactorizer(**SETTINGS[name]).fit(host)
    estimator = ButterflyFactorizer(backend=backend, **SETTINGS[name]).fit(given)
    tolerance = 1e4 * np.finfo(dtype).eps

    codes = estimator.transform(given)
    back = estimator.inverse_transform(codes)
    arrays = [codes, back, *(getattr(estimator, name) for name in ARRAYS), *estimator.factors_]
    for array in arrays:
        assert array.dtype in (given.dtype, estimator.operator_.dtype)
        assert_like(array, given, dtype=array.dtype)
    assert estimator.mean_.dtype == estimator.level_errors_.dtype == given.dtype
    is_complex = name == "complex operator"
    assert xp.isdtype(codes.dtype, "complex floating" if is_complex else given.dtype)
    assert xp.finfo(codes.dtype).eps == xp.finfo(given.dtype).eps

    assert_allclose(to_numpy(codes), reference.transform(host), rtol=0, atol=10 * tolerance)
    assert_allclose(
        to_numpy(estimator.components_), reference.components_, rtol=0, atol=10 * tolerance
    )
    assert_allclose(estimator.relative_error_, reference.relative_error_, atol=tolerance)
    assert_allclose(estimator.error_bound_, reference.error_bound_, rtol=100 * tolerance)
    assert isinstance(estimator.score(given), float)
    assert_allclose(to_numpy(given), host, rtol=0)


NETWORK = (
    [RANDOM.standard_normal(shape) for shape in [(12, 5), (5, 4), (4, 2)]],
    [RANDOM.standard_normal(n) for n in (5, 4, 2)],
)


@for_each("dtype", ["float32", "float64"])
@for_each("backend", ["auto", "numpy"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden_layer_sizes": (4, 3)},
        {"estimator": NETWORK},
        {"estimator": NETWORK, "n_paths": 30},
    ],
    ids=["random", "deep", "network", "part"],
)
def test_path_features_are_arrays_of_the_caller(asarray, dtype, backend, options):
    host = X.astype(dtype)
    given = asarray(host)
    estimator = ReLUPathEmbedding(backend=backend, random_state=0, **options).fit(given)
    reference = ReLUPathEmbedding(random_state=0, **options).fit(host)
    assert_like(estimator.transform(given), given, reference.transform(host), rtol=1e-6)
    for array in (*estimator.coefs_, *estimator.intercepts_):
        assert_like(array, given, dtype=array.dtype)
    if "estimator" in options:
        weights = estimator.path_weights_
        assert_like(weights, given, reference.path_weights_, dtype=weights.dtype, rtol=1e-12)
    assert_allclose(to_numpy(given), host, rtol=0)


def test_path_features_elsewhere_are_refused(asarray, xp):
    estimator = ReLUPathEmbedding(random_state=0).fit(asarray(X))
    is_numpy = xp.__name__ == "array_api_compat.numpy"
    with pytest.raises(ValueError, match=r"transform\(\) must use the same namespace"):
        estimator.transform(strict_array(X) if is_numpy else X)
    sparse = ReLUPathEmbedding(sparse_output=True).fit(asarray(X))
    if not is_numpy:
        with pytest.raises(ValueError, match="sparse_output=True gives SciPy arrays"):
            sparse.transform(asarray(X))


# a component of all entries, and a complete one of one row
LEFT = np.repeat([[1, 1], [1, 0]], [1, 29], axis=0)
RIGHT = np.ones((2, 12))
FIXED_SETTINGS = {
    "blockwise": {"supports": "disjoint-groups"},
    "complete classes": {"supports": (LEFT, RIGHT)},
    "alternating": {"supports": "overlapping-groups", "alpha": 0.5},
    "missing": {"missing_values": X[2, 3], "alpha": 0.5},
}
SOLVERS = {"complete classes": "complete-classes", "missing": "alternating"}


@on_any_matrix
@ignore_rounds
@pytest.mark.parametrize("name", FIXED_SETTINGS)
@for_each("dtype", ["float32", "float64"])
@for_each("backend", ["auto", "numpy"])
def test_fixed_supports_come_back_as_arrays_of_the_caller(asarray, dtype, name, backend):
    host = X.astype(dtype)
    given = asarray(host)
    options = {"max_iter": 8, "random_state": 0, **FIXED_SETTINGS[name]}
    if name == "missing":
        options["missing_values"] = float(host[2, 3])
    n_components = 2 if name == "complete classes" else 4
    reference = FixedSupportMF(n_components, **options).fit(host)
    estimator = clone(reference).set_params(backend=backend).fit(given)
    assert estimator.solver_ == reference.solver_ == SOLVERS.get(name, name)
    tolerance = 1e4 * np.finfo(dtype).eps
    codes = estimator.transform(given)
    back = estimator.inverse_transform(codes)
    for array in (codes, estimator.left_factor_, estimator.operator_.toarray()):
        assert_like(array, given)
    expected = reference.inverse_transform(reference.transform(host))
    assert_like(back, given, expected, atol=10 * tolerance)
    assert_like(estimator.components_, given, reference.components_, atol=100 * tolerance)
    assert_allclose(estimator.score(given), reference.score(host), atol=10 * tolerance)
    assert_allclose(to_numpy(given), host, rtol=0)


@on_any_matrix
@pytest.mark.parametrize("estimator", [ButterflyFactorizer(), FixedSupportMF()], ids=repr)
@for_each("backend", ["auto", "numpy"])
def test_other_arrays_than_in_fit_are_refused(asarray, xp, backend, estimator):
    estimator = clone(estimator).set_params(backend=backend).fit(asarray(X))
    is_numpy = xp.__name__ == "array_api_compat.numpy"
    shapes = {"transform": X.shape, "inverse_transform": estimator.components_.shape[:1] * 2}
    for method in ("transform", "inverse_transform", "score"):
        values = np.ones(shapes.get(method, X.shape))
        with pytest.raises(ValueError, match=rf"{method}\(\) must use the same namespace"):
            getattr(estimator, method)(strict_array(values) if is_numpy else values)


def strict_array(values, device=None):
    array_api_strict = pytest.importorskip("array_api_strict")
    return array_api_strict.asarray(values, device=device)


@on_any_matrix
def test_another_device_than_in_fit_is_refused():
    array_api_strict = pytest.importorskip("array_api_strict")
    there = array_api_strict.Device("device1")
    estimator = ButterflyFactorizer().fit(strict_array(X, there))
    assert estimator.transform(strict_array(X, there)).device == there
    with pytest.raises(ValueError, match=r"the same device.*device1.*CPU_DEVICE"):
        estimator.transform(strict_array(X))


@on_any_matrix
def test_integers_and_bools_of_other_libraries(asarray, xp):
    values = (10 * X).astype("int64")
    estimator = ButterflyFactorizer().fit(asarray(values))
    assert estimator.mean_.dtype == xp.float64
    expected = ButterflyFactorizer().fit(values).transform(values)
    assert_allclose(to_numpy(estimator.transform(asarray(values))), expected, atol=1e-10)


def test_estimators_as_operator_compute_on_the_host(asarray, xp):
    from sklearn.decomposition import PCA

    estimator = ButterflyFactorizer(operator=PCA(2))
    if xp.__name__ == "array_api_compat.numpy":
        assert estimator.fit(asarray(X)).transform(asarray(X)).shape == (30, 2)
    else:
        with pytest.raises(ValueError, match=r"PCA.*computes on the host"):
            estimator.fit(asarray(X))


@pytest.mark.parametrize("backend", ["gpu", "NumPy", None, 3, np, ("auto",)])
def test_unknown_backends_are_refused_in_fit(backend):
    estimator = ButterflyFactorizer(backend=backend)
    assert estimator.backend is backend
    with pytest.raises(ValueError, match=r"backend must be one of \('auto', 'numpy', 'cupy'\)"):
        estimator.fit(X)


@on_any_matrix
def test_backend_set_after_fit_is_checked_where_it_is_used():
    estimator = ButterflyFactorizer().fit(X).set_params(backend="gpu")
    with pytest.raises(ValueError, match="backend must be one of"):
        estimator.transform(X)


@pytest.mark.skipif(find_spec("cupy") is not None, reason="CuPy is installed")
def test_missing_cupy_names_the_extra(asarray):
    estimator = ButterflyFactorizer(backend="cupy")
    with pytest.raises(ImportError, match=r"skfact\[cuda12\]"):
        estimator.fit(asarray(X))
    assert not hasattr(estimator, "operator_")


@on_any_matrix
def test_copies_on_other_backends_are_not_pickled(asarray):
    given = asarray(X)
    estimator = ButterflyFactorizer(backend="numpy").fit(given)
    before = len(pickle.dumps(estimator))
    first = estimator.transform(given)
    assert len(pickle.dumps(estimator)) == before
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_allclose(to_numpy(loaded.transform(given)), to_numpy(first), rtol=0)


@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
def test_no_environment_variable_and_no_dispatch_needed(library):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    script = f"""
import numpy as np, sklearn, {library} as xp
from skfact import ButterflyFactorizer
assert not sklearn.get_config()["array_api_dispatch"]
X = xp.asarray(np.arange(48.0).reshape(6, 8) ** 0.5)
for estimator in (ButterflyFactorizer(), ButterflyFactorizer(2)):
    codes = estimator.fit(X).transform(X)
    assert type(codes) is type(X), type(codes)
    assert type(estimator.fit_transform(X)) is type(X)
"""
    environment = {k: v for k, v in os.environ.items() if k != "SCIPY_ARRAY_API"}
    subprocess.run([sys.executable, "-W", "error", "-c", script], env=environment, check=True)


@on_any_matrix
@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_data_computed_with_cupy(dtype):
    cupy = pytest.importorskip("cupy")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no CUDA device: {error}")
    host = X.astype(dtype)
    estimator = ButterflyFactorizer(backend="cupy").fit(host)
    reference = ButterflyFactorizer().fit(host)
    codes = estimator.transform(host)
    assert type(codes) is np.ndarray and codes.dtype == host.dtype
    assert type(estimator.mean_) is np.ndarray
    assert all(type(factor) is np.ndarray for factor in estimator.factors_)
    tolerance = 1e4 * np.finfo(dtype).eps
    assert_allclose(codes, reference.transform(host), atol=tolerance)
    pickle.loads(pickle.dumps(estimator))


def test_arrays_of_every_kind_come_to_the_host(asarray):
    host = np.array([[1 + 2j, 3], [0, 4j]])
    found = to_numpy(asarray(host))
    assert isinstance(found, np.ndarray)
    assert_allclose(found, host)
    for scalar in (np.float64(1), np.int8(1), np.bool_(True), 1.0, True):
        assert isinstance(to_numpy(scalar), np.ndarray)
        assert to_numpy(scalar) == 1


def test_views_of_torch_that_are_still_to_be_computed_come_to_the_host():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1 + 2j, 3])
    assert_allclose(to_numpy(x.conj()), [1 - 2j, 3])
    assert_allclose(to_numpy(x.conj().imag), [-2, 0])
    assert_allclose(to_numpy(x.clone().requires_grad_()), [1 + 2j, 3])
