"""What the host does with arrays of CuPy, against a stand-in that counts what goes over the bus."""

import json
import os
import pickle
import re
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from scipy.linalg import hadamard
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact._backend import array_namespace, move_like, to_numpy
from skfact._kernels import _cuda
from skfact.butterfly import butterfly_factorize
from skfact.deep_linear import palm4msa
from skfact.fixed_support import fixed_support_factorize
from skfact.operators import FactorizedOperator, PartialPermutation, SparseFactor
from skfact.relu import path_kernel, path_metric, path_norm, path_sketch
from skfact.supports import Chain, KSparse
from tests._kernels.cuda_on_cpu import emulation
from tests.arrays import gaussian
from tests.asserts import for_each, on_any_matrix

pytestmark = [
    on_any_matrix,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
ROOT = Path(__file__).parents[1]
STAND_IN, BENCHMARKS = ROOT / "tests" / "cupy_stand_in", ROOT / "benchmarks"
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((256, 16))
Y = X @ RANDOM.standard_normal((16, 4))
NETWORK = (
    [RANDOM.standard_normal(shape) for shape in [(16, 5), (5, 4), (4, 2)]],
    [RANDOM.standard_normal(n) for n in (5, 4, 2)],
)
SCALARS = 4096  # bytes: parameters, not samples, of which X has eight times as many
SPECTRA = 12288  # bytes: singular values of blocks as well, which tell permutations apart
MODELS = {
    "matrix": ButterflyFactorizer(),
    "components": ButterflyFactorizer(4, max_iter=2),
    "blockwise": FixedSupportMF(4),
    "alternating": FixedSupportMF(
        4, supports="overlapping-groups", alpha=0.5, max_iter=4, tol=0.0, random_state=0
    ),
    "lbfgs": SparseDeepLinearNet(max_iter=4, tol=0.0),
    "adam": SparseDeepLinearNet(solver="adam", max_iter=2, tol=0.0, random_state=0),
    "random paths": ReLUPathEmbedding(random_state=0),
    "largest paths": ReLUPathEmbedding(estimator=NETWORK, n_paths=10),
}


def fitted(name, data, **parameters):
    estimator = clone(MODELS[name]).set_params(**parameters)
    target = (move_like(Y, data),) if isinstance(estimator, SparseDeepLinearNet) else ()
    return estimator.fit(data, *target)


def outputs(estimator, data):
    """What the methods give that take samples or codes."""
    found = {"transform": estimator.transform(data)}
    if hasattr(estimator, "inverse_transform"):
        found["inverse_transform"] = estimator.inverse_transform(found["transform"])
    if hasattr(estimator, "predict"):
        found["predict"] = estimator.predict(data)
    return found


def scored(estimator, data):
    target = (move_like(Y, data),) if isinstance(estimator, SparseDeepLinearNet) else ()
    return estimator.score(data, *target)


def arrays_of(estimator, kind):
    """Fitted attributes that are arrays, or lists of arrays."""
    values = [*vars(estimator).values(), getattr(estimator, "factors_", [])]
    parts = [part for value in values for part in (value if isinstance(value, list) else [value])]
    return [part for part in parts if isinstance(part, np.ndarray | kind)]


def assert_same(one, data, other, same_data):
    """Equal predictions, or codes where there are none: those of a hidden layer are not unique."""
    method = "predict" if hasattr(one, "predict") else "transform"
    found, expected = (
        to_numpy(getattr(estimator, method)(samples))
        for estimator, samples in ((one, data), (other, same_data))
    )
    assert_allclose(found, expected, atol=1e-8)


@contextmanager
def without_cupy():
    with pytest.MonkeyPatch.context() as context:
        for name in ("cupy", "cupyx"):
            context.setitem(sys.modules, name, None)
        yield


@pytest.mark.parametrize("name", MODELS)
def test_samples_of_the_device_stay_there(cupy, name):
    data = cupy.asarray(X)
    cupy.ledger.clear()
    estimator = fitted(name, data)
    assert max(cupy.ledger.to_host) <= SPECTRA < X.nbytes
    for method, found in outputs(estimator, data).items():
        assert isinstance(found, cupy.ndarray), method
    if hasattr(estimator, "score"):
        cupy.ledger.clear()
        assert scored(estimator, data) == pytest.approx(scored(fitted(name, X), X), abs=1e-8)
        assert max(cupy.ledger.to_host) <= 8
    own = getattr(estimator, "mean_", getattr(estimator, "components_", None))
    assert own is None or isinstance(own, cupy.ndarray)
    assert_same(estimator, data, fitted(name, X), X)


class TestTraffic:
    """Bytes that operations of CuPy read and write, which the page of CUDA kernels states."""

    random = np.random.default_rng(0)
    left, right = random.random((512, 32)) < 0.2, random.random((32, 512)) < 0.2

    def once(self, cupy, function):
        """Bytes and operations of one call, after a first one."""
        function()
        cupy.ledger.clear()
        function()
        return np.array([sum(cupy.ledger.traffic), len(cupy.ledger.traffic)])

    @pytest.fixture
    def network(self, cupy):
        sizes = (784, 1024, 1024, 10)
        shapes = [*pairwise(sizes), *((n,) for n in sizes[1:])]
        arrays = [cupy.asarray(gaussian(self.random, shape, "float32")) for shape in shapes]
        return (arrays[:3], arrays[3:]), sum(array.nbytes for array in arrays)

    def test_a_path_norm_moves_the_weights_three_times(self, cupy, network):
        traffic, _ = self.once(cupy, lambda: path_norm(network[0]))
        assert traffic == pytest.approx(3 * network[1], rel=0.02)

    def test_signs_of_sketches_come_from_the_host(self, cupy, network):
        traffic, _ = self.once(cupy, lambda: path_sketch(network[0], 100, random_state=0))
        assert traffic < 8 * network[1]
        assert sum(cupy.ledger.to_device) == 100 * (784 + 2 * 1024)

    @pytest.mark.parametrize(
        ("kind", "matrices", "operations"), [("alternating", 9, 800), ("palm", 450, 600)]
    )
    def test_a_sweep(self, cupy, kind, matrices, operations):
        n = 512 if kind == "alternating" else 256
        A = cupy.asarray(gaussian(self.random, (n, n), "float32"))

        def run(sweeps):
            if kind == "palm":
                return palm4msa(A, Chain.butterfly(n), max_iter=sweeps, tol=0.0)
            options = {"solver": "alternating", "tol": 0.0, "random_state": 0, "alpha": 0.1}
            return fixed_support_factorize(A, self.left, self.right, max_iter=sweeps, **options)

        few, many = (self.once(cupy, partial(run, sweeps)) for sweeps in (2, 7))
        traffic, done = (many - few) / 5
        assert 0 < traffic <= matrices * A.nbytes and 0 < done <= operations


@pytest.mark.parametrize("name", MODELS)
def test_a_larger_batch_does_not_cost_more_waits(cupy, name):
    estimator = fitted(name, cupy.asarray(X))
    counted = []
    for n in (33, 256):
        data = cupy.asarray(X[:n])
        outputs(estimator, data)  # fills caches
        cupy.ledger.clear()
        outputs(estimator, data)
        ledger = cupy.ledger
        assert sum(ledger.to_host) <= 64 and sum(ledger.to_device) <= SCALARS
        counted.append(sum(ledger.waits.values()))
    assert counted[0] == counted[1]


@pytest.mark.parametrize("name", MODELS)
def test_samples_of_the_host_come_back_to_it(cupy, name):
    estimator = fitted(name, X, backend="cupy")
    if name != "random paths":  # whose fit looks at the shape of X alone
        assert sum(cupy.ledger.launches.values()) > 0
    found = outputs(estimator, X)
    assert not any(isinstance(array, cupy.ndarray) for array in found.values())
    assert not any(isinstance(array, cupy.ndarray) for array in arrays_of(estimator, cupy.ndarray))
    assert_same(estimator, X, fitted(name, X), X)
    cupy.ledger.clear()
    codes = estimator.transform(X)
    assert sum(n == X.nbytes for n in cupy.ledger.to_device) == 1
    assert sorted(cupy.ledger.to_host)[-1] == codes.nbytes


@pytest.mark.parametrize(
    "name, most", [("alternating", 5), ("lbfgs", 3), ("adam", 2)], ids=["als", "lbfgs", "adam"]
)
def test_waits_of_an_iteration(cupy, name, most):
    data, counted = cupy.asarray(X), []
    for n_iter in (3, 7):
        cupy.ledger.clear()
        assert fitted(name, data, max_iter=n_iter).n_iter_ == n_iter
        counted.append(sum(cupy.ledger.waits.values()))
    assert (counted[1] - counted[0]) / 4 <= most


def test_functions_keep_arrays_on_the_device(cupy):
    A, samples = cupy.asarray(X[:16]), cupy.asarray(X)
    weights, biases = ([cupy.asarray(array) for array in arrays] for arrays in NETWORK)
    network = weights, biases
    other = [2 * weight for weight in weights], biases
    groups = np.repeat([[1, 0], [0, 1]], 8, axis=1)
    cupy.ledger.clear()
    operator = butterfly_factorize(A)
    values = [operator.apply(samples), operator.H.apply(samples), operator.toarray()]
    values.append(palm4msa(A, [KSparse(60), KSparse(60)], max_iter=2, tol=0.0).toarray())
    values.append(fixed_support_factorize(A, np.ones((16, 2)), groups).right)
    values.append(path_kernel(network, samples, samples))
    assert all(isinstance(value, cupy.ndarray) for value in values)
    assert isinstance(path_norm(network), float)
    assert path_metric(network, other).l1 > 0
    assert max(cupy.ledger.to_host) <= SPECTRA < X.nbytes


def test_the_distance_of_networks_counts_no_entries(cupy):
    """array-api-compat's `clip` does: two waits for each, of which there were hundreds."""
    network = tuple([cupy.asarray(array) for array in arrays] for arrays in NETWORK)
    path_metric(network, network)
    assert not any("times_power_of_two" in line for line in cupy.ledger.waits)
    assert sum(cupy.ledger.waits.values()) < 200


@pytest.mark.parametrize("name", MODELS)
def test_fitted_on_the_device_and_loaded_without_one(cupy, name):
    data = cupy.asarray(X)
    estimator = fitted(name, data)
    expected = {method: array.get() for method, array in outputs(estimator, data).items()}
    stored = pickle.dumps(estimator)
    loaded = pickle.loads(stored)
    assert isinstance(loaded.transform(data), cupy.ndarray)
    with without_cupy():
        loaded = pickle.loads(stored)
        for method, array in outputs(loaded, X).items():
            assert_allclose(array, expected[method], atol=1e-10, err_msg=method)
    cupy.ledger.no_driver = "cudaErrorInsufficientDriver"
    loaded = pickle.loads(stored)  # on a machine that has CuPy, and no device
    assert type(loaded.transform(X)) is np.ndarray


def test_a_stream_of_batches_is_loaded_without_a_device(cupy):
    data, target = cupy.asarray(X), cupy.asarray(Y)
    estimator = SparseDeepLinearNet(random_state=0).partial_fit(data, target)
    stored = pickle.dumps(estimator)
    further = estimator.partial_fit(data, target).predict(data).get()
    with without_cupy():
        found = pickle.loads(stored).partial_fit(X, Y).predict(X)
    assert_allclose(found, further, atol=1e-10)


def test_operators_of_all_factors_are_moved_saved_and_loaded(cupy, tmp_path):
    host = FactorizedOperator(
        [
            PartialPermutation(np.arange(15, -1, -1), 16),
            SparseFactor(scipy.sparse.random_array((16, 16), density=0.4, rng=RANDOM)),
            *butterfly_factorize(X[:16]).factors,
        ]
    )
    operator = host.to_device("cupy")
    assert isinstance(operator.apply(cupy.asarray(X)), cupy.ndarray)
    cupy.ledger.clear()
    operator.T, operator.factors[0].T
    assert not cupy.ledger.to_host  # a permutation is known to the host, too
    operator.save(tmp_path / "operator.npz")
    stored = pickle.dumps(operator)
    assert isinstance(pickle.loads(stored).apply(cupy.asarray(X)), cupy.ndarray)
    with without_cupy():
        for loaded in (pickle.loads(stored), FactorizedOperator.load(tmp_path / "operator.npz")):
            assert_allclose(loaded.apply(X), host.apply(X), atol=1e-12)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "alternating"])
