"""Loops over chains, compiled: the dynamic programme of a price, pairs of places, greedy ranks."""

from __future__ import annotations

import numpy as np

from skfact._kernels._jit import jit


@jit
def cheapest(Q, P, shape, first, ranks, left, prices, paths):  # type: ignore[no-untyped-def]
    """See `generic.cheapest`; paths (k, n, length) are all -1 at first."""
    value, following = np.empty(len(ranks)), np.empty(len(ranks), np.int64)
    followers = np.empty(len(Q), np.int64)
    for k in range(len(left)):
        for price in range(prices.shape[1]):
            cost = prices[k, price]
            least, at = np.inf, -1
            for i in range(len(Q)):
                n_followers = 0
                for j in range(i):
                    if Q[i] % Q[j] == 0 and P[j] % P[i] == 0:
                        followers[n_followers] = j
                        n_followers += 1
                for s in range(first[i], first[i + 1]):
                    value[s], following[s] = np.inf, -1
                    if not left[k, s] < np.inf:
                        continue
                    own = cost * Q[i] * ranks[s]
                    best = own * shape[1]
                    for f in range(n_followers):
                        j = followers[f]
                        for t in range(first[j], first[j + 1]):
                            found = own * (P[j] * ranks[t]) + value[t]
                            if found < best:
                                best, following[s] = found, t
                    value[s] = best + left[k, s]
                    found = cost * shape[0] * P[i] * ranks[s] + value[s]
                    if found < least:
                        least, at = found, s
            step = 0
            while at >= 0:
                paths[k, price, step] = at
                at = following[at]
                step += 1


@jit
def best_pairs(  # type: ignore[no-untyped-def]
    Q, P, starts, shape, squares, most, ranks, budget, found, chosen, least
):
    """See `generic.best_pairs`; found and chosen are -1 at first, least (k, count) infinite."""
    m, n = shape[0], shape[1]
    count = least.shape[1]
    for i in range(len(Q)):
        for j in range(i):
            if Q[i] % Q[j] != 0 or P[j] % P[i] != 0:
                continue
            for k in range(len(squares)):
                best, r_best, other_best = np.inf, -1, -1
                for a in range(len(ranks)):
                    r = ranks[a]
                    rest = budget - m * P[i] * r
                    if r > most[k, i] or rest <= 0:
                        break
                    other = min(rest // (Q[i] * P[j] * r + n * Q[j]), most[k, j])
                    if other < 1:
                        break
                    error2 = squares[k, starts[i] + r] + squares[k, starts[j] + other]
                    if error2 < best:
                        best, r_best, other_best = error2, r, other
                at = count
                while at > 0 and best < least[k, at - 1]:
                    at -= 1
                if at == count:
                    continue
                for to in range(count - 1, at, -1):
                    least[k, to] = least[k, to - 1]
                    for side in range(2):
                        found[k, to, side] = found[k, to - 1, side]
                        chosen[k, to, side] = chosen[k, to - 1, side]
                least[k, at] = best
                found[k, at, 0], found[k, at, 1] = i, j
                chosen[k, at, 0], chosen[k, at, 1] = r_best, other_best


@jit
def fit_ranks(  # type: ignore[no-untyped-def]
    Q, P, starts, shape, squares, which, paths, ranks, limits
):
    """See `generic.fit_ranks`."""
    budget, rounding = limits[0], limits[1]
    each = np.empty(paths.shape[1], np.float64)  # numbers for one more at each rank
    for c in range(len(paths)):
        length = 0
        while length < paths.shape[1] and paths[c, length] >= 0:
            length += 1
        raising = False
        while length > 0:
            total, error2 = 0.0, 0.0
            for i in range(length):
                at = paths[c, i]
                before = shape[0] * 1.0
                if i > 0:
                    before = Q[paths[c, i - 1]] * ranks[c, i - 1] * 1.0
                after = shape[1] * 1.0
                if i + 1 < length:
                    after = P[paths[c, i + 1]] * ranks[c, i + 1] * 1.0
                each[i] = before * P[at] + after * Q[at]
                total += before * P[at] * ranks[c, i]
                error2 += squares[which[c], starts[at] + ranks[c, i]]
            total += shape[1] * 1.0 * Q[paths[c, length - 1]] * ranks[c, length - 1]
            raising = raising or total <= budget
            if raising and error2 <= rounding:
                break
            by = 1 if raising else -1
            least, where = np.inf, -1
            for i in range(length):
                at, r = paths[c, i], ranks[c, i] + by
                if r < 1 or r >= starts[at + 1] - starts[at] - 1:
                    continue
                if raising and total + each[i] > budget:
                    continue
                change = squares[which[c], starts[at] + r] - squares[which[c], starts[at] + r - by]
                if change / each[i] < least:
                    least, where = change / each[i], i
            if raising and (where < 0 or least >= 0):
                break
            if where < 0:
                ranks[c, 0] = -1
                break
            ranks[c, where] += by
