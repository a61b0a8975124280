"""Loops that are compiled before they are used."""

import os
import subprocess
import sys

import pytest

from skfact import _compile_kernels, compile_kernels
from skfact._kernels._jit import can_compile

needs_numba = pytest.mark.skipif(not can_compile(), reason="numba is missing or switched off")

SCRIPT = """
import numpy as np
from skfact import compile_kernels
from skfact._kernels._jit import compilations
from skfact.relu import path_norm

print(*compile_kernels("relu"), sep=", ")
W = np.ones((3, 3))
with compilations(lambda name, seconds: print("more:", name)):
    print(path_norm(([W, W.T.copy().T], [W[0], W[0]])) > 0)
"""


@needs_numba
def test_nothing_is_left_to_compile(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    for compiled in ("paths.by_rows, paths.by_columns", ""):  # then found on disk
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines() == [compiled, "True"]


@needs_numba
@pytest.mark.parametrize("name", _compile_kernels.USES)
def test_a_second_time_there_is_nothing_to_compile(name):
    dtypes = "float64"
    compile_kernels(name, dtypes=dtypes)
    assert compile_kernels(name, dtypes=dtypes) == {}


def test_without_numba(monkeypatch):
    monkeypatch.setattr(_compile_kernels, "can_compile", lambda: False)
    with pytest.raises(RuntimeError, match="numba is not there"):
        compile_kernels()


@needs_numba
def test_what_is_compiled_is_printed(monkeypatch, capsys):
    """One line for each loop, when it is there."""

    def uses(dtype):
        import numba

        numba.njit(lambda x: x + 1)(dtype.itemsize)

    monkeypatch.setattr(_compile_kernels, "USES", {"relu": uses})
    (seconds,) = compile_kernels("relu", verbose=1).values()
    assert seconds > 0
    assert "compiled in" in capsys.readouterr().out