def test_a_full_device_takes_samples_in_parts(cupy, name):
    estimator = fitted(name, X, backend="cupy")
    expected = outputs(estimator, X)
    cupy.ledger.to_device.clear()
    cupy.ledger.limit = cupy.get_default_memory_pool().used_bytes() + 40_000
    assert_allclose(estimator.transform(X), expected["transform"], atol=1e-10)
    assert X.nbytes // 2 in cupy.ledger.to_device


def test_a_device_without_room_says_what_helps(cupy):
    cupy.ledger.limit = cupy.get_default_memory_pool().used_bytes() + 1000
    memory_error = cupy.cuda.memory.OutOfMemoryError
    with pytest.raises(memory_error, match=r"32,768 bytes.*\n.*ButterflyFactorizer.*256, 16"):
        ButterflyFactorizer(backend="cupy").fit(X)
    cupy.ledger.clear()
    estimator = fitted("matrix", X, backend="cupy")
    cupy.ledger.limit = cupy.get_default_memory_pool().used_bytes() + 100
    with pytest.raises(memory_error, match=r"bytes(.|\n)*1, 16\).*backend='numpy'"):
        estimator.transform(X)


@pytest.mark.usefixtures("cupy")
def test_measurements_are_lost_to_sound_ones_only(tmp_path):
    with pytest.MonkeyPatch.context() as context:  # ends before that of the fixture
        context.syspath_prepend(BENCHMARKS)
        measuring = run_path(str(BENCHMARKS / "cuda.py"))
    facts = dict.fromkeys(("copy_tb_s", "cupy", "cuda", "driver"), 1)

    def run(device, whole=True, **failing):
        """A run in which the tests or another section fail; the card of the results that stay."""
        run = measuring["Run"](tmp_path, small=True, whole=whole)
        run.results["device"] = device and {"name": device, **facts}

        def rows(name):
            yield {"median_us": 1.0, **dict.fromkeys(("n", "dtype", "batch", "noise", "what"))} | {
                "contender": name
            }
            if name in failing:
                raise measuring["Wrong"]("3 failed")

        for name in measuring["NAMES"] if whole else ["tiles"]:
            assert run.section(name, 100, lambda _, name=name: rows(name)) == (name not in failing)
        found = json.loads((tmp_path / "cuda.json").read_text())
        assert ("tests failed: 3 failed" in (tmp_path / "cuda.rst").read_text()) == (
            found["sections"]["tests"]["state"] != "done"
        )
        return found["device"]["name"]

    assert run("first", tests=True) == "first"  # there is nothing to lose
    assert run("second", whole=False) == run("third", tests=True) == "first"
    assert run("fourth") == "fourth"
    assert run("fifth", correctness=True) == "fourth"


