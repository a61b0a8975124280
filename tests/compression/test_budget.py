"""One budget over all layers."""

from itertools import product

import numpy as np
import pytest

from skfact.compression._budget import GAP, allocate, smallest
from tests.asserts import for_each


def random_options(seed):
    """Options of some layers: numbers and errors, in no order and not convex."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 7, size=rng.integers(1, 5))
    numbers = [rng.integers(1, 60, size=count) for count in counts]
    errors = [rng.random(count) * 10.0 ** rng.integers(-8, 3) for count in counts]
    return numbers, errors, int(rng.integers(1, 150))


def best_of_all(numbers, errors, budget):
    """The least sum of errors, from all choices; infinite for none."""
    return min(
        (
            sum(e[i] for e, i in zip(errors, choice))
            for choice in product(*(range(len(n)) for n in numbers))
            if sum(n[i] for n, i in zip(numbers, choice)) <= budget
        ),
        default=np.inf,
    )


@for_each("seed", range(60))
def test_the_sum_is_the_least(seed):
    numbers, errors, budget = random_options(seed)
    least = best_of_all(numbers, errors, budget)
    found = allocate(numbers, errors, budget)
    if found is None:
        assert least == np.inf
        return
    assert found.numbers == sum(n[i] for n, i in zip(numbers, found.choice)) <= budget
    assert found.error == pytest.approx(sum(e[i] for e, i in zip(errors, found.choice)))
    assert found.error <= least * (1 + 2 * GAP)
    assert found.bound <= least * (1 + 1e-9) + 1e-300


def test_nothing_is_missed_where_all_fits():
    numbers, errors = [np.array([1, 5]), np.array([2, 9])], [np.array([1.0, 0]), np.array([3, 0.0])]
    assert allocate(numbers, errors, 14) == ((1, 1), 14, 0.0, 0.0)
    assert allocate(numbers, errors, 2) is None


def test_many_layers_come_close_to_the_bound():
    rng = np.random.default_rng(0)
    numbers = [np.cumsum(rng.integers(1, 50, 60)) for _ in range(40)]
    errors = [np.sort(rng.random(60))[::-1] ** 3 for _ in range(40)]
    found = allocate(numbers, errors, 20_000)
    assert found.bound <= found.error <= found.bound * (1 + 2 * GAP)


def test_the_smallest_within_a_tolerance():
    numbers = [np.array([4, 2, 9]), np.array([7, 8, 6])]
    errors = [np.array([0.1, 0.5, 0.0]), np.array([0.2, 0.0, 0.3])]
    assert smallest(numbers, errors, 0.2).choice == (0, 0)
    assert smallest(numbers, errors, 0.0).choice == (2, 1)
