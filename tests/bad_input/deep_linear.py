"""Bad and unusual input of sparse deep linear maps."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skfact import SparseDeepLinearNet
from skfact.deep_linear import (
    ConvolutionTree,
    StructuredFactor,
    ToeplitzFactor,
    are_rescalings,
    convolution_tree_is_recoverable,
    deep_null_space_constant,
    explore_supports,
    factor_distance,
    factor_error_bound,
    hierarchical_palm,
    indistinguishable_kernels,
    lifting_operator,
    lifting_rank,
    palm4msa,
    rank_one_tensor,
    recover_convolution_tree,
    structure_identifiability,
    tensor_lipschitz_bound,
    tensor_stability_bound,
)
from skfact.supports import Chain, FixedMask, KSparse, SupportFamily
from tests.bad_input.cases import BAD_MATRICES, RANDOM, changed, refused, works

X, Y = RANDOM.standard_normal((12, 4)), RANDOM.standard_normal((12, 3))


def fitted(supports: Any = "butterfly", **options: Any) -> Callable[[Any, Any], Any]:
    return lambda X, Y: SparseDeepLinearNet(supports, **options).fit(X, Y)


def is_finite(net: Any, *_inputs: Any) -> None:
    assert np.isfinite(net.coef_).all() and np.isfinite(net.intercept_).all()


WRONG = StructuredFactor((3, 4), 3, lambda h: np.diag(h) @ np.eye(3, 4), lambda G: np.zeros(3))
BENT = StructuredFactor((4, 4), 4, np.diag, lambda G: 2 * np.diag(G))

for id, supports, options, message in [
    ("masks that do not chain", [np.ones((3, 5)), np.ones((6, 4))], {}, "must chain"),
    ("masks of other outputs", [np.ones((2, 4))], {}, r"supports\[0\] has shape"),
    ("an empty mask", [FixedMask(np.zeros((3, 4)))], {}, "without a True entry"),
    ("no supports", [], {}, "supports is empty"),
    ("a chain too small", Chain.butterfly(2), {}, "smaller than the matrix"),
    ("unknown family", "buterfly", {}, "Did you mean 'butterfly'"),
    ("hidden sizes of a list", [KSparse(2)], {"hidden_layer_sizes": 3}, "wrong length"),
    (
        "hidden sizes of masks",
        [np.ones((3, 5)), np.ones((5, 4))],
        {"hidden_layer_sizes": 6},
        "5 columns",
    ),
    ("hidden sizes of a chain", Chain.butterfly(4), {"hidden_layer_sizes": 2}, "contradicts"),
    ("hidden size 0", "dense", {"hidden_layer_sizes": 0}, "hidden_layer_sizes"),
    ("wrong adjoint", [WRONG], {}, r"supports\[0\]: the adjoint fails the dot-product test"),
    ("a family that is not there", "kaleidoscop", {}, "Did you mean 'kaleidoscope'"),
    ("budgets by L-BFGS", [KSparse(2)], {"solver": "lbfgs"}, "needs fixed supports"),
    ("budgets by Adam", [KSparse(2)], {"solver": "adam"}, "needs fixed supports"),
    (
        "a projection that moves what it has projected",
        [ToeplitzFactor(3, 4, projection=lambda h: h / 2)],
        {},
        r"supports\[0\]: `projection` is none",
    ),
    (
        "a model by L-BFGS",
        [ToeplitzFactor(3, 4, projection="non-negative")],
        {"solver": "lbfgs"},
        "leaves the models of parameters",
    ),
    ("families by L-BFGS", [SupportFamily([KSparse(2)])], {"solver": "lbfgs"}, "fixed supports"),
    (
        "families of another shape",
        [SupportFamily([np.ones((2, 4))])],
        {},
        r"supports\[0\] has shape",
    ),
    ("wrong adjoint beside a budget", [KSparse(2), BENT], {}, r"supports\[1\]: the adjoint fails"),
    ("PALM of fixed supports", "dense", {"solver": "palm4msa"}, "is for budgets"),
    ("no closed form", "low-rank", {"solver": "closed-form"}, "needs one dense layer"),
    ("unknown solver", "dense", {"solver": "sgd"}, "solver must be one of"),
    ("negative alpha", "dense", {"alpha": -1.0}, "alpha must be at least 0"),
    ("infinite alpha", "dense", {"alpha": np.inf}, "alpha must be finite"),
    ("no rate", "dense", {"learning_rate_init": 0.0}, "learning_rate_init must be positive"),
    ("infinite rate", "dense", {"learning_rate_init": np.inf}, "_init must be positive and finite"),
    ("all to validate", "dense", {"validation_fraction": 1.0}, "validation_fraction"),
    ("no batch", "dense", {"batch_size": 0}, "batch_size must be at least 1"),
    ("no iteration", "dense", {"max_iter": 0}, "max_iter must be at least 1"),
    ("unknown backend", "dense", {"backend": "jax"}, "backend must be one of"),
    (
        "divergence of Adam",
        "dense",
        {"solver": "adam", "learning_rate_init": 1e200},
        "Training diverged",
    ),
]:
    refused(
        f"SparseDeepLinearNet: {id}",
        fitted(supports, **options),
        X,
        Y,
        error=ValueError,
        message=message,
    )
for id, bad_X, bad_Y, message in [
    ("NaN in X", changed(X, np.nan), Y, "X contains NaN"),
    ("NaN in y", X, changed(Y, np.nan), "y contains NaN"),
    ("y of other length", X, Y[:5], "inconsistent numbers of samples"),
    ("3-D y", X, Y[:, :, None], r"y must have shape .*\(12, 3, 1\)"),
    ("no sample", X[:0], Y[:0], "0 sample"),
]:
    refused(f"SparseDeepLinearNet: {id}", fitted(), bad_X, bad_Y, error=ValueError, message=message)
constant = X.copy()
constant[:, 1] = 7
for id, good_X, good_Y in [
    ("one sample", X[:1], Y[:1]),
    ("fewer samples than features", X[:2], Y[:2]),
    ("a constant column", constant, Y),
    ("constant X", np.ones_like(X), Y),
    ("constant y", X, np.ones_like(Y)),
    ("zeros", 0 * X, 0 * Y),
    ("tiny", X * 1e-150, Y),
    ("huge y", X, Y * 1e150),
    ("float32", X.astype("f4"), Y.astype("f4")),
]:
    for name, supports in {
        "butterfly": "butterfly",
        "Toeplitz": [ToeplitzFactor(3, 4)],
        "budget": [KSparse(2, axis=1)],
    }.items():
        works(
            f"SparseDeepLinearNet of a {name}: {id}",
            fitted(supports, solver="auto" if name == "budget" else "lbfgs", max_iter=2000),
            good_X,
            good_Y,
            check=is_finite,
        )
refused(
    "SparseDeepLinearNet: negative weights",
    lambda X, Y: SparseDeepLinearNet().fit(X, Y, -np.ones(12)),
    X,
    Y,
    error=ValueError,
    message="sample_weight must be finite and not negative",
)
for id, supports, options, message in [
    (
        "a family of pairs",
        [SupportFamily([([[1]], [[1]])])],
        {},
        r"supports\[0\] is a family of pairs",
    ),
    ("one budget without a list", KSparse(2), {}, "Put supports in a list, one item for each"),
    ("one mask without a list", np.ones((3, 4)), {}, "Put supports in a list, one item for each"),
    ("intercept in words", "dense", {"fit_intercept": "no"}, "fit_intercept must be True or False"),
]:
    refused(
        f"SparseDeepLinearNet: {id}",
        fitted(supports, **options),
        X,
        Y,
        error=TypeError,
        message=message,
    )
for id, supports, options, error, message in [
    ("no list", SupportFamily([np.eye(3)]), {}, TypeError, "supports must be the name of a family"),
    ("no supports", [], {}, ValueError, "supports is empty"),
    ("masks that do not fit", [np.eye(5)], {}, ValueError, r"supports\[0\] has shape \(5, 5\)"),
    ("pairs", [SupportFamily([([[1]], [[1]])])], {}, TypeError, r"supports\[0\] is a family of p"),
    ("no start", [KSparse(2)], {"n_init": 0}, ValueError, "n_init must be at least 1"),
    ("half a start", [KSparse(2)], {"n_init": 0.5}, TypeError, "n_init must be int"),
    ("no sweep", [KSparse(2)], {"max_iter": 0}, ValueError, "max_iter must be at least 1"),
    ("negative tol", [KSparse(2)], {"tol": -1.0}, ValueError, "tol must be at least 0"),
    ("a seed in words", [KSparse(2)], {"random_state": "0"}, ValueError, "random_state must be"),
    ("losses in words", [KSparse(2)], {"return_loss": "yes"}, TypeError, "return_loss must be"),
]:
    refused(
        f"explore_supports: {id}",
        lambda A, supports, options: explore_supports(A, supports, **options),
        Y[:4],
        supports,
        options,
        error=error,
        message=message,
    )
for id, matrix, error, message in BAD_MATRICES:
    refused(
        f"explore_supports: {id}",
        lambda A: explore_supports(A, [KSparse(2, axis=0)] * 2),
        matrix,
        error=error,
        message=message.format(name="A"),
    )

PAIR = [np.array([1.0, 2.0]), np.array([3.0, 0.0, -1.0])]
for id, h, error, message in [
    ("a text", "h", TypeError, "h must be a sequence of parameter vectors"),
    ("a number", 3.0, TypeError, "h must be a sequence of parameter vectors"),
    ("no vector", [], ValueError, "h is empty"),
    ("an empty vector", [PAIR[0], []], ValueError, r"h\[1\] must be a vector"),
    ("a number in it", [PAIR[0], 1.0], ValueError, r"h\[1\] must be a vector.*\(\)"),
    ("one vector without a list", PAIR[0], ValueError, r"h\[0\] must be a vector.*list of one"),
    ("NaN", [PAIR[0], [np.nan]], ValueError, r"h\[1\] contains NaN"),
    ("complex NaN", [[complex(0, np.nan)], PAIR[1]], ValueError, r"h\[0\] contains NaN"),
    ("inf", [PAIR[0], [np.inf]], ValueError, r"h\[1\] contains infinity"),
    ("names", [PAIR[0], ["a"]], TypeError, r"h\[1\] has dtype"),
]:
    refused(f"rank_one_tensor: {id}", rank_one_tensor, h, error=error, message=message)
    refused(f"are_rescalings: {id}", are_rescalings, h, PAIR, error=error, message=message)
    for function in (factor_distance, tensor_stability_bound, tensor_lipschitz_bound):
        name = f"{function.__name__}: {id}"
        refused(name, function, h, PAIR, error=error, message=message)
for id, g, error, message in [
    ("another number of vectors", PAIR[:1], ValueError, r"lengths \[2, 3\] and \[2\]"),
    ("other lengths", PAIR[::-1], ValueError, r"lengths \[2, 3\] and \[3, 2\]"),
    ("g with NaN", [PAIR[0], changed(np.ones((2, 3)), np.nan)[1]], ValueError, r"g\[1\] contains"),
]:
    refused(f"are_rescalings: {id}", are_rescalings, PAIR, g, error=error, message=message)
    refused(f"factor_distance: {id}", factor_distance, PAIR, g, error=error, message=message)
refused(
    "factor_distance: the shape of the transpose",
    factor_distance,
    [np.ones((2, 3))],
    [np.ones((3, 2))],
    error=ValueError,
    message=r"h\[0\] and g\[0\] must have the same shape.*\(2, 3\) and \(3, 2\)",
)
for id, p, error, message in [
    ("p below one", 0.5, ValueError, "p must be at least 1, got 0.5"),
    ("p is NaN", np.nan, ValueError, "p must be at least 1"),
    ("p in words", "fro", TypeError, "p must be float"),
]:
    for function in (factor_distance, tensor_stability_bound, tensor_lipschitz_bound):
        name = f"{function.__name__}: {id}"
        refused(name, function, PAIR, PAIR, p, error=error, message=message)
for id, rtol, error, message in [
    ("negative rtol", -1e-3, ValueError, "rtol must be at least 0"),
    ("infinite rtol", np.inf, ValueError, "rtol must be finite"),
    ("rtol in words", "loose", TypeError, "rtol must be float"),
]:
    refused(f"are_rescalings: {id}", are_rescalings, PAIR, PAIR, rtol, error=error, message=message)
refused(
    "tensor_stability_bound: unknown constant",
    lambda h: tensor_stability_bound(h, h, constant="7"),
    PAIR,
    error=ValueError,
    message="constant must be one of",
)

EDGES, PLACES = [(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 2), (0, 4)]
for id, edges, supports, size, error, message in [
    ("no edges", [], [], 8, ValueError, "edges is empty"),
    ("a number for edges", 3, PLACES, 8, TypeError, "edges must be a sequence of pairs"),
    ("an edge of three", [(0, 1, 2)], [(0,)], 8, TypeError, r"edges\[0\] must be a pair"),
    ("an edge in words", ["ab"], [(0,)], 8, TypeError, r"edges\[0\] must be a pair"),
    ("a node in a list", [([0], 1)], [(0,)], 8, TypeError, "not hashable"),
    ("two roots", [(0, 1), (2, 3)], PLACES[:2], 8, ValueError, r"2 roots, \[0, 2\]"),
    ("two parents", [(0, 1), (0, 2), (1, 2)], PLACES, 8, ValueError, "two edges to node 2"),
    ("a cycle", [(0, 1), (1, 2), (2, 0)], PLACES, 8, ValueError, "cycle"),
    ("a cycle beside a tree", [(0, 1), (2, 3), (3, 2)], PLACES, 8, ValueError, "cycle"),
    ("an edge to itself", [(0, 1), (2, 2)], PLACES[:2], 8, ValueError, "cycle"),
    ("too few supports", EDGES, PLACES[:2], 8, ValueError, "one support for each of the 3 edges"),
    ("a number for supports", EDGES, 3, 8, TypeError, "supports must be a sequence"),
    ("a number for a support", EDGES, [0, 1, 2], 8, TypeError, r"supports\[0\] must be a sequence"),
    ("an empty support", EDGES, [(0,), (), (1,)], 8, ValueError, r"supports\[1\] is empty"),
    ("an index twice", EDGES, [(0,), (3, 1, 3), (1,)], 8, ValueError, "index 3 more than once"),
    ("an index outside", EDGES, [(0,), (8,), (1,)], 8, ValueError, "index 8 outside.*would be 0"),
    ("a negative index", EDGES, [(0,), (-1,), (1,)], 8, ValueError, "index -1 outside.*be 7"),
    ("a fraction", EDGES, [(0,), (0.5,), (1,)], 8, TypeError, r"supports\[1\] must hold indices"),
    ("bools", EDGES, [(0,), (True,), (1,)], 8, TypeError, r"supports\[1\] must hold indices"),
    ("pairs for signals", EDGES, [[(0, 1)]] * 3, 8, TypeError, "must hold indices"),
    ("numbers for images", EDGES, [(0, 1)] * 3, (8, 8), TypeError, "must hold pairs"),
    ("pairs outside", EDGES, [[(0, 9)]] * 3, (8, 8), ValueError, r"would be \(0, 1\)"),
    ("size 0", EDGES, PLACES, 0, ValueError, "size must be at least 1"),
    ("three sizes", EDGES, PLACES, (2, 2, 2), ValueError, "size must be an int or a pair"),
    ("size in words", EDGES, PLACES, "8", TypeError, "size must be an integer"),
]:
    refused(
        f"ConvolutionTree: {id}",
        ConvolutionTree,
        edges,
        supports,
        size,
        error=error,
        message=message,
    )
TREE = ConvolutionTree(EDGES, PLACES, 8)
KERNELS = [np.array([1.0, 2.0])] * 3
for id, kernels, error, message in [
    ("too few kernels", KERNELS[:2], ValueError, "one kernel for each of the 3 edges"),
    ("other lengths", [*KERNELS[:2], np.ones(3)], ValueError, r"kernels\[2\] must have one value"),
    ("NaN", [*KERNELS[:2], [np.nan, 1.0]], ValueError, r"kernels\[2\] contains NaN"),
    ("a matrix", [*KERNELS[:2], np.eye(2)], ValueError, r"kernels\[2\] must be a vector"),
]:
    refused(f"ConvolutionTree.product: {id}", TREE.product, kernels, error=error, message=message)
LONG = ConvolutionTree([(k, k + 1) for k in range(70)], [[0, 2]] + [[1]] * 69, 8)
refused(
    "recover_convolution_tree: a path of 70 edges",
    recover_convolution_tree,
    LONG.product([np.ones(2)] + [np.ones(1)] * 69),
    LONG,
    error=ValueError,
    message="path of 70 edges",
)
for id, X, options, error, message in [
    ("another length", np.ones((9, 2)), {}, ValueError, r"X must have shape \(8, 2\).*\(8, 16\)"),
    ("one column", np.ones(8), {}, ValueError, "X must have shape"),
    ("NaN", np.full((8, 2), np.nan), {}, ValueError, "X contains NaN"),
    ("names", np.full((8, 2), "a"), {}, TypeError, "X has dtype"),
    ("negative noise", np.ones((8, 2)), {"noise": -1.0}, ValueError, "noise must be at least 0"),
    ("NaN of noise", np.ones((8, 2)), {"noise": [0, np.nan]}, ValueError, r"noise\[1\] must be at"),
    ("words of noise", np.ones((8, 2)), {"noise": ["low", 1]}, TypeError, r"noise\[0\] must be"),
    ("complex noise", np.ones((8, 2)), {"noise": np.ones(2) * 1j}, TypeError, r"noise\[0\] must"),
    ("ragged noise", np.ones((8, 2)), {"noise": [[1], [2, 3]]}, TypeError, r"noise\[0\] must be"),
    ("noise beyond floats", np.ones((8, 2)), {"noise": [1, 10**400]}, ValueError, "largest float"),
    (
        "noises of other leaves",
        np.ones((8, 2)),
        {"noise": [1.0]},
        ValueError,
        "each of the 2 leaves",
    ),
    ("no sweep", np.ones((8, 2)), {"max_iter": 0}, ValueError, "max_iter must be at least 1"),
]:
    refused(
        f"recover_convolution_tree: {id}",
        lambda X, options=options: recover_convolution_tree(X, TREE, **options),
        X,
        error=error,
        message=message,
    )
for name, call in {
    "convolution_tree_is_recoverable": convolution_tree_is_recoverable,
    "recover_convolution_tree": lambda tree: recover_convolution_tree(np.ones((8, 2)), tree),
    "indistinguishable_kernels": indistinguishable_kernels,
}.items():
    refused(f"{name}: no tree", call, EDGES, error=TypeError, message="tree must be a Convolution")
refused(
    "convolution_tree_is_recoverable: unknown method",
    lambda edges: convolution_tree_is_recoverable(TREE, "sums"),
    EDGES,
    error=ValueError,
    message="method must be one of",
)

ALONE = SupportFamily([np.tri(8), np.eye(8)])
for id, call in {
    "palm4msa": palm4msa,
    "explore_supports": explore_supports,
    "hierarchical_palm": hierarchical_palm,
    "SparseDeepLinearNet": lambda A, supports: SparseDeepLinearNet(supports).fit(A, A),
    "lifting_operator": lambda A, supports: lifting_operator(supports),
}.items():
    for kind, supports, shown in [
        ("a family", ALONE, "SupportFamily"),
        ("a mask", np.tri(12, 8), "ndarray"),
        ("a budget", KSparse(3), r"KSparse\(3\)"),
    ]:
        refused(
            f"{id}: {kind} that is no list",
            call,
            np.tri(8),
            supports,
            error=TypeError,
            message=rf"(supports|structure) must be [^\[]*, got {shown}\. Put supports in a list",
        )
refused(
    "hierarchical_palm: residuals that are no list",
    lambda A: hierarchical_palm(A, [ALONE] * 3, ALONE),
    np.tri(8),
    error=TypeError,
    message=r"residual_supports must be a list of supports, got SupportFamily\.$",
)
refused(
    "SparseDeepLinearNet: batch_size in words",
    fitted("dense", batch_size="all"),
    X,
    Y,
    error=TypeError,
    message="batch_size must be int or 'auto', got 'all'",
)
COLUMN_ROW = [ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)]
for id, structure, error, message in [
    ("None", None, TypeError, "structure must be a Chain, a list"),
    ("a number", 3, TypeError, "structure must be a Chain, a list"),
    ("an array", np.eye(3), TypeError, "structure must be a Chain, a list"),
    (
        "one factor without a list",
        ToeplitzFactor(3, 3),
        TypeError,
        "Put supports in a list, one item for each",
    ),
    ("one mask", FixedMask(np.eye(3)), TypeError, "Put supports in a list, one item for each"),
    ("a family", "butterfly", ValueError, "structure='butterfly' is a family, which needs a shape"),
    ("an unknown family", "buterfly", ValueError, "structure='buterfly'.*Did you mean 'butterfly'"),
    ("no factor", [], ValueError, "structure is empty"),
    ("text in a list", ["butterfly"], TypeError, r"structure\[0\] must be a KroneckerSparse"),
    ("a budget", [KSparse(3), np.eye(3)], TypeError, r"structure\[0\] is KSparse\(3\).*linear"),
    (
        "a family of masks",
        [SupportFamily([np.eye(3)])],
        TypeError,
        r"structure\[0\] is SupportF.*linear",
    ),
    ("factors that do not chain", COLUMN_ROW[::-1], ValueError, r"structure\[1\] has shape.*chain"),
    ("an empty mask", [np.zeros((2, 2))], ValueError, r"structure\[0\] is a mask without"),
    ("a mask of twos", [2 * np.eye(2)], ValueError, r"structure\[0\] must be.*A fixed matrix H"),
    ("a tree", TREE, TypeError, r"convolution_tree_is_recoverable\(tree\).*tree.factors\(\)"),
    ("an unfitted family", SparseDeepLinearNet(), ValueError, "structure: the supports of this"),
    (
        "budgets of a net",
        SparseDeepLinearNet([KSparse(2)]),
        TypeError,
        r"structure\[0\] is KSparse",
    ),
]:
    for call in (lifting_operator, lifting_rank, structure_identifiability):
        refused(f"{call.__name__}: {id}", call, structure, error=error, message=message)
    refused(
        f"deep_null_space_constant: {id}",
        deep_null_space_constant,
        structure,
        error=error,
        message=message,
    )
    refused(
        f"factor_error_bound: {id}",
        lambda structure: factor_error_bound(structure, [np.ones(2)], 0.1),
        structure,
        error=error,
        message=message if structure is not None else "structure is None",
    )
for call in (lifting_operator, lifting_rank, structure_identifiability, deep_null_space_constant):
    refused(
        f"{call.__name__}: a wrong adjoint",
        lambda X, call=call: call([BENT]),  # its functions cannot be pickled
        X,
        error=ValueError,
        message=r"structure\[0\]: the adjoint fails",
    )
for call in (lifting_rank, structure_identifiability, deep_null_space_constant):
    refused(
        f"{call.__name__}: random_state in words",
        lambda structure, call=call: call(structure, random_state="first"),
        COLUMN_ROW,
        error=ValueError,
        message="random_state must be",
    )
refused(
    "structure_identifiability: up to anything",
    lambda structure: structure_identifiability(structure, up_to="permutations"),
    COLUMN_ROW,
    error=ValueError,
    message="up_to must be one of",
)
LIFT = lifting_operator(COLUMN_ROW)
for name, call, count in [
    ("matvec", LIFT.matvec, 12),
    ("rmatvec", LIFT.rmatvec, 12),
]:
    for id, array, error, message in [
        ("a list", [1.0] * count, TypeError, "must be an array"),
        ("other entries", np.ones(5), ValueError, rf"has shape \(5,\), expected {count} entries"),
        ("names", np.full(count, "a"), (TypeError, ValueError), ""),
    ]:
        refused(f"LiftingOperator.{name}: {id}", call, array, error=error, message=message)
for id, array in [("a vector", np.ones(12)), ("other rows", np.ones((5, 2)))]:
    refused(
        f"LiftingOperator.matmat: {id}",
        LIFT.matmat,
        array,
        error=ValueError,
        message=r"tensors must have shape \(12, count\)",
    )
for id, limit, error in [("0 bytes", 0, ValueError), ("memory in words", "all", TypeError)]:
    refused(
        f"LiftingOperator.toarray: {id}",
        lambda limit: LIFT.toarray(max_bytes=limit),
        limit,
        error=error,
        message="max_bytes must be",
    )
GOOD = [np.ones(4), np.ones(3)]
for id, h, options, error, message in [
    ("other lengths", GOOD[::-1], {}, ValueError, r"lengths \[3, 4\].*lengths \[4, 3\]"),
    ("NaN", [np.full(4, np.nan), GOOD[1]], {}, ValueError, r"h\[0\] contains NaN"),
    ("h in words", "h", {}, TypeError, "h must be a sequence"),
    ("negative noise", GOOD, {"noise": -1.0}, ValueError, "noise must be at least 0"),
    ("infinite noise", GOOD, {"noise": np.inf}, ValueError, "noise must be finite"),
    ("noise in words", GOOD, {"noise": "low"}, TypeError, "noise must be float"),
    ("negative residual", GOOD, {"inexactness": -1.0}, ValueError, "inexactness must be"),
    ("p below one", GOOD, {"p": 0.5}, ValueError, "p must be at least 1"),
    ("unknown constant", GOOD, {"constant": "7"}, ValueError, "constant must be one of"),
    ("gamma below one", GOOD, {"gamma": 0.5}, ValueError, "gamma must be at least 1"),
    ("sigma 0", GOOD, {"sigma": 0.0}, ValueError, "sigma must be positive"),
    ("negative sigma", GOOD, {"sigma": -1.0}, ValueError, "sigma must be at least 0"),
]:
    refused(
        f"factor_error_bound: {id}",
        lambda h, options=options: factor_error_bound(COLUMN_ROW, h, **{"noise": 0.1, **options}),
        h,
        error=error,
        message=message,
    )