@pytest.mark.usefixtures("cupy")
def test_the_script_that_measures_runs_through():
    """In a process of its own, with times that mean nothing."""
    sections = ["correctness", "products", "factorizations", "functions"]
    command = [sys.executable, BENCHMARKS / "cuda.py", "--dry-run", "--only"]
    done = subprocess.run(
        [*command, *sections, "tiles"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (STAND_IN, ROOT)))},
        capture_output=True,
        check=True,
        text=True,
    )
    for section in sections:  # compiling may take the time of one
        assert f"\n{section}: done" in done.stderr or f"\n{section}: cut off" in done.stderr
    assert "\ntiles: not measured: kernels cannot be compiled here" in done.stderr
    unknown = subprocess.run([*command, "typo"], capture_output=True, check=False, text=True)
    assert unknown.returncode and "invalid choice: 'typo'" in unknown.stderr


@pytest.mark.parametrize("name", ["matrix", "blockwise", "lbfgs"])
def test_a_fit_without_room_leaves_the_estimator_as_it_was(cupy, name):
    data, few = cupy.asarray(X), cupy.asarray(X[:, :8])
    whole, unfitted = fitted(name, data), clone(MODELS[name])
    expected = whole.transform(data).get()
    cupy.ledger.limit = cupy.get_default_memory_pool().used_bytes() + 100
    for estimator in (whole, unfitted):
        with pytest.raises(cupy.cuda.memory.OutOfMemoryError):
            estimator.fit(few, few)
    cupy.ledger.limit = float("inf")
    assert_allclose(whole.transform(data).get(), expected)
    with pytest.raises(NotFittedError):
        unfitted.transform(data)


