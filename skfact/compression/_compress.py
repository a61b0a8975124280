"""Layers of a network replaced by factors: what each can bear is measured, then one budget shared.

First the original network runs once, and the second moments of what comes into each layer are
kept. From these come the curves of errors, and from them the structure of each layer, in several
ways: with errors weighted by what they do to the outputs of the network, alike, or in equal shares
(`_search.py`). The way with which the outputs miss least is taken. Then, layer by layer, what comes
in with the layers before it replaced already is seen beside what came in: the layer is fitted to
give the outputs of the original from that (`_fit.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from skfact._checks import check_flag, chosen_names
from skfact._progress import printer
from skfact._warn import warn
from skfact.compression._asked import Asked, asked_in_turn
from skfact.compression._curves import Option, check_supports
from skfact.compression._fit import Fit
from skfact.compression._layers.network import Linear, Network, Replaced
from skfact.compression._layers.readers import read
from skfact.compression._moments import Moments
from skfact.compression._report import Compression
from skfact.compression._row import CompressedLayer
from skfact.compression._search import Search
from skfact.compression._speed import nanoseconds
from skfact.exceptions import StructureWarning
from skfact.supports import Chain


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
    verbose: int = 0,
) -> Compression:
    """Replace the linear layers of a network by products of sparse factors, within one budget.

    Each layer gets the structure that it bears: low rank, two or more sparse factors, or it stays
    dense. How many numbers it may have is decided over all layers at once, so that the sum of their
    squared relative errors is least, each times the effect of the layer on the outputs of the
    network, or as another way to share them misses less. With samples errors are those of the
    outputs of a layer for what comes into it, around their mean, which the bias takes up (a module
    without bias gets none, and its errors are around zero). Then the layers are fitted one after
    another, each to give what the original gave from what the layers before it, compressed already,
    give now.

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
        are looked at, not of the whole network (biases, embeddings and what is skipped stay); 1/4
        where neither `tol` nor `budget` is given.
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
    verbose : int, default=0
        Print what becomes of each `verbose`-th layer, as it does.

    Returns
    -------
    compression : Compression
        With the compressed `network`, a copy of the same kind, and what became of each layer.
        Printed, sentences.

    Raises
    ------
    TypeError
        If the network is of another kind, is a perceptron or a pair that was compressed before, or
        an argument has the wrong type. Of a module, layers that have factors already are skipped.
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
    compression_path : The same to several sizes, with one search.
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

    All errors are those on X, and promise nothing for other samples: hold some back to score the
    result. With fewer samples than inputs of a layer there are directions of which they say
    nothing. Then those of low rank are looked for as if all inputs varied a little more, which
    makes the error on X larger and that on others smaller.

    The effect of a layer is the squared relative error of the outputs of the network over that of
    the layer, when that layer alone is replaced: by low rank with a squared error near 0.05, or by
    its mean, whichever gives more. It is measured on the first batch of X, or as many as it takes
    for 256 rows of outputs, so that these should be as the others. The weighted sum is thus a
    first-order estimate of the squared relative error of the outputs, without the fit of layers one
    after another; it is no bound. So the numbers of a budget are shared in three ways: by effect,
    with all layers alike, and in equal shares. With each the network runs on X, its layers fitted
    to what the original gives, and the one that misses least is taken: `shared` and `tried` of the
    result tell. For `tol`, without X and for one layer nothing is measured, and all layers count
    alike.

    Of layers with more than 4,096 inputs no matrix of all their products is made: 4,096 samples are
    kept, and of more, sums of samples with random signs, by which errors are estimated. Structures
    with blocks so wide that their products would be as many are not looked for.

    Where structures are only promising, they are factored and measured before they are taken, until
    all that is chosen is known. The choice is a knapsack, solved along the convex hulls of the
    error curves, or as an integer program where that leaves a gap: `bound` of the result says how
    far from the least sum of errors it may be.

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
    asked = Asked(tol, max_density, budget).checked()
    (found,) = _compressions(network, X, [asked], supports, include, exclude, sequential, verbose)
    return found


