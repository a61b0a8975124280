"""Bad input of patterns, chains, budgets and masks."""

from functools import partial

from skfact.supports import Chain, FixedMask, KroneckerSparse, KSparse, SupportFamily
from tests.bad_input.cases import A, refused

refused(
    "pattern of floats", KroneckerSparse, 1, 2.0, 2, 4, error=TypeError, message="^b of the pattern"
)
refused(
    "pattern of bools", KroneckerSparse, True, 2, 2, 4, error=TypeError, message="^a of the pattern"
)
refused(
    "pattern of zeros", KroneckerSparse, 1, 2, 0, 4, error=ValueError, message="^c of the pattern"
)
refused(
    "negative pattern", KroneckerSparse, 1, 2, 2, -4, error=ValueError, message="^d of the pattern"
)
refused("empty chain", Chain, [], error=ValueError, message="patterns is empty")
refused("chain of a number", Chain, 3, error=TypeError, message="patterns must be")
refused("chain of triples", Chain, [(1, 2, 2)], error=TypeError, message=r"patterns\[0\]")
refused(
    "chain that does not chain",
    Chain,
    [(2, 2, 2, 1), (1, 2, 2, 2)],
    error=ValueError,
    message=r"patterns\[0\].*not chainable",
)
refused("butterfly of size 0", Chain.butterfly, 0, error=ValueError, message="n must be")
refused("butterfly of size 2.5", Chain.butterfly, 2.5, error=TypeError, message="n must be")
refused("no budget", KSparse, 0, error=ValueError, message="k must be")
refused("axis 2", partial(KSparse, axis=2), 1, error=ValueError, message="axis must be")
refused("mask of floats", FixedMask, A, error=ValueError, message="mask must hold")
refused("mask of text", FixedMask, "mask", error=TypeError, message="mask must be")
refused("1-D mask", FixedMask, [1, 0], error=ValueError, message="mask must be 2-D")
for id, members, error, message in [
    ("no members", [], ValueError, "members is empty"),
    ("a name", "butterfly", TypeError, "members must be a list of supports"),
    ("a mask of floats", [A], ValueError, r"members\[0\] must be a mask"),
    ("masks of two shapes", [[[1]], [[1, 1]]], ValueError, r"members\[1\] has shape \(1, 2\)"),
    ("a pair and a mask", [(A > 0, A > 0), A > 0], TypeError, r"members\[0\] is a pair of masks"),
    ("lists of two masks", [[A > 0, A > 0]], TypeError, r"members\[0\] is a list .* are tuples"),
    ("lists of lists", [[[[1]], [[1]]]], TypeError, r"members\[0\] is a list .* are tuples"),
    ("a pair with a budget", [(A > 0, KSparse(2))], TypeError, r"members\[0\]\[1\] is KSparse"),
]:
    refused(f"family of {id}", SupportFamily, members, error=error, message=message)