def test_functions_and_operators_say_what_helps_where_there_is_no_room(cupy):
    data, operator = cupy.asarray(X), butterfly_factorize(X[:16])
    there = operator.to_device("cupy")
    cupy.ledger.limit = cupy.get_default_memory_pool().used_bytes() + 100
    for words, call in {
        r"rows of shape \(256, 16\)": lambda: there.apply(data),
        r"columns of shape \(16, 256\)": lambda: there.matmat(data.T),
        "FactorizedOperator": lambda: (2 * operator).to_device("cupy"),
        r"a matrix of shape \(256, 16\)": lambda: butterfly_factorize(data),
    }.items():
        with pytest.raises(cupy.cuda.memory.OutOfMemoryError) as caught:
            call()
        (note,) = caught.value.__notes__
        assert re.search(f"too little memory for .*{words}.*: pass fewer rows.*float32", note)


def test_arrays_of_two_places_are_not_mixed(cupy):
    data = cupy.asarray(X)
    operator = butterfly_factorize(X[:16])
    for mixed in (
        lambda: operator.apply(data),
        lambda: operator.to_device("cupy").apply(X),
        lambda: FactorizedOperator([np.eye(3), cupy.asarray(np.eye(3))]),
        lambda: path_metric(NETWORK, ([cupy.asarray(w) for w in NETWORK[0]], NETWORK[1])),
        lambda: fitted("matrix", X).transform(data),
        lambda: fitted("matrix", data).transform(X),
    ):
        with pytest.raises(ValueError, match=r"convert|Convert"):
            mixed()


