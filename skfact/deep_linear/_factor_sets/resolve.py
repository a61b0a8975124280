"""What a `supports` argument stands for: one set per factor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from skfact._checks import positive_ints

# each kind of support registers its set when it is imported
from skfact.deep_linear._factor_sets import (  # noqa: F401
    budget,
    family,
    kronecker,
    mask,
    structured,
)
from skfact.deep_linear._factor_sets.factor_set import FactorSet, factor_set, is_support
from skfact.supports import Chain, resolve_supports
from skfact.supports._support_family import plain_support

LONGEST = 60  # what is given, in characters, that errors show
LISTED = "Put supports in a list, one item for each factor, also where there is only one."


def resolve_factor_sets(
    supports: Any,
    shape: tuple[int, int],
    like: Any,
    inner_sizes: Any = None,
    name: str = "supports",
) -> list[FactorSet]:
    """The sets of the factors of a matrix, from left to right.

    A family, a callable or a Chain may be larger than the matrix, which is then padded with zeros;
    a list has to fit. Budgets have no shape: a size between two of them is taken from
    `inner_sizes`, or the smaller side of the matrix. Adjoints are tested in the library of `like`.
    `name` is what errors call the supports.
    """
    if isinstance(supports, (str, Chain)) or callable(supports):
        if inner_sizes is not None:
            raise ValueError(
                "inner_sizes goes with a list of supports; a family or a Chain has its own sizes."
            )
        return [factor_set(p, p.shape) for p in resolve_supports(supports, *shape)]
    if is_support(supports) or not isinstance(supports, Sequence):
        raise TypeError(
            f"{name} must be the name of a family, a Chain, a callable (n_out, n_in) -> Chain, or "
            "a list with one KroneckerSparse, FixedMask, KSparse or StructuredFactor per factor, "
            f"got {shown(supports)}. {LISTED}"
        )
    if len(supports) == 0:
        raise ValueError(f"{name} is empty; a product needs at least one factor.")
    listed = [as_support(support, f"{name}[{i}]") for i, support in enumerate(supports)]
    sizes = _sizes(listed, shape, inner_sizes, name)
    sets = [factor_set(*pair) for pair in zip(listed, pairwise(sizes))]
    for i, one in enumerate(sets):
        one.check(like, f"{name}[{i}]")
    return sets


def resolve_linear_or_budgets(
    supports: Any, shape: tuple[int, int], like: Any, inner_sizes: Any = None
) -> list[FactorSet]:
    """The same for algorithms that know no models of parameters.

    Raises
    ------
    ValueError
        Also if a structured factor has one.
    """
    sets = resolve_factor_sets(supports, shape, like, inner_sizes)
    for i, one in enumerate(sets):
        if one.has_model:
            raise ValueError(
                f"supports[{i}] has a projection, the model of its parameters, which factors of a "
                "matrix do not keep: use SparseDeepLinearNet(supports, solver='palm') on samples, "
                "or the same structure without a projection."
            )
    return sets


def as_support(support: Any, name: str) -> Any:
    """An item of a list of supports as one of a known kind; `name` is what errors call it."""
    if is_support(support):
        return support
    try:
        return plain_support(support)
    except (TypeError, ValueError) as error:
        fixed = ""
        if len(getattr(support, "shape", ())) == 2:
            fixed = (
                " A fixed matrix H in a product is a factor with one parameter, its scale: "
                "StructuredFactor(H.shape, 1, lambda h: h[0] * H, lambda G: (H * G).sum()[None])."
            )
        raise type(error)(
            f"{name} must be a KroneckerSparse, a KSparse, a SupportFamily, a StructuredFactor, a "
            f"FixedMask or a mask of booleans: {error}{fixed}"
        ) from error


def shown(value: Any) -> str:
    """What an error says was given: it in short, or its type."""
    text = repr(value)
    return text if len(text) <= LONGEST else type(value).__name__


def _sizes(supports: list[Any], shape: tuple[int, int], inner_sizes: Any, name: str) -> list[int]:
    """Size at each of the J + 1 gaps, ends included."""
    count = len(supports) - 1
    inner: list[int | None] = [None] * count
    if inner_sizes is not None:
        given = positive_ints(inner_sizes, "inner_sizes")
        if len(given) != count:
            raise ValueError(
                f"inner_sizes must have one size for each of the {count} gaps between the "
                f"{count + 1} factors, got {len(given)}: {given}."
            )
        inner = list(given)
    sizes: list[int | None] = [shape[0], *inner, shape[1]]
    origin = ["A", *["inner_sizes"] * count, "A"]
    for i, support in enumerate(supports):
        if getattr(support, "shape", None) is None:  # a budget, or a family of them
            continue
        for gap, size in zip((i, i + 1), support.shape):
            if sizes[gap] is None:
                sizes[gap], origin[gap] = size, f"{name}[{i}]"
            elif sizes[gap] != size:
                side = "rows" if gap == i else "columns"
                raise ValueError(
                    f"{name}[{i}] has shape {support.shape}: {size} {side}, where "
                    f"{origin[gap]} has {sizes[gap]}. Neighbouring factors must chain, and the "
                    f"first and last fit the matrix of shape {shape}."
                )
    return [min(shape) if size is None else size for size in sizes]
