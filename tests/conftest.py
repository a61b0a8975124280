import os
import sys

os.environ["SCIPY_ARRAY_API"] = (
    "1"  # first: without it scikit-learn's array-API checks skip silently
)

# Fixtures `xp`, `device` and `asarray` run a test over every array namespace of NAMESPACES.
#
# `xp` is the array-API namespace (what `array_namespace` gives), `device` a device of it, and
# `asarray(host_array, dtype=None)` makes an array of it there. A test that asks for `asarray` also
# runs on read-only NumPy arrays, which catches writes to the input. A test that does not apply to
# a namespace says so with `@pytest.mark.skip_namespace("torch", reason="...")`, never by a skip in
# its body: doc/what_runs_where.py reads this parametrization.

from collections.abc import Callable, Generator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import array_api_compat
import hypothesis
import numpy as np
import pytest

from tests.arrays import DTYPES, FEW

pytest.register_assert_rewrite("tests.asserts")

hypothesis.settings.register_profile("skfact", deadline=None, max_examples=8 if FEW else 50)
hypothesis.settings.load_profile("skfact")


class Namespace(NamedTuple):
    """One column of "what runs where": an array library, a device of it, and a name for readers."""

    library: str
    device: Callable[[Any], Any]
    title: str
    read_only: bool = False


NAMESPACES = {
    "numpy": Namespace("numpy", lambda xp: "cpu", "NumPy"),
    "numpy-read-only": Namespace("numpy", lambda xp: "cpu", "NumPy, read-only", read_only=True),
    "array_api_strict": Namespace(
        "array_api_strict", lambda xp: xp.Device("CPU_DEVICE"), "array_api_strict"
    ),
    "array_api_strict-device1": Namespace(
        "array_api_strict", lambda xp: xp.Device("device1"), "array_api_strict, second device"
    ),
    "torch": Namespace("torch", lambda xp: xp.asarray(0.0, device="cpu").device, "PyTorch, CPU"),
    "cupy": Namespace("cupy", lambda xp: xp.zeros(1).device, "CuPy"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "namespace" not in metafunc.fixturenames:
        return
    skips = {
        name: mark.kwargs["reason"]
        for mark in metafunc.definition.iter_markers("skip_namespace")
        for name in mark.args
    }
    if unknown := set(skips) - set(NAMESPACES):
        raise ValueError(f"skip_namespace: {unknown} not in {list(NAMESPACES)}")
    parameters = []
    for name, namespace in NAMESPACES.items():
        if name in skips or (namespace.read_only and "asarray" not in metafunc.fixturenames):
            continue
        marks = [pytest.mark.gpu] if namespace.library == "cupy" else []
        parameters.append(pytest.param(name, marks=marks, id=name))
    metafunc.parametrize("namespace", parameters, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """No doctests here: a file of tests that cannot be imported would be skipped with them."""
    collectors = yield
    return [collector for collector in collectors if type(collector) is pytest.Module]


def pytest_sessionstart() -> None:
    """Of several processes each compiles loops for one precision; others find them on disk."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        butterfly = import_module("skfact.butterfly")
        A = np.eye(16, dtype=DTYPES[int(worker.removeprefix("gw")) % len(DTYPES)])
        operator = butterfly.butterfly_factorize(A)
        operator.apply(A), operator.matvec(A[0])


def skip_unless_usable(library: str) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    if library == "cupy":
        cupy = import_module("cupy")
        try:
            cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            pytest.skip(f"no CUDA device: {error}")


STAND_IN = Path(__file__).parent / "cupy_stand_in"
_played: dict[str, Any] = {}  # its modules, and those of libraries that look for CuPy


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """The stand-in for CuPy, until the end of the test; skipped where CuPy itself is installed."""
    found = find_spec("cupy")
    if found is not None and STAND_IN not in Path(str(found.origin)).parents:
        pytest.skip("CuPy itself is installed")
    with monkeypatch.context() as context:
        context.syspath_prepend(STAND_IN)
        before = set(sys.modules)
        for name, module in _played.items():
            context.setitem(sys.modules, name, module)
        module = import_module("cupy")
        module.ledger.clear()
        yield module
        module.ledger.clear()
        if found is None:
            _played.update({name: sys.modules.pop(name) for name in _of_cupy(before)})


def _of_cupy(before: set[str]) -> list[str]:
    """Modules of CuPy, and copies of array-api-compat for it, that were not there before."""
    new = [name for name in sys.modules if name not in before]
    return [name for name in new if {"cupy", "cupyx"} & set(name.split("."))]


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Namespace:
    entry = NAMESPACES[request.param]
    skip_unless_usable(entry.library)
    return entry


@pytest.fixture
def xp(namespace: Namespace) -> Any:
    """Array-API namespace under test."""
    library = import_module(namespace.library)
    return array_api_compat.array_namespace(library.empty(0))


@pytest.fixture
def device(namespace: Namespace, xp: Any) -> Any:
    """Device of `xp` under test."""
    return namespace.device(xp)


@pytest.fixture
def asarray(namespace: Namespace, xp: Any, device: Any) -> Callable[..., Any]:
    """Copy a host array or list to `xp` on `device`; read-only in the read-only variant."""

    def convert(values: Any, dtype: Any = None) -> Any:
        array = xp.asarray(np.array(values), dtype=dtype, device=device)
        if namespace.read_only:
            array.flags.writeable = False
        return array

    return convert