def test_parameters_of_the_host_go_with_samples_of_the_device(cupy):
    data, weight = cupy.asarray(X), np.linspace(1, 2, len(X))
    net = SparseDeepLinearNet(max_iter=3)
    found = net.fit(data, Y, sample_weight=weight).predict(data)
    assert_allclose(found.get(), clone(net).fit(X, Y, sample_weight=weight).predict(X), atol=1e-8)
    butterfly = ButterflyFactorizer(operator=X[:16])
    assert isinstance(butterfly.fit(data).transform(data), cupy.ndarray)
    elsewhere = ButterflyFactorizer(operator=cupy.asarray(X[:16])).fit(X)
    assert type(elsewhere.transform(X)) is np.ndarray


@pytest.mark.parametrize("name", MODELS)
def test_the_second_device(cupy, name):
    with cupy.cuda.Device(1):
        data = cupy.asarray(X)
        estimator = fitted(name, data)
        for array in (*outputs(estimator, data).values(), *arrays_of(estimator, cupy.ndarray)):
            assert not isinstance(array, cupy.ndarray) or array.device.id == 1
        host = fitted(name, X, backend="cupy")
        assert_allclose(host.transform(X), estimator.transform(data).get(), atol=1e-8)


def test_devices_are_told_apart(cupy):
    operator = butterfly_factorize(X[:16]).to_device("cupy")
    with cupy.cuda.Device(1):
        data = cupy.asarray(X)
        with pytest.raises(ValueError, match=r"device <CUDA Device 1>, the operator on <CUDA Dev"):
            operator.apply(data)
        there = operator.to_device(data)
        assert there.apply(data).device.id == 1
    estimator = fitted("matrix", cupy.asarray(X))
    with (
        cupy.cuda.Device(1),
        pytest.raises(ValueError, match=r"the same device.*Device 0.*Device 1"),
    ):
        estimator.transform(data)
    # an array of the host goes where it is sent, whichever device is the current one
    moved = butterfly_factorize(X[:16]).to_device(data)
    assert {factor.values.device.id for factor in moved.factors} == {1}
    with (
        pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="invalid device"),
        cupy.cuda.Device(2),
    ):
        pass


