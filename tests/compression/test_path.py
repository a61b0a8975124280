"""Several sizes from one search."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import skfact.compression._search as module
from skfact.compression import compress, compression_path
from skfact.compression._layers.arrays import Layered

RNG = np.random.default_rng(0)
PAIR = [RNG.standard_normal((20, 30)), RNG.standard_normal((30, 20))], [np.ones(30), np.ones(20)]
X = RNG.standard_normal((200, 20)) @ np.diag(0.9 ** np.arange(20))


def arrays(pair):
    return [w if isinstance(w, np.ndarray) else w.toarray() for w in (*pair[0], *pair[1])]


@pytest.mark.parametrize(
    "inputs, sequential", [(None, True), (X, False), (X, True)], ids=["entries", "apart", "in turn"]
)
@pytest.mark.parametrize(
    "name, bounds",
    [("max_density", [0.5, 0.3]), ("budget", np.array([300, 600])), ("tol", (0.3, 0.1))],
)
def test_they_are_those_of_one_after_another(inputs, sequential, name, bounds):
    options = {"supports": "low-rank", "sequential": sequential}
    path = compression_path(PAIR, inputs, **{name: bounds}, **options)
    assert len(path) == len(bounds)
    for bound, found in zip(bounds, path):
        alone = compress(PAIR, inputs, **{name: bound}, **options)
        assert str(found) == str(alone)
        assert all(map(np.array_equal, arrays(found.network), arrays(alone.network)))


def test_looks_are_taken_once(monkeypatch):
    """At inputs and outputs of the original network, and at the layers."""
    seen = []
    for name in ("effects", "curve_of"):
        function = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, f=function, n=name: seen.append(n) or f(*args)
        )
    outputs = Layered.outputs
    monkeypatch.setattr(
        Layered, "outputs", lambda self, to: seen.append(len(to)) or outputs(self, to)
    )
    compression_path(PAIR, X, max_density=[0.2, 0.3, 0.4, 0.5])
    assert seen.count("effects") == seen.count(0) == 1 and seen.count("curve_of") == 2


def test_outputs_and_inputs_that_are_not_kept(monkeypatch):
    """They are computed again."""
    kept = compression_path(PAIR, X, max_density=[0.3, 0.5])
    monkeypatch.setattr("skfact.compression._outputs.KEPT", 0)
    monkeypatch.setattr("skfact.compression._fit.KEPT", 0)
    again = compression_path(PAIR, X, max_density=[0.3, 0.5])
    assert [str(found) for found in kept] == [str(found) for found in again]
    for one, other in zip(kept, again):
        for array, same in zip(arrays(one.network), arrays(other.network)):
            assert_array_equal(array, same)


def test_progress_is_printed(capsys):
    compress(PAIR, X, max_density=0.3, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("[compress] layer ") for line in lines)
    assert sum("effect" in line for line in lines) == 2
    assert lines[-1].startswith("[compress] layer 2 of 2, 1: ") and "error in place" in lines[-1]
    compress(PAIR, X, max_density=0.3, verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == len(lines) / 2
    compress(PAIR, X, max_density=0.3)
    assert not capsys.readouterr().out
