"""Bad and unusual input: it works and is right, or it is refused with the argument's name.

One list of cases, each a call and what it must do; `tests/bad_input` holds a module of cases for
each system. Whatever happens, no input is modified and no file is written.
"""

import copy
import pickle
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize
from skfact.operators import FactorizedOperator
from skfact.supports import Chain
from tests.asserts import about, for_each, on_any_matrix
from tests.bad_input import (  # noqa: F401  (importing a module lists its cases)
    butterfly,
    compile_kernels,
    compression,
    deep_linear,
    export,
    fixed_support,
    fixed_support_theory,
    network_graph,
    operators,
    relu,
    relu_modules,
    rotations,
    supports,
    torch_layers,
    transforms,
)
from tests.bad_input.cases import CASES, A


def frozen(value):
    """Everything that makes up an input, to see that it stays as it is."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.strides, value.flags.writeable, value.tobytes()
    if scipy.sparse.issparse(value):
        return type(value), value.toarray().tobytes()
    return pickle.dumps(value)


def subject(case):
    """What stands before the first colon or comma of a name: mostly the function that is called."""
    head, *rest = re.split("[:,]", case.id)
    return head if rest else "others"


CASES_OF = {}
for case in CASES:
    CASES_OF.setdefault(subject(case), []).append(case)


def test_cases_have_names_of_their_own():
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_every_module_lists_cases():
    """With a module that nobody imports its cases would go missing unnoticed."""
    directory = Path(__file__).parent / "bad_input"
    modules = {path.stem for path in directory.glob("*.py")} - {"cases"}
    assert modules <= globals().keys()


@on_any_matrix
@pytest.mark.parametrize("cases", CASES_OF.values(), ids=CASES_OF)
def test_cases(cases, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for case in cases:
        with about(repr(case.id)):
            before = [frozen(value) for value in case.inputs]
            if case.error is None:
                case.check(case.call(*case.inputs), *case.inputs)
            else:
                with pytest.raises(case.error, match=f"(?s){case.message}"):
                    case.call(*case.inputs)
            assert [frozen(value) for value in case.inputs] == before
            assert list(tmp_path.iterdir()) == []


@on_any_matrix
def test_memory_mapped_input(tmp_path):
    np.save(tmp_path / "A.npy", A)
    mapped = np.load(tmp_path / "A.npy", mmap_mode="r")
    stored = (tmp_path / "A.npy").read_bytes()
    butterfly.same_product(butterfly_factorize(mapped), A)
    estimator = ButterflyFactorizer().fit(mapped)
    assert_allclose(estimator.transform(mapped), A @ estimator.components_.T, atol=1e-12)
    assert (tmp_path / "A.npy").read_bytes() == stored
    assert list(tmp_path.iterdir()) == [tmp_path / "A.npy"]
    mapped = np.load(tmp_path / "A.npy", mmap_mode="r+")
    butterfly_factorize(mapped)
    mapped.flush()
    assert (tmp_path / "A.npy").read_bytes() == stored


def test_lazy_arrays_are_not_loaded():
    dask_array = pytest.importorskip("dask.array")
    lazy = dask_array.from_array(A)
    with pytest.raises(TypeError, match=r"A is a dask array.*compute"):
        butterfly_factorize(lazy)
    with pytest.raises(TypeError, match=r"X is a dask array.*compute"):
        ButterflyFactorizer().fit(lazy)


@on_any_matrix
@for_each("bad", [np.nan, np.inf, -np.inf])
def test_not_a_number_anywhere(asarray, bad):
    """In every corner of the matrix, in every library, in the function and in the estimator."""
    for i, j in [(0, 0), (7, 0), (3, 4), (7, 7)]:
        matrix = A.copy()
        matrix[i, j] = bad
        given = asarray(matrix)
        word = "NaN" if np.isnan(bad) else "infinity"
        with pytest.raises(ValueError, match=f"A contains {word}"):
            butterfly_factorize(given)
        with pytest.raises(ValueError, match=f"X contains {word}"):
            ButterflyFactorizer().fit(given)
        estimator = ButterflyFactorizer().fit(asarray(A))
        with pytest.raises(ValueError, match=f"X contains {word}"):
            estimator.transform(given)
        with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
            estimator.inverse_transform(given)


@pytest.mark.parametrize(
    "values, message",
    [
        (A[0], "X must be 2-D"),
        (A[None], "X must be 2-D"),
        (A[:0], "X must have at least one row"),
        (A[:, :0], "X must have at least one row"),
    ],
)
@pytest.mark.skip_namespace("numpy", "numpy-read-only", reason="scikit-learn's checks, as above")
def test_shapes_in_other_libraries(asarray, values, message):
    with pytest.raises(ValueError, match=message):
        ButterflyFactorizer().fit(asarray(values))


@pytest.mark.skip_namespace("numpy", "numpy-read-only", reason="scikit-learn's checks, as above")
def test_complex_samples_in_other_libraries(asarray):
    with pytest.raises(ValueError, match="X must be real"):
        ButterflyFactorizer().fit(asarray(A + 1j))


class TestFiles:
    """Corrupted files; tests/operators has more of them."""

    @pytest.fixture
    def stored(self, tmp_path: Path) -> Path:
        path = tmp_path / "operator.npz"
        operators.operator.save(path)
        assert_array_equal(FactorizedOperator.load(path).toarray(), operators.operator.toarray())
        return path

    @pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.99])
    def test_truncated(self, stored, part):
        content = stored.read_bytes()
        stored.write_bytes(content[: int(part * len(content))])
        with pytest.raises(ValueError, match=r"operator\.npz"):
            FactorizedOperator.load(stored)

    @pytest.mark.parametrize("content", [b"not a file of numbers", b"PK\x03\x04", b"\x93NUMPY"])
    def test_something_else(self, stored, content):
        stored.write_bytes(content)
        with pytest.raises(ValueError, match=r"operator\.npz"):
            FactorizedOperator.load(stored)

    def test_arrays_of_another_kind(self, stored):
        np.savez(stored, a=A)
        with pytest.raises(ValueError, match=r"operator\.npz"):
            FactorizedOperator.load(stored)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            FactorizedOperator.load(tmp_path / "none.npz")


def test_a_failed_fit_leaves_the_parameters():
    estimator = ButterflyFactorizer(supports=Chain.butterfly(4), rank=2)
    before = copy.deepcopy(estimator.get_params())
    with pytest.raises(ValueError, match="rank=2"):
        estimator.fit(A)
    assert estimator.get_params() == before
