"""Expected times of products."""

import numpy as np

from skfact.compression._speed import nanoseconds
from skfact.operators import FactorizedOperator


def test_few_numbers_are_faster_than_many():
    dense = np.ones((512, 512))
    times = [nanoseconds(dense)]
    for rank in (64, 8):
        times.append(nanoseconds(FactorizedOperator([np.ones((512, rank)), np.ones((rank, 512))])))
    assert times == sorted(times, reverse=True)


def test_all_terms_and_factors_count():
    op = FactorizedOperator([np.ones((64, 2)), np.ones((2, 64))])
    assert nanoseconds(op + op) == 2 * nanoseconds(op)
    assert nanoseconds(op.astype("float32")) < nanoseconds(op)
