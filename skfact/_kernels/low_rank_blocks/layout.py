"""Where the two factors of a chainable pair, and their product, keep their blocks.

For left = (a1, b1, c1, d1), right = (a2, b2, c2, d2) and r their rank, let t = a2 / a1 and
u = d1 / d2. The rank-one supports of the pair fall into a1 t u d2 pairwise disjoint classes of r
identical ones, and the part of the product in one class is a dense b1 x c2 block: (b1 x r) from the
left times (r x c2) from the right. These reshapes, and nothing else, are the bookkeeping of every
two-factor step (arXiv 2411.04506).

Values of a factor have shape (a, d, b, c), batches of blocks (a1, t, u, d2, rows, columns).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move


class Classes(NamedTuple):
    """Sizes of the classes of a pair: a * t * u * d blocks of shape b x c and rank r."""

    a: int
    t: int
    u: int
    d: int
    b: int
    c: int
    r: int

    @classmethod
    def of_pair(cls, left: Any, right: Any) -> Classes:
        """Sizes of the classes of two chainable patterns (a, b, c, d) with `rank_with`."""
        t, u = right.a // left.a, left.d // right.d
        return cls(left.a, t, u, right.d, left.b, right.c, left.rank_with(right))

    def blocks_of_product(self, values: Any) -> Any:
        """View the values of the product pattern as class blocks (a1, t, u, d2, b1, c2)."""
        xp = array_namespace(values)
        split = xp.reshape(values, (self.a, self.d, self.b, self.u, self.t, self.c))
        return xp.permute_dims(split, (0, 4, 3, 1, 2, 5))

    def product_from_blocks(self, blocks: Any) -> Any:
        """Values (a1, d2, b1 u, t c2) of the product pattern from its class blocks."""
        xp = array_namespace(blocks)
        return xp.reshape(
            xp.permute_dims(blocks, (0, 3, 4, 2, 1, 5)),
            (self.a, self.d, self.b * self.u, self.t * self.c),
        )

    def columns_of_left(self, values: Any) -> Any:
        """View the left factor's values as (a1, t, u, d2, b1, r)."""
        xp = array_namespace(values)
        split = xp.reshape(values, (self.a, self.u, self.d, self.b, self.t, self.r))
        return xp.permute_dims(split, (0, 4, 1, 2, 3, 5))

    def left_from_columns(self, columns: Any) -> Any:
        """Values (a1, d1, b1, c1) of the left factor."""
        xp = array_namespace(columns)
        return xp.reshape(
            xp.permute_dims(columns, (0, 2, 3, 4, 1, 5)),
            (self.a, self.u * self.d, self.b, self.t * self.r),
        )

    def rows_of_right(self, values: Any) -> Any:
        """View the right factor's values as (a1, t, u, d2, r, c2)."""
        xp = array_namespace(values)
        split = xp.reshape(values, (self.a, self.t, self.d, self.r, self.u, self.c))
        return xp.permute_dims(split, (0, 1, 4, 2, 3, 5))

    def right_from_rows(self, rows: Any) -> Any:
        """Values (a2, d2, b2, c2) of the right factor."""
        xp = array_namespace(rows)
        return xp.reshape(
            xp.permute_dims(rows, (0, 1, 3, 4, 2, 5)),
            (self.a * self.t, self.d, self.r * self.u, self.c),
        )


class Arranged(NamedTuple):
    """A matrix as the user gave it, to be read with rows and columns permuted and padded.

    `rows` and `cols`, integers on the host, name the row and column of `matrix` for every row and
    column of the product, -1 for zeros; None takes them as they are. Nobody has looked at the
    entries yet unless `checked`: the first split finds those that are not finite.
    """

    matrix: Any  # (n_out, n_in)
    rows: np.ndarray | None = None
    cols: np.ndarray | None = None
    checked: bool = False

    def toarray(self) -> Any:
        """The arranged matrix; a copy only where something is permuted or padded."""
        xp, where = array_namespace(self.matrix), device(self.matrix)
        found = self.matrix
        for axis, index in enumerate((self.rows, self.cols)):
            if index is None:
                continue
            if np.any(index < 0):  # an index beyond the end reads the zeros put there
                shape = list(found.shape)
                index = np.where(index < 0, shape[axis], index)
                shape[axis] = 1
                zero = xp.zeros(tuple(shape), dtype=found.dtype, device=where)
                found = xp.concat([found, zero], axis=axis)
            found = xp.take(found, move(index, xp, where), axis=axis)
        return found

    def values(self) -> Any:
        """The arranged matrix as values (1, 1, b, c) of a dense pattern."""
        found = self.toarray()
        return array_namespace(found).reshape(found, (1, 1, *found.shape))
