"""Where compiled loops come from: numba where it is, a cache where one can be written."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.linalg import hadamard

from skfact._kernels._jit import compiled
from skfact.butterfly import butterfly_factorize

APPLY = "skfact._kernels.apply.numba"

SCRIPT = """
import sys
import numpy as np
from scipy.linalg import hadamard
from skfact._kernels._jit import compiled
from skfact.butterfly import butterfly_factorize
H = hadamard(32).astype(float)
operator = butterfly_factorize(H)
X = np.eye(32)
assert np.abs(operator.apply(X) - H).max() < 1e-13
assert np.abs(operator @ X[0] - H[0]).max() < 1e-13
print(compiled("skfact._kernels.apply.numba") is not None, "numba" in sys.modules)
"""

COMPILES = (
    "skfact compiles loops for this processor, some seconds at the first use of each with a "
    "precision, and keeps them on disk if it can write there; skfact.compile_kernels() does so "
    "beforehand.\n"
)


def run(script, says=("", COMPILES), **environment):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        **{name: str(value) for name, value in environment.items()},
    }
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr in says
    return done.stdout.split()


def test_nothing_imports_numba_before_it_is_used():
    assert run("import sys, skfact.operators, skfact.butterfly; print('numba' in sys.modules)") == [
        "False"
    ]


def test_without_numba():
    """None in sys.modules makes the import fail."""
    script = "import sys; sys.modules['numba'] = None\n" + SCRIPT
    assert run(script)[0] == "False"


@pytest.mark.skipif(compiled(APPLY) is None, reason="numba is not installed")
def test_with_numba_switched_off():
    assert run(SCRIPT, NUMBA_DISABLE_JIT=1) == ["False", "True"]


@pytest.mark.skipif(compiled(APPLY) is None, reason="numba is not installed")
def test_no_directory_to_cache_in(tmp_path):
    """A file stands where each directory would have to be made."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    script = f"""
import numba.core.caching as caching

def named(name):  # some versions have an underscore
    return getattr(caching, name, None) or getattr(caching, "_" + name)

class Nowhere(named("UserWideCacheLocator")):
    def get_cache_path(self):
        return {str(blocked / "cache")!r}

named("CacheImpl")._locator_classes = [Nowhere]

import numpy as np
from skfact._kernels import paths

print(paths.power_product(np.ones(3), np.ones((3, 2)), 1))
print("skfact._kernels.paths.numba" in sys.modules)
"""
    assert run("import sys" + script) == ["[3.", "3.]", "True"]


@pytest.mark.skipif(compiled(APPLY) is None, reason="numba is not installed")
def test_the_first_compilation_says_so_once(tmp_path):
    script = """
import numpy as np
from skfact._kernels import paths

for dtype in ("float32", "float64"):
    print(paths.power_product(np.ones(3, dtype), np.ones((3, 2), dtype), 1)[0])
"""
    for says in (COMPILES, ""):  # compiled, then loaded
        assert run(script, [says], NUMBA_CACHE_DIR=tmp_path) == ["3.0", "3.0"]


@pytest.mark.skipif(compiled(APPLY) is None, reason="numba is not installed")
def test_a_loop_is_compiled_anew_when_a_module_beside_it_changes(tmp_path):
    """The machine code on disk is of the loop together with what it calls."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "loop.py").write_text(
        "from skfact._kernels._jit import jit\n"
        "from step import step\n\n"
        "@jit\ndef loop(x):\n    return step(x) + 1\n",
        encoding="utf-8",
    )
    script = "import sys; sys.path.insert(0, sys.argv[1]); from loop import loop; print(loop(1))"
    script = script.replace("sys.argv[1]", repr(str(package)))
    for factor in (10, 20):
        (package / "step.py").write_text(
            f"from skfact._kernels._jit import jit\n\n"
            f"@jit\ndef step(x):\n    return {factor} * x\n",
            encoding="utf-8",
        )
        for _ in range(2):  # compiled, then loaded
            assert run(script, NUMBA_CACHE_DIR=tmp_path / "cache") == [str(factor + 1)]


def test_both_ways_agree(monkeypatch):
    """What users get without numba is what they get with it, to rounding."""
    H = hadamard(64) + 0.1 * np.random.default_rng(0).standard_normal((64, 64))
    X = np.random.default_rng(1).standard_normal((20, 64))
    with_numba = butterfly_factorize(H)
    matrix, images = with_numba.toarray(), with_numba.apply(X)
    compiled.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    try:
        assert compiled(APPLY) is None
        without = butterfly_factorize(H)
        np.testing.assert_allclose(without.toarray(), matrix, atol=1e-12)
        np.testing.assert_allclose(without.apply(X), images, atol=1e-11)
    finally:
        compiled.cache_clear()
