"""Layers of a network replaced by factors: what each can bear is measured, then one budget shared.

First the original network runs once, and the second moments of what comes into each layer are
kept. From these come the curves of errors, weighted by what they do to the outputs of the network,
and from them the structure of each layer. Then, layer by layer, what comes in with the layers
before it replaced already is seen beside what came in: the layer is fitted to give the outputs of
the original from that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._checks import check_flag, chosen_names, positive_int
from skfact._warn import warn
from skfact.butterfly._rank_search import check_bounds, numbers_within
from skfact.butterfly._structure.choice import DENSITY
from skfact.compression._budget import Allocation, allocate, smallest
from skfact.compression._curves import Curve, FamilyCurve, Layer, Option, check_supports
from skfact.compression._effects import effects
from skfact.compression._layers.network import Linear, Network, Replacement
from skfact.compression._layers.readers import read
from skfact.compression._moments import Missed, Moments
from skfact.compression._report import Compression
from skfact.compression._row import CompressedLayer
from skfact.compression._seen import Seen, layer_on
from skfact.compression._speed import nanoseconds
from skfact.exceptions import StructureWarning
from skfact.supports import Chain

ROUNDING = 1e-12  # share of a sum by which its terms in another order may differ
ROUNDS = 8  # in which promises are put to the test


def compress(
    network: Any,
    X: Any = None,
    *,
    tol: float | None = None,
    max_density: float | None = None,
    budget: int | None = None,
    supports: str | Callable[[int, int], Chain] = "auto",
    include: Any = None,
    exclude: Any = None,
    sequential: bool = True,
) -> Compression:
    """Replace the linear layers of a network by products of sparse factors, within one budget.

    Each layer gets the structure that it bears: low rank, two or more sparse factors, or it stays
    dense. How many numbers it may have is decided over all layers at once, so that the sum of their
    squared relative errors, each times the effect of the layer on the outputs of the network, is
    least. With samples errors are those of the outputs of a layer for what comes into it, around
    their mean, which the bias takes up (a layer without bias gets none, and its errors are around
    zero). Then the layers are fitted one after another, each to give
    what the original gave from what the layers before it, compressed already, give now.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, Pipeline, (coefs, intercepts), nn.Module or ONNX model
        What is compressed, and stays as it is: a fitted perceptron of scikit-learn, or a fitted
        Pipeline that ends in one, or a FrozenEstimator of one; two lists of arrays, with weights of
        shape (n_in, n_out) and ReLU between the layers; any PyTorch module, of which each nn.Linear
        is looked at; an onnx.ModelProto or the path of a file, with each MatMul and Gemm by a
        constant. Embeddings, norms, convolutions and all else stay, and so do layers that cannot be
        replaced, such as tied ones: `skipped` of the result says why.
    X : array-like of shape (n_samples, n_in), or batches, default=None
        Samples of what the network will be applied to, without their targets; some times as many as
        a layer has inputs. For a module a tensor, a tuple of arguments, a mapping of names to
        arguments, or a list or DataLoader of these, which is gone through once and kept; for an
        ONNX model (with onnxruntime) an array, or arrays by the names of its inputs, or a list of
        such mappings. None takes all entries of the weights to be of equal worth, and leaves biases
        as they are.
    tol : float, default=None
        Take the fewest numbers with which each layer has at most this relative error.
    max_density : float, default=None
        Take the least errors with at most so many numbers, as a share of those of all layers that
        are looked at; 1/4 where neither `tol` nor `budget` is given.
    budget : int, default=None
        The same as a number.
    supports : {"auto", "low-rank", "monarch", "butterfly"} or callable, default="auto"
        The family of structures, or a callable ``(n_out, n_in) -> Chain``. "auto" looks for the
        best structure of each layer; low rank is among what it looks at.
    include : str or list of str, default=None
        Names of the layers to look at, or patterns as of file names; None takes all. They are
        "0", "1", .. for perceptrons and lists, those of `named_modules` and of nodes for others.
    exclude : str or list of str, default=None
        Names, or patterns, of layers that stay as they are.
    sequential : bool, default=True
        Fit layers to inputs as the compressed network gives them, which takes two more passes over
        X for each layer. False takes those of the original network.

    Returns
    -------
    compression : Compression
        With the compressed `network`, a copy of the same kind, and what became of each layer.
        Printed, sentences.

    Raises
    ------
    TypeError
        If the network is of another kind, was compressed before, or an argument has the wrong type.
    ValueError
        If the network or X has wrong shapes, NaN or infinity; if X has less than two samples; if
        no structures are as small as the budget; if no layer is left to look at.

    ImportError
        If onnx, or with samples onnxruntime, is not installed for an ONNX model.

    Warns
    -----
    StructureWarning
        If X has fewer samples than a layer has inputs.

    See Also
    --------
    skfact.butterfly.butterfly_factorize : The same for one matrix.
    skfact.butterfly.structure_report : Which structure a matrix has.

    Notes
    -----
    A compressed perceptron predicts and is scored and pickled as any other; its `coefs_` are
    operators where a layer was replaced. scikit-learn does not train them, and a clone is the dense
    perceptron, not fitted: where estimators are cloned, pass ``FrozenEstimator(network)``. In a
    pair of lists, ``X @ coefs[i]`` takes operators and arrays alike. In a module new layers are
    :class:`skfact.torch.FactorizedLinear`, and train as others do.

    Modules run as copies in evaluation, without gradients, with the same random numbers each time.
    With samples, layers whose weight is read by another module than themselves are found out, and
    stay. PyTorch's transformers call their new layers also in evaluation. All positions that a
    layer sees count, so that batches without padding are best.

    The effect of a layer is the squared relative error of the outputs of the network over that of
    the layer, when that layer alone is replaced: by low rank with a squared error near 0.05, or by
    its mean, whichever gives more. It is measured on the first batch of X, or as many as it takes
    for 256 rows of outputs, so that these should be as the others. The weighted sum is thus a
    first-order estimate of the squared relative error of the outputs, without the fit of layers one
    after another; it is no bound. For `tol`, without X and for one layer nothing is measured, and
    all layers count alike.

    Where structures are only promising, they are factored and measured before they are taken, until
    all that is chosen is known. The choice is a knapsack, solved along the convex hulls of the
    error curves, or as an integer program where that leaves a gap: `bound` of the result says how
    far from the least weighted sum of errors it may be.

    References
    ----------
    .. [1] A. J. Izenman, "Reduced-rank regression for the multivariate linear model", Journal of
       Multivariate Analysis, 1975.
    .. [2] E. Zemel, "The linear multiple choice knapsack problem", Operations Research, 1980.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skfact.compression import compress
    >>> X, y = load_digits(return_X_y=True)
    >>> mlp = MLPClassifier((256,), tol=0.01, random_state=0).fit(X / 16, y)
    >>> small = compress(mlp, X / 16, max_density=0.4)
    >>> small.n_parameters_before, small.n_parameters_after <= 0.4 * 18944
    (18944, True)
    >>> float((small.network.predict(X / 16) == mlp.predict(X / 16)).mean()) > 0.95
    True
    """
    asked = _Asked(tol, max_density, budget, supports)
    check_flag(sequential, "sequential")
    found = read(network, X)
    linears = _chosen_linears(found, include, exclude)
    moments = {} if X is None else _moments(found, linears)
    return _Compressor(found, linears, asked, sequential).run(moments)


class _Asked:
    """How many numbers, or which error, and in which structures."""

    def __init__(
        self, tol: float | None, max_density: float | None, budget: int | None, supports: Any
    ) -> None:
        if sum(value is not None for value in (tol, max_density, budget)) > 1:
            raise ValueError(
                "Pass one of tol, max_density and budget: an error of each layer, or how many "
                f"numbers all of them may have; got tol={tol!r}, max_density={max_density!r}, "
                f"budget={budget!r}."
            )
        check_bounds("auto", None, tol, max_density)
        if budget is not None:
            positive_int(budget, "budget")
        self.tol, self.max_density, self.budget = tol, max_density, budget
        self.supports = check_supports(supports)

    def numbers(self, size: int, least: int) -> int:
        """The most numbers that layers of so many may have.

        Where nothing is asked for, the least there is if need be.
        """
        if self.budget is not None:
            return min(self.budget, size)
        if self.max_density is None:
            return max(numbers_within(DENSITY, (size, 1)), least)
        return numbers_within(self.max_density, (size, 1))

    def curve(self, layer: Layer) -> Curve:
        """The options of a layer."""
        if isinstance(self.supports, str) and self.supports == "auto":
            return Curve(layer)
        return FamilyCurve(layer, self.supports)

    def too_small(self, least: int, size: int) -> ValueError:
        """The error that all options have more numbers."""
        got, needed = f"budget={self.budget!r}", f"{least}"
        if self.max_density is not None:
            got = f"max_density={float(self.max_density)!r}"
            needed = f"{math.ceil(1e4 * least / size) / 1e4:g}"
        return ValueError(
            f"{got} allows {self.numbers(size, least)} numbers, and the smallest structures with "
            f"supports={self.supports!r} take {least} of the {size} in all layers: pass at least "
            f"{needed}."
        )


class _Compressor:
    """A network on the way from dense layers to factors; all by the place of a layer."""

    def __init__(
        self, network: Network, linears: dict[int, Linear], asked: _Asked, sequential: bool
    ) -> None:
        self.network, self.asked, self.sequential = network, asked, sequential
        self.linears = linears
        self.effects: dict[int, float] = {}  # of layers on the outputs, where they are measured

    def run(self, moments: dict[int, Moments]) -> Compression:
        """Look, choose, and fit layer by layer; no moments are no inputs."""
        layers = {
            place: layer_on(linear, moments.get(place)) for place, linear in self.linears.items()
        }
        curves = {place: self.asked.curve(layer) for place, layer in layers.items()}
        if self.asked.tol is None:
            self.effects = effects(self.network, self.linears, curves, moments)
        chosen, allocation = self._choice(curves)
        replaced, in_place = self._fitted(chosen, layers, moments)
        return Compression(
            network=self.network.written(replaced),
            layers=tuple(
                self._row(place, chosen[place], curves[place], replaced, in_place.get(place))
                for place in self.linears
            ),
            skipped=self.network.skipped,
            n_samples=max((seen.n_samples for seen in moments.values()), default=None),
            output_error=self._output_error(replaced) if moments else None,
            bound=allocation.bound * (1 - ROUNDING),
            low_rank_total=self._low_rank_total(curves),
        )

    def _choice(self, curves: dict[int, Curve]) -> tuple[dict[int, Option], Allocation]:
        """An option for each layer, as small as asked for."""
        for left in reversed(range(ROUNDS)):
            options = [_of_use(curve, known=not left) for curve in curves.values()]
            found = self._allocated(options)
            chosen = {place: some[i] for place, some, i in zip(curves, options, found.choice)}
            news = [(place, option) for place, option in chosen.items() if not option.known]
            if not news:
                break
            for place, option in news:
                curves[place].settle(option)
        return chosen, found

    def _allocated(self, options: list[list[Option]]) -> Allocation:
        """One of each within the budget, or the smallest within the tolerance.

        Within the budget, what is least is the sum of squared relative errors times effects: a
        first-order estimate of the squared relative error of the outputs, no bound of it.
        """
        numbers = [np.array([option.numbers for option in some]) for some in options]
        errors = [np.array([option.error2 for option in some]) for some in options]
        if self.asked.tol is not None:
            return smallest(numbers, errors, float(self.asked.tol) ** 2)
        weights = [self.effects.get(place, 1.0) for place in self.linears]
        errors = [weight * e for weight, e in zip(weights, errors, strict=True)]
        least = sum(int(n.min()) for n in numbers)
        found = allocate(numbers, errors, self.asked.numbers(self._size, least))
        if found is None:
            raise self.asked.too_small(least, self._size)
        return found

    def _low_rank_total(self, curves: dict[int, Curve]) -> float | None:
        """The weighted sum of errors of low rank with as much; None where it does not fit."""
        try:
            return self._allocated([[*c.low_rank(), c.dense] for c in curves.values()]).error
        except ValueError:
            return None

    @property
    def _size(self) -> int:
        return sum(linear.weight.size for linear in self.linears.values())

    def _fitted(
        self, chosen: dict[int, Option], layers: dict[int, Layer], moments: dict[int, Moments]
    ) -> tuple[dict[int, Replacement], dict[int, float]]:
        """What stands in for the layers, and how much their outputs miss where they stand."""
        replaced: dict[int, Replacement] = {}
        in_place: dict[int, float] = {}
        for group in _groups(list(self.linears), moments):
            seen = self._seen(group[0], moments, replaced)
            found: dict[int, Replacement] = {}
            for place in group:
                linear, option = self.linears[place], chosen[place]
                if option.is_dense and (seen is None or not seen.changed):
                    in_place[place] = 0.0
                    continue
                layer = layers[place] if seen is None else seen.layer(linear)
                weight = layer.operator(option.structure).astype(linear.weight.dtype)
                bias = linear.bias if seen is None else seen.bias(linear, weight)
                found[place] = Replacement(weight, bias)
                if seen is not None:
                    in_place[place] = seen.error(linear, weight)
            replaced.update(found)
        return replaced, in_place if self.sequential and moments else {}

    def _seen(
        self, place: int, moments: dict[int, Moments], replaced: dict[int, Replacement]
    ) -> Seen | None:
        """What comes into a layer, before and after others were replaced; None without inputs."""
        if not moments:
            return None
        if not self.sequential or not replaced:
            return Seen(moments[place], changed=False)
        both = Moments()
        before = self.network.inputs([place], {})
        after = self.network.inputs([place], replaced)
        for rows, others in zip(before, after, strict=True):
            both.add(np.hstack([rows[place], others[place]]))
        return Seen(both, changed=True)

    def _output_error(self, replaced: dict[int, Replacement]) -> float | None:
        """Relative error of the outputs of the network, around their mean."""
        missed = Missed()
        before, after = self.network.outputs({}), self.network.outputs(replaced)
        for rows, others in zip(before, after, strict=True):
            missed.add(rows, others)
        return missed.relative_error

    def _row(
        self,
        place: int,
        option: Option,
        curve: Curve,
        replaced: dict[int, Replacement],
        in_place: float | None,
    ) -> CompressedLayer:
        """The line of the report."""
        linear = self.linears[place]
        weight = replaced[place].weight if place in replaced else linear.weight
        return CompressedLayer(
            name=linear.name,
            shape=tuple(linear.weight.shape),
            structure=option.words,
            numbers_before=linear.weight.size,
            numbers_after=option.numbers,
            error=math.sqrt(option.error2),
            low_rank_error=math.sqrt(curve.low_rank_error2(option.numbers)),
            output_error=in_place,
            effect=self.effects.get(place),
            nanoseconds_before=nanoseconds(linear.weight),
            nanoseconds_after=nanoseconds(weight),
        )


def _moments(network: Network, linears: dict[int, Linear]) -> dict[int, Moments]:
    """What comes into each layer of the original network."""
    found = {place: Moments() for place in linears}
    for batch in network.inputs(list(linears), {}):
        for place, rows in batch.items():
            found[place].add(rows)
    for place, seen in found.items():
        name, n_in = linears[place].name, linears[place].weight.shape[1]
        if seen.n_samples < 2:
            raise ValueError(
                f"X gives layer {name!r} {seen.n_samples} rows, from which nothing is learned of "
                "its inputs: pass more samples, or leave the layer out, "
                f"exclude={name!r}."
            )
    fewest = min(found, key=lambda place: found[place].n_samples / linears[place].weight.shape[1])
    name, n_in = linears[fewest].name, linears[fewest].weight.shape[1]
    if found[fewest].n_samples < n_in:
        warn(
            f"X gives layer {name!r} {found[fewest].n_samples} rows for its {n_in} inputs, too few "
            "to know where they matter: errors for other samples may be larger. Pass more.",
            StructureWarning,
        )
    return found


def _groups(places: list[int], moments: dict[int, Moments]) -> list[list[int]]:
    """Layers one after another that see the same rows, which one pass serves."""
    groups: list[list[int]] = []
    for place in places:
        alike = groups and place in moments and moments[groups[-1][0]].equal(moments[place])
        if alike:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _of_use(curve: Curve, *, known: bool) -> list[Option]:
    """The options of which none is both smaller and closer, the smallest one first."""
    kept: list[Option] = []
    for option in sorted(curve.options(), key=lambda option: (option.numbers, option.error2)):
        if (option.known or not known) and (not kept or option.error2 < kept[-1].error2):
            kept.append(option)
    return kept


def _chosen_linears(network: Network, include: Any, exclude: Any) -> dict[int, Linear]:
    """The layers that are asked for; an error tells why there are none."""
    linears = network.linears
    names = [linear.name for linear in linears]
    chosen = set(chosen_names(names, include, exclude, network.skipped) if names else ())
    if not chosen:
        skipped = "; ".join(f"{name}: {why}" for name, why in network.skipped.items())
        raise ValueError(
            "network has no linear layer that could be replaced"
            + (f" ({skipped})." if skipped else ".")
            + (f" Its layers are {names}, all of them left out." if names else "")
        )
    return {place: linear for place, linear in enumerate(linears) if linear.name in chosen}