def compression_path(
    network: Any,
    X: Any = None,
    *,
    tol: Any = None,
    max_density: Any = None,
    budget: Any = None,
    supports: str | Callable[[int, int], Chain] = "auto",
    include: Any = None,
    exclude: Any = None,
    sequential: bool = True,
    verbose: int = 0,
) -> list[Compression]:
    """Compress a network to several sizes, and look only once at what its layers can bear.

    The results are those of :func:`compress`, one bound after another.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, Pipeline, (coefs, intercepts), nn.Module or ONNX model
        What is compressed, and stays as it is, as in :func:`compress`.
    X : array-like of shape (n_samples, n_in), or batches, default=None
        Samples, as in :func:`compress`.
    tol : list of float, default=None
        Relative errors that each layer may have. One of `tol`, `max_density` and `budget` is
        passed.
    max_density : list of float, default=None
        Shares of the numbers of all layers.
    budget : list of int, default=None
        The same as numbers.
    supports : {"auto", "low-rank", "monarch", "butterfly"} or callable, default="auto"
        The family of structures, or a callable ``(n_out, n_in) -> Chain``.
    include : str or list of str, default=None
        Names of the layers to look at, or patterns; None takes all.
    exclude : str or list of str, default=None
        Names, or patterns, of layers that stay as they are.
    sequential : bool, default=True
        Fit layers to inputs as the compressed network gives them.
    verbose : int, default=0
        Print what becomes of each `verbose`-th layer, as it does.

    Returns
    -------
    path : list of Compression
        One for each bound, in their order.

    Raises
    ------
    TypeError
        As :func:`compress`.
    ValueError
        As :func:`compress`; if not one list of bounds is passed, or an empty one.
    ImportError
        If onnx, or with samples onnxruntime, is not installed for an ONNX model.

    Warns
    -----
    StructureWarning
        If X has fewer samples than a layer has inputs.

    See Also
    --------
    compress : For one size.
    sklearn.linear_model.lasso_path : Does the same for penalties.

    Notes
    -----
    What is shared is the search for structures, their factorizations, the effects of the layers and
    the outputs of the original network; with `sequential`, also what comes into its layers, up to
    half a gigabyte. The passes over X for each layer remain.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.compression import compression_path
    >>> coefs = [np.vander(np.linspace(0, 1, 64), 64)]
    >>> path = compression_path((coefs, None), max_density=[0.1, 0.25])
    >>> [small.n_parameters_after for small in path]
    [384, 1024]
    >>> path[0].total > path[1].total
    True
    """
    asked = asked_in_turn(tol, max_density, budget)
    return _compressions(network, X, asked, supports, include, exclude, sequential, verbose)


def _compressions(
    network: Any,
    X: Any,
    asked: list[Asked],
    supports: Any,
    include: Any,
    exclude: Any,
    sequential: bool,
    verbose: int,
) -> list[Compression]:
    """One for each bound."""
    check_supports(supports)
    check_flag(sequential, "sequential")
    tell = printer(verbose, "compress") or (lambda number, text: None)
    found = read(network, X)
    linears = _chosen_linears(found, include, exclude)
    moments = {} if X is None else _moments(found, linears)
    search = Search(found, linears, moments, supports, tell)
    for one in asked:
        search.require(one)
    fit = Fit(found, linears, search.layers, moments, tell, again=len(asked) > 1)
    return [_compression(found, search, fit, one, sequential=sequential) for one in asked]


def _compression(
    found: Network,
    search: Search,
    fit: Fit,
    asked: Asked,
    *,
    sequential: bool,
) -> Compression:
    """With the numbers shared as the network misses least, its layers fitted apart."""
    choices = search.choices(asked)
    tried: dict[str, float] = {}
    fits: dict[tuple[Any, ...], tuple[Replaced, float]] = {}
    for choice in choices if search.outputs is not None and len(choices) > 1 else ():
        if choice.key not in fits:
            replaced: Replaced = fit.apart(choice.options)
            fits[choice.key] = replaced, search.error(replaced) or 0.0
        tried[choice.shared] = fits[choice.key][1]
    best = min(choices, key=lambda choice: tried.get(choice.shared, 0.0))
    in_place: dict[int, float] = {}
    if sequential and search.outputs is not None:
        replaced, in_place = fit.in_turn(best.options)
        error = search.error(replaced)
    elif best.key in fits:
        replaced, error = fits[best.key]
    else:
        replaced = fit.apart(best.options)
        error = search.error(replaced)
    looked_at = sum(linear.weight.size for linear in search.linears.values())
    return Compression(
        network=found.written(replaced),
        layers=tuple(
            _row(search, place, option, replaced, in_place.get(place))
            for place, option in best.options.items()
        ),
        skipped=found.skipped,
        n_samples=search.n_samples,
        output_error=error,
        bound=best.bound,
        low_rank_total=best.low_rank_total,
        low_rank_numbers=best.low_rank_numbers,
        shared=best.shared,
        tried=tried,
        supports=search.supports,
        n_parameters_elsewhere=found.n_numbers - looked_at,
    )


def _row(
    search: Search,
    place: int,
    option: Option,
    replaced: Replaced,
    in_place: float | None,
) -> CompressedLayer:
    """The line of the report."""
    linear, curve = search.linears[place], search.curves[place]
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
        effect=(search.effects or {}).get(place),
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
