r"""Unknown orders of the rows and columns of a butterfly product, level by level.

Let A be a product of rank-one factors with radices q_l of the rows and p_l of the columns, both
sides shuffled. The first factor joins groups of q_1 rows, which on each of p_1 equal parts of the
columns are multiples of one row. So the ratio of two rows of a group takes p_1 values only, on as
many columns each, in whatever order the rows and columns stand. The partition of the columns tells
the groups, also where the ratio of every pair is of this kind (Hadamard): under it, some grouping
of the rows has residual zero. One level is:

1. **Seeds.** A pair (x, y) of rows is a line in the plane at each column. The line is that of the
   Stokes vector s = (\|x\|^2 - \|y\|^2, 2 Re(x* y), 2 Im(x* y)) of length \|x\|^2 + \|y\|^2, and
   what the best line of a part leaves of its columns is (sum \|s\| - \|sum s\|) / 2. So lines are
   clustered as directions are, without divisions. A pair is as good as little of what one line
   leaves is left by p_1 lines.
2. **Alternation.** The partition gives the residuals of all pairs of rows (smaller eigenvalues of
   2 x 2 Gram matrices), these the grouping of least residual (linear assignment, then exchanges),
   this the best row of each group on each part, and these rows the best partition into parts of
   equal size. The evidence of all rows thus corrects the partition of the pair, which noise blurs.
3. **Merging.** The best few are kept (a beam). Each group of rows becomes one row for each part,
   and the parts are the groups of columns of the next level, which share the grouping of the rows.

What the levels lose adds up to the squared error of the factorization from left to right, since
each is an orthogonal projection of what the one before left. Rows and columns may change roles,
the radices reversed. No guarantee under noise is known: the result is judged by the error of the
factorization. Arrays are NumPy's, in double precision; that error is found where A lives.

Another way to look for the orders, alternating spectral clustering of rows and columns, is that of
arXiv 2307.00820.
"""

from skfact.butterfly._permutations.clusters import clustered_orders
from skfact.butterfly._permutations.search import (
    Found,
    hint_of_orders,
    noise_error,
    search_permutations,
)

__all__ = ["Found", "clustered_orders", "hint_of_orders", "noise_error", "search_permutations"]
