"""The coefficient of determination in any array library."""

import math

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import r2_score

from skfact import SparseDeepLinearNet
from skfact.deep_linear._r2 import mean_r2
from tests.asserts import on_any_matrix

RANDOM = np.random.default_rng(0)
TRUE = np.column_stack([RANDOM.standard_normal((20, 3)), np.ones(20), np.zeros(20)])
FOUND = np.column_stack([TRUE[:, :4] + 0.3 * RANDOM.standard_normal((20, 4)), TRUE[:, 4]])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("columns", [0, 3, 4, slice(0, 3), slice(0, 5)], ids=str)
def test_as_scikit_learn_has_it(asarray, columns, weighted):
    weights = np.linspace(0, 1, 20) if weighted else None
    true, found = TRUE[:, columns], FOUND[:, columns]
    value = mean_r2(asarray(true), asarray(found), None if weights is None else asarray(weights))
    assert isinstance(value, float)
    assert value == pytest.approx(r2_score(true, found, sample_weight=weights), abs=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@on_any_matrix
def test_what_has_no_score(asarray):
    with pytest.raises(ValueError, match=r"y has shape \(20, 2\), but predict gives \(20, 3\)"):
        mean_r2(asarray(TRUE[:, :2]), asarray(FOUND[:, :3]))
    assert math.isnan(mean_r2(asarray(TRUE[:1]), asarray(FOUND[:1])))
    net = SparseDeepLinearNet(max_iter=1).fit(TRUE[:, :3], FOUND[:, :3])
    with pytest.warns(UndefinedMetricWarning, match="Net: R2 is not defined for less than two"):
        assert math.isnan(net.score(TRUE[:1, :3], FOUND[:1, :3]))
