"""A structure: linear sets of factors whose product is studied, and its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.utils.validation import check_is_fitted

from skfact._backend import array_namespace
from skfact._checks import unknown_name
from skfact.deep_linear._estimator import SparseDeepLinearNet
from skfact.deep_linear._factor_sets.cropped import CroppedSet
from skfact.deep_linear._factor_sets.factor_set import FactorSet, factor_set, is_support
from skfact.deep_linear._factor_sets.kronecker import KroneckerSet, patterns_of
from skfact.deep_linear._factor_sets.mask import MaskSet
from skfact.deep_linear._factor_sets.resolve import LISTED, as_support, resolve_factor_sets, shown
from skfact.deep_linear._factor_sets.structured import StructuredSet
from skfact.deep_linear._linear_network import as_like, resolve_network
from skfact.deep_linear._stability._trees.convolution_tree import ConvolutionTree
from skfact.deep_linear._stability._trees.factors import TreeLevel
from skfact.deep_linear._structured import StructuredFactor
from skfact.supports import FAMILIES, Chain, FixedMask, KSparse, SupportFamily
from skfact.supports._kronecker import places

WANTED = (
    "a Chain, a list with one KroneckerSparse, mask or StructuredFactor per factor, or a "
    "SparseDeepLinearNet"
)


class Structure:
    """The linear maps M_1, ..., M_K of parameter vectors h_k of lengths S_k to factors.

    Parameters are those of the sets in C order: of a mask its entries row by row, of a pattern the
    blocks (a, d, b, c), of a structured factor its own vector.
    """

    def __init__(self, sets: Sequence[FactorSet]) -> None:
        self.sets = tuple(sets)
        self.shape = sets[0].shape[0], sets[-1].shape[1]
        self.sizes = tuple(math.prod(one.values_shape) for one in sets)

    @property
    def n_entries(self) -> int:
        """Number of entries of the product."""
        return self.shape[0] * self.shape[1]

    @property
    def n_columns(self) -> int:
        """Number of columns of the lifting operator, the product of the S_k."""
        return math.prod(self.sizes)

    @cached_property
    def places(self) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """Row and column of each parameter, if each is one entry of its factor; otherwise None."""
        found = [places_of(one) for one in self.sets]
        known = [pair for pair in found if pair is not None]
        return known if len(known) == len(found) else None

    @cached_property
    def masks(self) -> list[Any] | None:
        """The supports as sparse arrays of ones, if each parameter is one entry; otherwise None."""
        if self.places is None:
            return None
        return [
            scipy.sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=one.shape)
            for one, (rows, columns) in zip(self.sets, self.places)
        ]

    @cached_property
    def chain(self) -> Chain | None:
        """The chain of the patterns, if they form one."""
        patterns = patterns_of(self.sets)
        return Chain(patterns) if patterns is not None and Chain.is_chainable(patterns) else None

    @cached_property
    def tree(self) -> ConvolutionTree | None:
        """The convolution tree whose factors these are, one for each depth, if there is one."""
        supports = [one.support for one in self.sets if isinstance(one, StructuredSet)]
        levels = [one for one in supports if isinstance(one, TreeLevel)]
        if len(levels) != len(self.sets) or levels[0].tree is None:
            return None
        tree = levels[0].tree
        if [one.level for one in levels] != list(range(tree.depth)):
            return None
        return tree if all(one.tree == tree for one in levels) else None

    def unit(self, k: int, s: int, like: Any) -> Any:
        """The s-th unit vector of the parameters of factor k, as its set takes values."""
        return as_like(self._units(k, s), like)

    def _units(self, k: int, s: int) -> np.ndarray:
        unit = np.zeros(self.sizes[k])
        unit[s] = 1
        return unit.reshape(self.sets[k].values_shape)

    @cached_property
    def bases(self) -> list[np.ndarray]:
        """The matrices of the unit vectors (S_k, rows, columns) of each factor."""
        found = []
        for k, one in enumerate(self.sets):
            basis = np.zeros((self.sizes[k], *one.shape))
            for s in range(self.sizes[k]):
                basis[s] = one.dense(self._units(k, s))
            found.append(basis)
        return found

    def matrices(self, h: Sequence[Any]) -> list[Any]:
        """The factors of parameters h."""
        return [one.dense(self.values(k, h[k])) for k, one in enumerate(self.sets)]

    def values(self, k: int, h_k: Any) -> Any:
        """A parameter vector in the form that the set of the factor takes."""
        return array_namespace(h_k).reshape(h_k, self.sets[k].values_shape)

    def product(self, h: Sequence[Any]) -> Any:
        """The product of the factors, as a matrix."""
        found = self.sets[-1].dense(self.values(-1, h[-1]))
        for k in reversed(range(len(h) - 1)):
            found = self.sets[k].times(self.values(k, h[k]), found)
        return found

    def draw(self, random: np.random.RandomState) -> list[np.ndarray]:
        """Random parameters of size about one, none of them small."""
        return [
            random.uniform(1, 2, size) * random.choice([-1, 1], size) / math.sqrt(size)
            for size in self.sizes
        ]

    def contraction(self, h: Sequence[np.ndarray], k: int) -> np.ndarray:
        """The product as a linear function of h_k: a matrix (n_entries, S_k)."""
        before, after = self._around(h, k)
        if self.places is not None:
            rows, columns = self.places[k]
            found = np.einsum("is,sj->ijs", before[:, rows], after[columns])
            return found.reshape(self.n_entries, -1)
        moved = before @ self.bases[k] @ after
        return moved.reshape(self.sizes[k], -1).T

    def _around(self, h: Sequence[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray]:
        """The products of the factors before and after the k-th."""
        m, n = self.sets[k].shape
        before, after = np.eye(m), np.eye(n)
        for j in reversed(range(k)):
            before = self.sets[j].times(self.values(j, h[j]), before)
        for j in range(k + 1, len(h)):
            turned = self.sets[j].adjoint_times(self.values(j, h[j]), after.T)
            after = np.ascontiguousarray(turned.T)
        return before, after

    def is_small(self, limit: int) -> bool:
        """Whether bases and contractions have no more numbers than that."""
        biggest = max(size * math.prod(one.shape) for size, one in zip(self.sizes, self.sets))
        return max(biggest, self.n_entries * sum(self.sizes)) <= limit


def balanced(structure: Structure) -> tuple[Structure, list[np.ndarray]]:
    """The structure in parameters that count alike, and their weights w, powers of two.

    Factors are M(w h): the largest entry that each parameter makes is about one. Ranks do not
    change, and neither do products of the same h, w h in the structure itself; rounding does.
    """
    sets, weights = [], []
    for k, one in enumerate(structure.sets):
        weight = np.ones(structure.sizes[k])
        if isinstance(one, StructuredSet) and type(one.support) is StructuredFactor:
            largest = [np.max(np.abs(one.dense(unit))) for unit in np.eye(structure.sizes[k])]
            weight = np.ldexp(1.0, [-math.frexp(x)[1] if x > 0 else 0 for x in largest])
            if np.any(weight != 1):
                one = _weighted(one.support, weight)
        sets.append(one)
        weights.append(weight)
    return Structure(sets), weights


def _weighted(support: StructuredFactor, weight: np.ndarray) -> StructuredSet:
    """The set of M(w h)."""
    return StructuredSet(
        StructuredFactor(
            support.shape,
            support.n_parameters,
            lambda h: support.matrix(weight * h),
            lambda G: weight * support.adjoint(G),
        )
    )


def places_of(one: FactorSet) -> tuple[np.ndarray, np.ndarray] | None:
    """Row and column of each value of a set, in the order of the values; None for other sets."""
    if isinstance(one, MaskSet):
        return one.rows, one.columns
    if isinstance(one, KroneckerSet):
        rows, columns = places(one.pattern)
        return rows.ravel(), columns.ravel()
    return None


def as_structure(structure: Any) -> Structure:
    """The structure that an argument stands for.

    Raises
    ------
    TypeError
        If it is none, or a factor has a budget of non-zeros.
    ValueError
        If shapes do not chain, a mask is empty, an adjoint fails its test, or an estimator has to
        be fitted first.
    """
    if isinstance(structure, Structure):
        return structure
    if isinstance(structure, ConvolutionTree):
        raise TypeError(
            "structure is a ConvolutionTree: convolution_tree_is_recoverable(tree) tells whether "
            "its product determines the kernels, path by path. Its structure, with all kernels of "
            "a depth in one vector, is the list tree.factors()."
        )
    if isinstance(structure, SparseDeepLinearNet):
        return _of_estimator(structure)
    if isinstance(structure, str):
        if structure not in FAMILIES:
            raise unknown_name("structure", structure, FAMILIES)
        raise ValueError(
            f"structure={structure!r} is a family, which needs a shape: pass a Chain, such as "
            "Chain.for_shape(n_out, n_in, family=...)."
        )
    if is_support(structure) or not isinstance(structure, Chain | list | tuple):
        raise TypeError(f"structure must be {WANTED}, got {shown(structure)}. {LISTED}")
    return Structure(_linear_sets(list(structure)))


def _linear_sets(listed: list[Any]) -> list[FactorSet]:
    """The sets of a list of supports that fit each other."""
    supports = [as_support(item, f"structure[{i}]") for i, item in enumerate(listed)]
    for i, support in enumerate(supports):
        if isinstance(support, KSparse | SupportFamily):
            raise TypeError(
                f"structure[{i}] is {shown(support)}: the matrices within it form no linear "
                "space, and lifting asks for linear maps of parameters. Pass the mask of the "
                "non-zeros that were found, such as FixedMask(factor != 0)."
            )
    if not supports:
        raise ValueError("structure is empty; a product needs at least one factor.")
    shape = supports[0].shape[0], supports[-1].shape[1]
    sets = resolve_factor_sets(supports, shape, np.zeros(()), name="structure")
    for i, one in enumerate(sets):
        if math.prod(one.values_shape) == 0:
            raise ValueError(
                f"structure[{i}] is a mask without a True entry: every product is zero."
            )
    return sets


def _of_estimator(net: SparseDeepLinearNet) -> Structure:
    """The structure of an estimator; entries outside its shape take no part."""
    given = net.supports
    if not hasattr(net, "operator_") and isinstance(given, list | tuple | Chain):
        return as_structure(given)
    check_is_fitted(
        net,
        msg="structure: the supports of this %(name)s depend on its data. Call 'fit' first, or "
        "pass a Chain.",
    )
    network = resolve_network(given, net.hidden_layer_sizes, *net.operator_.shape, np.zeros(()))
    if network.budgeted:
        return as_structure(given)  # which refuses a budget by name
    return Structure([_without_padding(one) for one in network.sets])


def _without_padding(one: FactorSet) -> FactorSet:
    """A cropped pattern as the mask of what is left of it."""
    if not isinstance(one, CroppedSet):
        return one
    m, n = one.shape
    whole: FactorSet = one
    while isinstance(whole, CroppedSet):
        whole = whole.whole
    assert isinstance(whole, KroneckerSet)  # only chains are cropped
    return factor_set(FixedMask(whole.pattern.mask()[:m, :n]), (m, n))
