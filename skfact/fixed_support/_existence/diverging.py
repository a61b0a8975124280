"""Proofs that a set of products is not closed: factors diverge while their product converges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from skfact.fixed_support._supports.rank_one import classes_of, in_lines, named
from skfact.fixed_support._supports.runs import run_of
from skfact.fixed_support._tractable.closure import Closure, complete_closure

# (row, column, coefficient, exponent): an entry coefficient * epsilon ** exponent
Term = tuple[int, int, float, int]

CHECKED_AT = (1e-1, 1e-2, 1e-3)
FARTHEST = 10  # distance of a product from the limit, in multiples of epsilon


@dataclass(frozen=True, repr=False, eq=False)
class DivergingSequence:
    """Factors that diverge while their product converges to a matrix that is no product.

    Parameters
    ----------
    rows, columns : ndarray of int
        The sub-pattern: what happens in these rows and columns alone proves the claim.
    components : ndarray of int
        The components that take part.
    covering : ndarray of shape (n_rows, n_columns)
        How many components reach each entry of the sub-pattern.
    limit : csr_array of shape (m, n)
        The matrix that is approached and not reached.
    why : str
        Why it is not reached.
    left_terms, right_terms : tuple
        Non-zeros of the factors: row, column, coefficient, exponent of epsilon.
    shape : tuple of int
        The sizes (m, r, n).

    See Also
    --------
    closedness : Finds such sequences.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import closedness
    >>> sequence = closedness(np.tri(2), np.tri(2).T).witness
    >>> left, right = sequence.factors(0.01)
    >>> left.toarray()
    array([[0.01, 0.  ],
           [1.  , 1.  ]])
    >>> right.toarray()
    array([[   1.,  100.],
           [   0., -100.]])
    >>> (left @ right).toarray()
    array([[0.01, 1.  ],
           [1.  , 0.  ]])
    >>> sequence.limit.toarray()
    array([[0., 1.],
           [1., 0.]])
    """

    rows: np.ndarray
    columns: np.ndarray
    components: np.ndarray
    covering: np.ndarray
    limit: Any
    why: str
    left_terms: tuple[Term, ...]
    right_terms: tuple[Term, ...]
    shape: tuple[int, int, int]

    def factors(self, epsilon: float) -> tuple[Any, Any]:
        """The factors at one point of the sequence.

        Parameters
        ----------
        epsilon : float
            Positive; the sequence is followed towards 0.

        Returns
        -------
        left : csr_array of shape (m, r)
        right : csr_array of shape (r, n)
            Their product differs from `limit` by a few multiples of `epsilon` at most.

        Raises
        ------
        ValueError
            If `epsilon` is not positive.
        """
        check_point(epsilon)
        m, r, n = self.shape
        return _at(self.left_terms, (m, r), epsilon), _at(self.right_terms, (r, n), epsilon)

    def distance(self, epsilon: float) -> float:
        """Frobenius norm of the product of the factors minus the limit.

        Parameters
        ----------
        epsilon : float
            As in `factors`.

        Returns
        -------
        distance : float
        """
        left, right = self.factors(epsilon)
        return float(scipy.sparse.linalg.norm(left @ right - self.limit))

    def largest_entry(self, epsilon: float) -> float:
        """Largest magnitude in the factors; it grows like 1 / epsilon.

        Parameters
        ----------
        epsilon : float
            As in `factors`.

        Returns
        -------
        largest : float
        """
        return float(max(abs(factor.data).max() for factor in self.factors(epsilon)))

    def __repr__(self) -> str:
        return (
            f"DivergingSequence({in_lines(self.rows, self.columns, ', ')}, "
            f"{named(self.components)})"
        )


def check_point(epsilon: float) -> None:
    """Raise unless it is a point of a sequence that is followed towards 0."""
    if not epsilon > 0:
        raise ValueError(f"epsilon must be positive, got {epsilon!r}.")


def corner_sequence(
    left: Any, right: Any, rows: Sequence[int], columns: Sequence[int]
) -> DivergingSequence:
    """p + 1 rows and columns whose entries, the last one apart, the same p components reach alone.

    The limit is [[diag(1, .., 1, 0), e_p], [e_p^T, 0]]. Whatever stands in the corner, its rank is
    p + 1: that of the first p rows, plus that of the first p columns, minus that of their common
    block. With epsilon for the 0 in the block, the corner 1 / epsilon gives rank p, and another
    component takes this corner away. For p = 1 this is the LU factorization of [[0, 1], [1, 0]].
    """
    left, right = left.tocsr(), right.tocsc()
    _require(is_corner(left, right, rows, columns))
    p = len(rows) - 1
    few = covering_set(left, right, rows[0], columns[0])
    others = np.setdiff1d(covering_set(left, right, rows[p], columns[p]), few)
    a, i, d, j, k, helper = rows[p - 1], rows[p], columns[p - 1], columns[p], few[p - 1], others[0]
    plain = range(p - 1)
    (m, r), n = left.shape, right.shape[1]
    sequence = DivergingSequence(
        rows=np.asarray(rows),
        columns=np.asarray(columns),
        components=np.sort(np.append(few, helper)),
        covering=_covering(left, right, rows, columns),
        limit=_ones([*((rows[t], columns[t]) for t in plain), (a, j), (i, d)], (m, n)),
        why=f"only {named(few)} reach{'es' * (p == 1)} its entries other than ({i}, {j}), and "
        f"would need rank {p}; the limit has rank {p + 1} whatever stands at ({i}, {j})",
        left_terms=(
            *((rows[t], few[t], 1.0, 0) for t in plain),
            *((a, k, 1.0, 1), (i, k, 1.0, 0), (i, helper, 1.0, 0)),
        ),
        right_terms=(
            *((few[t], columns[t], 1.0, 0) for t in plain),
            *((k, d, 1.0, 0), (k, j, 1.0, -1), (helper, j, -1.0, -1)),
        ),
        shape=(m, r, n),
    )
    return _checked(sequence, left, right)


def is_corner(left: Any, right: Any, rows: Sequence[int], columns: Sequence[int]) -> bool:
    """Whether all entries but the last one have the same p components, and the last one more."""
    left, right = left.tocsr(), right.tocsc()
    sets = [covering_set(left, right, i, j).tolist() for i in rows for j in columns]
    alone = all(found == sets[0] for found in sets[:-1])
    return alone and len(sets[0]) == len(rows) - 1 and set(sets[0]) < set(sets[-1])


def line_sequence(
    left: Any, right: Any, rows: Sequence[int], columns: Sequence[int]
) -> DivergingSequence:
    """Two columns; the first row is reached by k alone, the last by q alone, the second by both.

    The limit is [[1, 0], [0, 1], [1, 0]]: rows k and q of the right factor would both be multiples
    of (1, 0), and so would the second row. With (1, 0) and (1, epsilon) the second row is their
    difference over epsilon.
    """
    left, right = left.tocsr(), right.tocsc()
    (a, b, c), (d, e) = rows, columns
    both = covering_set(left, right, b, d)
    k, q = covering_set(left, right, a, d)[0], covering_set(left, right, c, d)[0]
    expected = ((a, [k]), (b, both), (c, [q]))
    alone = all(
        np.array_equal(covering_set(left, right, i, j), found)
        for i, found in expected
        for j in columns
    )
    _require(alone and np.array_equal(both, sorted({k, q})))
    (m, r), n = left.shape, right.shape[1]
    sequence = DivergingSequence(
        rows=np.asarray(rows),
        columns=np.asarray(columns),
        components=both,
        covering=_covering(left, right, rows, columns),
        limit=_ones([(a, d), (b, e), (c, d)], (m, n)),
        why=f"only component {k} reaches the first of these lines, only {q} the last and only "
        "these two the middle one; in the limit the outer lines are parallel, and the middle one "
        "is not parallel to them",
        left_terms=((a, k, 1.0, 0), (c, q, 1.0, 0), (b, k, -1.0, -1), (b, q, 1.0, -1)),
        right_terms=((k, d, 1.0, 0), (q, d, 1.0, 0), (q, e, 1.0, 1)),
        shape=(m, r, n),
    )
    return _checked(sequence, left, right)


def filled_sequence(
    left: Any,
    right: Any,
    rows: Sequence[int],
    columns: Sequence[int],
    ones: set[tuple[int, int]],
    chosen: dict[tuple[str, int, int], tuple[int, int]],
) -> DivergingSequence:
    """Factors within rows and columns, made zero on the entries that complete classes reach.

    The limit has the `ones`, as positions in rows and columns. `chosen` gives coefficient and
    exponent of entries of the factors, whose product tends to the limit elsewhere.
    """
    left, right = left.tocsr(), right.tocsc()
    (m, r), n = left.shape, right.shape[1]
    few = left[rows].tocsc(), right[:, columns].tocsr()
    closure = complete_closure(classes_of(*few), (len(rows), len(columns)))
    part: dict[str, list[Term]] = {"left": [], "right": []}
    for (side, i, j), (value, power) in chosen.items():
        if value:
            part[side].append((i, j, float(value), power))
    for side, filling in zip(("left", "right"), _filling(closure, part["left"], part["right"])):
        part[side] += filling
    found = np.unique([k for _, k, *_ in part["left"]] + [k for k, *_ in part["right"]])
    sequence = DivergingSequence(
        rows=np.asarray(rows),
        columns=np.asarray(columns),
        components=found,
        covering=_covering(left, right, rows, columns),
        limit=_ones([(rows[i], columns[j]) for i, j in sorted(ones)], (m, n)),
        why="the non-zeros of the limit, and its zeros where no complete class reaches, contradict "
        "each choice of non-zeros in the factors",
        left_terms=tuple((rows[i], k, a, p) for i, k, a, p in part["left"]),
        right_terms=tuple((k, columns[j], a, p) for k, j, a, p in part["right"]),
        shape=(m, r, n),
    )
    return _checked(sequence, left, right)


def _filling(
    closure: Closure, left: Sequence[Term], right: Sequence[Term]
) -> tuple[list[Term], list[Term]]:
    """Terms of the complete classes that take away what others leave on their entries."""
    taken: set[tuple[int, int]] = set()
    more_left: list[Term] = []
    more_right: list[Term] = []
    products = [
        (i, j, -a * b, p + q) for i, k, a, p in left for other, j, b, q in right if other == k
    ]
    for piece in closure.absorbed:
        rows, columns = piece.rows.tolist(), piece.columns.tolist()
        here = [
            (i, j, *rest)
            for i, j, *rest in products
            if i in rows and j in columns and (i, j) not in taken
        ]
        taken |= {(i, j) for i in rows for j in columns}
        components = piece.components.tolist()
        if len(rows) <= len(columns):
            of = dict(zip(rows, components))
            more_left += [(i, of[i], 1.0, 0) for i in rows]
            more_right += [(of[i], j, *rest) for i, j, *rest in here]
        else:
            of = dict(zip(columns, components))
            more_right += [(of[j], j, 1.0, 0) for j in columns]
            more_left += [(i, of[j], *rest) for i, j, *rest in here]
    return more_left, more_right


def transposed(sequence: DivergingSequence) -> DivergingSequence:
    """The same for the transposed product, right^T @ left^T."""

    def swapped(terms: tuple[Term, ...]) -> tuple[Term, ...]:
        return tuple((j, i, value, power) for i, j, value, power in terms)

    return replace(
        sequence,
        rows=sequence.columns,
        columns=sequence.rows,
        covering=sequence.covering.T,
        limit=sequence.limit.T.tocsr(),
        left_terms=swapped(sequence.right_terms),
        right_terms=swapped(sequence.left_terms),
        shape=sequence.shape[::-1],
    )


def covering_set(left: Any, right: Any, i: int, j: int) -> np.ndarray:
    """The components that reach entry (i, j), ascending."""
    left, right = left.tocsr(), right.tocsc()  # the array itself where it is one already
    return np.intersect1d(run_of(left, i), run_of(right, j), assume_unique=True)


def _covering(left: Any, right: Any, rows: Sequence[int], columns: Sequence[int]) -> np.ndarray:
    """How many components reach each entry of rows x columns."""
    return np.array([[len(covering_set(left, right, i, j)) for j in columns] for i in rows])


def _checked(sequence: DivergingSequence, left: Any, right: Any) -> DivergingSequence:
    """The sequence, after a look at its numbers."""
    for epsilon in CHECKED_AT:
        X, Y = sequence.factors(epsilon)
        _require(((X != 0).astype(int) - left.astype(int)).max() <= 0)
        _require(((Y != 0).astype(int) - right.astype(int)).max() <= 0)
        _require(sequence.distance(epsilon) <= FARTHEST * epsilon + 1e-9)
        _require(sequence.largest_entry(epsilon) * epsilon >= 1 - 1e-9)
    return sequence


def _require(holds: Any) -> None:
    if not holds:
        raise RuntimeError(
            "A sequence that was found does not do what it should; this is an error in skfact, "
            "please report it with the supports."
        )


def _ones(at: list[tuple[int, int]], shape: tuple[int, int]) -> Any:
    return _at(tuple((i, j, 1.0, 0) for i, j in at), shape, 1.0)


def _at(terms: tuple[Term, ...], shape: tuple[int, int], epsilon: float) -> Any:
    i, j, value, power = (np.array(column) for column in zip(*terms, strict=True))
    return scipy.sparse.csr_array((value * float(epsilon) ** power, (i, j)), shape=shape)