def test_no_cupy_no_device_no_driver(cupy):
    estimator = ButterflyFactorizer(backend="cupy")
    cupy.ledger.n_devices = 0
    with pytest.raises(RuntimeError, match=r"CuPy finds none\. Use backend='auto' or 'numpy'"):
        estimator.fit(X)
    cupy.ledger.no_driver = "cudaErrorInsufficientDriver"
    with pytest.raises(RuntimeError, match=r"finds none \(cudaErrorInsufficientDriver\)"):
        estimator.fit(X)
    assert not hasattr(estimator, "operator_")
    with without_cupy(), pytest.raises(ImportError, match=r"not installed: `pip install skfact\["):
        estimator.fit(X)


@pytest.mark.usefixtures("cupy")
def test_a_cupy_that_is_broken_is_not_called_missing(tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('libcudart.so.12 is missing')")
    with pytest.MonkeyPatch.context() as context:
        for name in ("cupy", "array_api_compat.cupy"):
            context.delitem(sys.modules, name)
        context.syspath_prepend(tmp_path)
        with pytest.raises(ImportError, match=r"cannot be imported \(libcudart"):
            ButterflyFactorizer(backend="cupy").fit(X)


class Scale:
    """A module of one kernel."""

    def __init__(self, code, options):
        assert (code, options) == ("source", ("-DREAL=double",))

    def get_function(self, name):
        assert name == "scale"

        def scale(grid, block, args, *, shared_mem):
            y, x, factor = args
            y.on_host[...] = x.on_host * factor + grid[0] + block[0] + shared_mem

        return scale


def test_kernels_of_a_source_are_called_as_those_of_cupy(cupy):
    assert not hasattr(cupy, "RawModule")
    cupy.ledger.run_kernels_by(Scale)
    kernel = cupy.RawModule(code="source", options=("-DREAL=double",)).get_function("scale")
    x, y = cupy.asarray(np.ones(3)), cupy.empty(3)
    with pytest.raises(RuntimeError, match="INVALID_VALUE"):
        kernel((1,), (2,), (y, x, np.float64(5)), shared_mem=50_000)
    with pytest.raises(RuntimeError, match="INVALID_VALUE"):
        kernel.max_dynamic_shared_size_bytes = 10**6
    kernel.max_dynamic_shared_size_bytes = 50_000
    for grid, block in [((1,), (1025,)), ((0,), (2,)), ((2**31,), (2,))]:
        with pytest.raises(RuntimeError, match="INVALID_VALUE"):
            kernel(grid, block, (y, x, np.float64(5)))
    with pytest.raises(TypeError, match="of the host of 3"):
        kernel((1,), (2,), (y, np.ones(3), np.float64(5)))
    kernel((1,), (2,), (y, x, np.float64(5)), shared_mem=50_000)
    assert_allclose(y.get(), 50_008)
    assert cupy.ledger.launches["scale"] == 1


@pytest.mark.skipif(not emulation.usable(), reason="there is no C++ compiler")
@for_each("dtype", ["float32", "complex128"])
def test_kernels_built_for_the_processor_serve_arrays_of_the_device(cupy, dtype, monkeypatch):
    emulation.with_few_threads(monkeypatch)
    cupy.ledger.run_kernels_by(emulation.RawModule)
    A = gaussian(RANDOM, (16, 16), dtype)  # not of rank one: some blocks are left to CuPy
    there, here = butterfly_factorize(cupy.asarray(A)), butterfly_factorize(A)
    lost = [np.linalg.norm(array - A) for array in (there.toarray().get(), here.toarray())]
    assert_allclose(*lost, rtol=1e-5)
    A = (hadamard(16) / 4).astype(dtype) * (1j if dtype == "complex128" else 1)
    rows = gaussian(RANDOM, (33, 16), dtype)
    data = cupy.asarray(rows)
    operator = butterfly_factorize(cupy.asarray(A))
    assert cupy.ledger.launches["split_rank_one"] > 0
    cupy.ledger.clear()
    cupy.ledger.run_kernels_by(emulation.RawModule)
    operator.apply(data), data @ operator  # lays the factors out, for calls on any stream
    assert [wait for wait in cupy.ledger.waits if "synchronize" in wait and "lay_out" in wait]
    cupy.ledger.clear()
    cupy.ledger.run_kernels_by(emulation.RawModule)
    found = operator.apply(data), operator @ data[0, :], operator.matmat(data.T), data @ operator
    assert cupy.ledger.launches["multiply_chain"] == 4
    assert not cupy.ledger.waits and not cupy.ledger.to_device
    expected = rows @ A.T, A @ rows[0], A @ rows.T, rows @ A
    for array, right in zip(found, expected, strict=True):
        assert array.dtype == dtype
        assert_allclose(array.get(), right, atol=50 * np.finfo(dtype).eps)


@pytest.mark.skipif(not emulation.usable(), reason="there is no C++ compiler")
@for_each("dtype", ["float32", "complex128"])
def test_terms_of_a_sum_are_added_up_by_the_kernel(cupy, dtype, monkeypatch):
    emulation.with_few_threads(monkeypatch)
    cupy.ledger.run_kernels_by(emulation.RawModule)
    A = [
        (hadamard(16) / 4).astype(dtype),
        np.eye(16, dtype=dtype),
        gaussian(RANDOM, (16, 16), dtype),
    ]
    terms = [butterfly_factorize(cupy.asarray(matrix), "butterfly") for matrix in A[:2]]
    operator = terms[0] + terms[1] - terms[0].T
    rows = gaussian(RANDOM, (33, 16), dtype)
    data, image = cupy.asarray(rows), rows @ (A[0] + A[1] - A[0].T).T
    operator.apply(data)  # lays the factors out
    for run, right in [
        (operator.apply, image),
        (lambda X: operator.matmat(X.T), image.T),
        (lambda X: operator.matvec(X[0, :]), image[0]),
    ]:
        cupy.ledger.clear()
        cupy.ledger.run_kernels_by(emulation.RawModule)
        found = run(data)
        assert cupy.ledger.launches["multiply_chain"] == 3
        assert not cupy.ledger.waits and sum(cupy.ledger.traffic) <= found.nbytes
        assert_allclose(found.get(), right, atol=50 * np.finfo(dtype).eps)
    dense = operator + cupy.asarray(A[2])  # one term is no chain that the kernel serves better
    assert_allclose(dense.apply(data).get(), image + rows @ A[2].T, atol=1e-5)


@pytest.mark.skipif(not emulation.usable(), reason="there is no C++ compiler")
def test_what_is_stated_of_a_long_matrix_of_entries_alike_is_what_it_loses(cupy, monkeypatch):
    emulation.with_few_threads(monkeypatch)
    cupy.ledger.run_kernels_by(emulation.RawModule)
    for shape in [(5000, 4), (4, 5000)]:
        A, chain = np.full(shape, 0.7, "f4"), Chain.low_rank(*shape, 1)
        operator, stated = butterfly_factorize(cupy.asarray(A), chain, return_errors=True)
        assert cupy.ledger.launches.pop("split_rank_one") > 0
        left, right = (factor.values.get().astype("f8") for factor in operator.factors)
        lost = np.linalg.norm(A - left.reshape(-1, 1) * right.reshape(1, -1))
        assert max(lost, *stated) <= 20 * np.finfo("f4").eps * np.linalg.norm(A)


def test_kernels_of_cuda_are_not_for_devices_of_rocm(cupy, monkeypatch):
    cupy.ledger.run_kernels_by(emulation.RawModule)
    xp = array_namespace(cupy.asarray(X))
    assert _cuda.serves(xp)
    monkeypatch.setattr(cupy.cuda.runtime, "is_hip", True)
    assert not _cuda.serves(xp)
    data = cupy.asarray(X[:16])
    assert_allclose(
        butterfly_factorize(data).toarray().get(), butterfly_factorize(X[:16]).toarray()
    )
    assert cupy.ledger.launches["split_rank_one"] == 0


def test_the_stand_in_refuses_what_cupy_refuses(cupy):
    x = cupy.asarray(np.ones(3))
    for refused in (lambda: np.asarray(x), lambda: x + np.ones(3), lambda: cupy.stack([x, X[0]])):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(ValueError, match="fill"):
        x[:] = np.ones(3)
    with pytest.raises(TypeError, match="where"):
        cupy.sum(x, where=x > 0)
    with pytest.raises(AttributeError, match="no 'median'"):
        _ = cupy.median
    cupy.ledger.clear()
    assert float(x[0] + 1) == 2 and to_numpy(x).sum() == 3
    assert cupy.ledger.to_host == [8, 24] and len(cupy.ledger.waits) == 2
