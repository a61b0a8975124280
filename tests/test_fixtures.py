"""The fixtures over array namespaces, and the page that is generated from them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn

from skfact.supports import Chain, KroneckerSparse

ROOT = Path(__file__).parents[1]


def test_array_api_support_of_scipy_is_on():
    # scikit-learn refuses dispatch, and skips its own array-API checks, where SciPy's is off
    with sklearn.config_context(array_api_dispatch=True):
        pass


def test_arrays_live_where_the_fixtures_say(xp, device, asarray, namespace):
    array = asarray([[1.0, 2.0]], dtype=xp.float32)
    assert array.dtype == xp.float32
    assert array.shape == (1, 2)
    assert array.device == device
    assert namespace.library in xp.__name__


def test_read_only_arrays_refuse_writes(asarray, namespace):
    array = asarray([1.0, 2.0])
    if namespace.read_only:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3.0
    else:
        array[0] = 3.0
        assert float(array[0]) == 3.0


@pytest.mark.skip_namespace("torch", "cupy", reason="shows that the mark is heeded")
def test_skip_namespace(namespace):
    assert namespace.library in {"numpy", "array_api_strict"}


def build_chain():
    return (lambda: Chain.butterfly(4))()


def example_test():
    assert build_chain()[0] == KroneckerSparse(1, 2, 2, 2)
    assert np.any([True])


def test_tests_are_credited_with_the_names_they_and_their_helpers_use(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "doc"))
    sys.modules.pop("api_reference", None)
    from what_runs_where import names_in

    names = names_in(example_test)
    assert {"Chain", "KroneckerSparse"} <= names
    assert "KSparse" not in names
