"""What a diverging sequence has to show, without the code that found it."""

from itertools import product

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal


def check_witness(witness, left, right):
    """The sequence stays in the supports, diverges, converges, and the limit is out of reach."""
    left, right = np.asarray(left, dtype=bool), np.asarray(right, dtype=bool)
    limit = witness.limit.toarray()
    for epsilon in (1e-1, 1e-2, 1e-4):
        X, Y = (factor.toarray() for factor in witness.factors(epsilon))
        assert not X[~left].any()
        assert not Y[~right].any()
        assert_allclose(X @ Y, limit, atol=10 * epsilon)
        assert_allclose(witness.distance(epsilon), np.linalg.norm(X @ Y - limit))
        assert max(np.abs(X).max(), np.abs(Y).max()) == witness.largest_entry(epsilon)
        assert witness.largest_entry(epsilon) >= 0.99 / epsilon
    rows, columns = np.ix_(witness.rows, witness.columns)
    assert_array_equal(witness.covering, (left.astype(int) @ right)[rows, columns])
    sets = [
        [set(np.flatnonzero(left[i] & right[:, j])) for j in witness.columns] for i in witness.rows
    ]
    part = limit[rows, columns]
    assert np.count_nonzero(limit) == np.count_nonzero(part)
    if "contradict" in witness.why:
        assert_no_choice(part, left[witness.rows], right[:, witness.columns])
    elif part.shape[0] == part.shape[1]:
        assert_no_rank(part, sets)
    else:
        if part.shape[0] == 2:
            part, sets = part.T, [list(column) for column in zip(*sets)]
        assert_no_middle(part, sets)


def assert_no_rank(part, sets):
    """Only p components reach all but the corner, and the limit has rank p + 1 for any corner."""
    p = len(part) - 1
    few = sets[0][0]
    entries = [found for row in sets for found in row]
    assert len(few) == p
    assert all(found == few for found in entries[:-1])
    for corner in (-1e6, -1.0, 0.0, 0.3, 1.0, 1e6):
        part[-1, -1] = corner
        assert np.linalg.matrix_rank(part) == p + 1


def assert_no_middle(part, sets):
    """The outer rows are multiples of the rows of the right factor; the middle one is no sum."""
    (k,), (q,) = sets[0][0], sets[2][0]
    assert sets == [[{k}, {k}], [{k, q}, {k, q}], [{q}, {q}]]
    outer = part[[0, 2]]
    assert outer.any(axis=1).all()  # so that they fix the directions of both
    assert np.linalg.matrix_rank(outer) < np.linalg.matrix_rank(part)


def assert_no_choice(part, left, right):
    """Each choice of non-zeros leaves one term where zero is asked for, or none elsewhere."""
    if right.sum() > left.sum():
        part, left, right = part.T, right.T, left.T
    assert set(np.unique(part)) <= {0.0, 1.0}
    where = np.argwhere(right)
    for bits in product([0, 1], repeat=len(where)):
        Y = np.zeros(right.shape, dtype=int)
        Y[tuple(where.T)] = bits
        assert not all(
            any(
                all((n > 0) if one else (n != 1) for n, one in zip(np.array(x) @ Y, row))
                for x in product(*([0, 1] if entry else [0] for entry in of_row))
            )
            for of_row, row in zip(left, part)
        )
