"""The scikit-learn face of sparse deep linear maps."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MultiOutputMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skfact._backend import (
    array_namespace,
    compute_namespace,
    device,
    move,
    move_like,
    to_numpy,
)
from skfact._inputs import is_numpy
from skfact._scale import binary_exponent, times_power_of_two
from skfact._sklearn_compat import CallbackSupportMixin, with_callbacks
from skfact._validation import check_choice, check_number, require_finite, validate_samples
from skfact.butterfly import butterfly_factorize
from skfact.deep_linear._hierarchical_palm import run_hierarchical
from skfact.deep_linear._network import Network, resolve_network
from skfact.deep_linear._palm import run_palm
from skfact.deep_linear._slots import make_slot
from skfact.deep_linear._training import (
    Adam,
    Trained,
    data_sweeps,
    is_isotropic,
    lbfgs,
    least_squares,
)
from skfact.exceptions import IllPosedWarning
from skfact.fixed_support import fixed_support_factorize
from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.supports import FixedMask, KroneckerSparse

SOLVERS = ("auto", "closed-form", "lbfgs", "adam", "palm4msa", "hierarchical")
BATCH = 200  # samples of a mini-batch where batch_size="auto"


class SparseDeepLinearNet(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MultiOutputMixin,
    RegressorMixin,
    BaseEstimator,
):
    r"""Linear regression whose coefficients are a product of sparse factors; also a transformer.

    Minimizes, with every factor in its set,

    .. math:: \tfrac12 \|Y - X (S_1 \cdots S_L)^T - 1 b^T\|_F^2
              + \tfrac{\alpha}{2} \sum_l \|S_l\|_F^2.

    Read more in the :doc:`user guide </user_guide/deep_linear>`.

    Parameters
    ----------
    supports : str, callable, Chain or list, default="butterfly"
        - A family by name: "butterfly", "monarch", "low-rank", "dense", or "kaleidoscope" (a
          transposed butterfly times a butterfly).
        - A callable ``(n_out, n_in) -> Chain``, or a chain.
        - A list with one item per factor, the last one applied first: patterns, masks, structured
          factors such as :class:`ToeplitzFactor`, or budgets such as ``KSparse(2, axis=1)``.
    hidden_layer_sizes : int or sequence of int, default=None
        Widths between the layers, the one next to the input first, as in
        :class:`~sklearn.neural_network.MLPRegressor`. A family gives the supports of every layer;
        beside a list, the sizes between its factors.
    solver : {"auto", "closed-form", "lbfgs", "adam", "palm4msa", "hierarchical"}, default="auto"
        "closed-form" factors the least-squares matrix, for one dense layer or where the centred
        inputs are isotropic; "lbfgs" and "adam" are for fixed supports and structured factors;
        "palm4msa" and "hierarchical" for budgets. "auto" takes the first that applies.
    alpha : float, default=0.0
        Ridge penalty on the factors. Not for budgets.
    fit_intercept : bool, default=True
        Whether to fit b; otherwise X and y are not centred.
    batch_size : int or "auto", default="auto"
        Samples of a mini-batch of "adam"; "auto" is 200, or all if there are fewer.
    learning_rate_init : float, default=1e-3
        Step size of "adam".
    early_stopping : bool, default=False
        For "adam": set samples aside, and stop when their R2 no longer improves.
    validation_fraction : float, default=0.1
        Share of the samples set aside.
    n_iter_no_change : int, default=10
        Epochs of "adam" without improvement by `tol` after which it stops.
    warm_start : bool, default=False
        Start from the factors of the last `fit`.
    max_iter : int, default=200
        Largest number of iterations, sweeps or epochs.
    tol : float, default=1e-4
        "lbfgs" and the sweeps end when ten of them lower the loss by no more than this share of it.
    backend : {"auto", "numpy", "cupy"}, default="auto"
        Where to compute; "auto" is where X lives. Results come back in the array type of X.
    random_state : int, RandomState instance or None, default=None
        Draws starts, batches and the validation set.
    verbose : int, default=0
        Print the loss after every `verbose` iterations.

    Attributes
    ----------
    operator_ : FactorizedOperator of shape (n_outputs, n_features)
        The coefficients as a fast linear map.
    factors_ : list of arrays
        Factors with parameters: values (a, d, b, c), or dense arrays.
    coef_ : array of shape (n_outputs, n_features) or (n_features,)
        `operator_` as a dense array, made when asked for.
    intercept_ : array of shape (n_outputs,) or float
        The offset b.
    mean_ : array of shape (n_features,)
        Mean of X that `transform` subtracts; zero without intercept.
    solver_ : str
        The solver that was used.
    loss_curve_ : list of float
        Loss at the start and after each iteration; for "adam" after each epoch.
    n_iter_ : int
        Number of iterations; 1 for a closed form.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Feature names, if X has string column names.

    See Also
    --------
    skfact.ButterflyFactorizer : Factors a map that is known.
    palm4msa : Factors a matrix within budgets.

    Notes
    -----
    With more samples than features a QR decomposition of the centred X replaces the samples of
    full-batch solvers by as many rows as there are features; the loss changes by a constant, which
    is added back.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact import SparseDeepLinearNet
    >>> X = np.random.default_rng(0).standard_normal((100, 8))
    >>> Y = X @ np.kron(np.eye(4), np.ones((2, 2)))
    >>> net = SparseDeepLinearNet("low-rank", hidden_layer_sizes=4, random_state=0).fit(X, Y)
    >>> net.coef_.shape, net.transform(X).shape
    ((8, 8), (100, 1))
    """

    def __init__(
        self,
        supports: Any = "butterfly",
        *,
        hidden_layer_sizes: Any = None,
        solver: str = "auto",
        alpha: float = 0.0,
        fit_intercept: bool = True,
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        max_iter: int = 200,
        tol: float = 1e-4,
        backend: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.supports = supports
        self.hidden_layer_sizes = hidden_layer_sizes
        self.solver = solver
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.max_iter = max_iter
        self.tol = tol
        self.backend = backend
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseDeepLinearNet:
        """Learn the factors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : SparseDeepLinearNet
            The fitted estimator.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If a parameter has a wrong value, X or y is not finite, they do not fit together, or the
            supports do not fit them or the solver.
        ImportError, RuntimeError
            If ``backend="cupy"`` and CuPy or a device is missing.
        """
        self._check_parameters()
        X, Y, single = self._checked(X, y, reset=True)
        weights = _weights(sample_weight, X)
        xp, where = compute_namespace(self.backend, X)
        work, target = move(X, xp, where), move(Y, xp, where)
        share = None if weights is None else move(weights, xp, where)
        x_mean, y_mean = (_mean(a, share, bool(self.fit_intercept)) for a in (work, target))
        root = None if share is None else xp.sqrt(share)[:, None]
        work, target = ((a - m) for a, m in ((work, x_mean), (target, y_mean)))
        if root is not None:
            work, target = work * root, target * root
        shift = binary_exponent(work, "X"), binary_exponent(target, "y")
        work, target = (times_power_of_two(a, -e) for a, e in zip((work, target), shift))
        network = resolve_network(
            self.supports, self.hidden_layer_sizes, Y.shape[1], X.shape[1], work
        )
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        unit = math.ldexp(1.0, min(2 * shift[1], 1000))

        def on_sweep(number: int, loss: float) -> bool:
            if self.verbose and number % int(self.verbose) == 0:
                print(f"[{type(self).__name__}] iteration {number}, loss: {loss * unit:.6g}")
            task = context.subcontext(task_name="sweep")
            task.call_on_fit_task_begin(estimator=self)
            return bool(task.call_on_fit_task_end(estimator=self))

        operator, trained = self._solve(network, work.T, target.T, shift, on_sweep)
        self._record(network, operator, trained, x_mean, y_mean, shift, X, single)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _solve(
        self, network: Network, X: Any, Y: Any, shift: tuple[int, int], on_sweep: Any
    ) -> tuple[FactorizedOperator, Trained]:
        """Operator for scaled, centred, feature-major data, and how it was found."""
        xp, n_in = array_namespace(X), X.shape[0]
        count = len(network.supports)
        alpha = float(self.alpha) and math.ldexp(
            float(self.alpha),
            max(-1000, min(1000, 2 * (shift[1] - shift[0]) // count - 2 * shift[1])),
        )
        random = check_random_state(self.random_state)
        if self.solver == "adam":
            self.solver_ = "adam"
            return self._epochs(network, X, Y, alpha, random, on_sweep)
        everything = float(xp.sum(Y * Y))
        if X.shape[1] > n_in:  # fewer rows with the same loss, up to a constant
            Q, R = xp.linalg.qr(X.T)
            X, Y = R.T, Y @ Q
        constant = max(0.0, 0.5 * (everything - float(xp.sum(Y * Y))))
        exact = network.is_dense or (is_isotropic(X) and not self.alpha)
        self.solver_ = solver = self._choose(network, exact)
        start = least_squares(X, Y, alpha)  # with alpha > 0 small singular values of X do no harm
        if network.is_dense:
            values = [xp.reshape(start, (1, 1, *start.shape))]
        elif network.budgeted:
            values = []
        else:
            values = self._start(network, start, random)

        def loss_of(operator: FactorizedOperator) -> float:
            return constant + 0.5 * float(xp.sum((operator.apply(X.T).T - Y) ** 2))

        if solver == "closed-form":
            operator = network.operator(values)
            return operator, Trained(values, [loss_of(operator)], 1, True, False)
        if solver == "lbfgs":
            found = lbfgs(
                network, X, Y, values, alpha=alpha, max_iter=int(self.max_iter),
                tol=float(self.tol), on_sweep=lambda i, f: on_sweep(i, f + constant),
            )  # fmt: skip
            found = found._replace(losses=[loss + constant for loss in found.losses])
            return network.operator(found.values), found
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            options: dict[str, Any] = {"max_iter": int(self.max_iter), "tol": float(self.tol)}
            inner = [shape[1] for shape in network.shapes[:-1]]
            if solver == "hierarchical":
                result = run_hierarchical(start, network.supports, inner_sizes=inner, **options)
            else:
                result = run_palm(
                    start, network.supports, inner_sizes=inner, random_state=random, **options
                )
        begin = result.operator
        if exact:
            curve = [loss_of(begin)]
            n_iter = max(1, len(result.losses) - 1)
            return begin, Trained([], curve, n_iter, result.converged, False)
        matrices = [factor.toarray() for factor in begin.factors]
        found = data_sweeps(
            network,
            X,
            Y,
            matrices,
            on_sweep=lambda i, f: on_sweep(i, 0.5 * f + constant),
            **options,
        )
        found = found._replace(losses=[loss + constant for loss in found.losses])
        return _operator_of(found.values, network), found

    def _choose(self, network: Network, exact: bool) -> str:
        """The solver, or the reason why the one asked for does not apply."""
        solver = self.solver
        if network.budgeted:
            if solver not in ("auto", "palm4msa", "hierarchical"):
                raise ValueError(
                    f"solver={solver!r} needs fixed supports, but supports has budgets: use "
                    "'palm4msa' or 'hierarchical'."
                )
            if self.alpha:
                raise ValueError(
                    f"alpha={self.alpha} goes with fixed supports and structured factors; budgets "
                    "have normalized factors. Pass alpha=0."
                )
            return "palm4msa" if solver == "auto" else solver
        if solver in ("palm4msa", "hierarchical"):
            raise ValueError(
                f"solver={solver!r} is for budgets (KSparse), but all supports are fixed: use "
                "'lbfgs' or 'auto'."
            )
        direct = exact and (network.is_dense or _has_closed_form(network))
        if solver == "closed-form" and not direct:
            raise ValueError(
                "solver='closed-form' needs one dense layer, or a chain (or two masks) with "
                "isotropic centred inputs and alpha=0. Use 'auto' or 'lbfgs'."
            )
        return "lbfgs" if solver == "lbfgs" or not direct else "closed-form"

    def _start(self, network: Network, matrix: Any, random: Any) -> list[Any]:
        """Values to start from: earlier ones, factors of the least-squares matrix, or random."""
        earlier = getattr(self, "_values", None)
        if self.warm_start and earlier is not None:
            shapes = [tuple(v.shape) for v in earlier]
            if shapes == [tuple(p.values_shape) for p in network.parameters]:
                return [move_like(value, matrix) for value in earlier]
        xp = array_namespace(matrix)
        if network.chain is not None:
            operator = butterfly_factorize(matrix, network.chain)
            return [f.values for f in operator.factors if not isinstance(f, PartialPermutation)]
        if len(network.supports) == 1 and not isinstance(network.supports[0], KroneckerSparse):
            # projected on the mask, or on the structure up to its Gram matrix
            parameters: Any = network.parameters[0]
            identity = xp.eye(matrix.shape[0], dtype=matrix.dtype, device=device(matrix))
            return [parameters.correlate(identity, matrix.T)]
        if len(network.supports) == 2 and all(isinstance(s, FixedMask) for s in network.supports):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = fixed_support_factorize(
                    matrix, *network.supports, random_state=random, max_iter=20
                )
            return [
                xp.take(xp.reshape(f, (-1,)), move_like(p.rows * p.shape[1] + p.columns, matrix))
                for f, p in zip((found.left, found.right), list[Any](network.parameters))
            ]
        return network.start(random, matrix)

    def _epochs(
        self, network: Network, X: Any, Y: Any, alpha: float, random: Any, on_sweep: Any
    ) -> tuple[FactorizedOperator, Trained]:
        """Adam on mini-batches."""
        if network.budgeted:
            self._choose(network, exact=False)
        xp, n = array_namespace(X), X.shape[1]
        order = random.permutation(n)
        held = max(1, round(float(self.validation_fraction) * n)) if self.early_stopping else 0
        if held and n - held < 1:
            raise ValueError(
                f"early_stopping=True sets {held} of {n} samples aside and leaves none to learn "
                "from. Pass more samples, or early_stopping=False."
            )
        aside, order = order[:held], order[held:]
        size = min(BATCH, len(order)) if self.batch_size == "auto" else int(self.batch_size)
        earlier = getattr(self, "_values", None)
        values = network.start(random, X)
        if self.warm_start and earlier is not None and len(earlier) == len(values):
            values = [move_like(value, X) for value in earlier]
        adam = Adam(values, float(self.learning_rate_init))

        def take(array: Any, which: np.ndarray) -> Any:
            return xp.take(array, move_like(which, X), axis=1)

        best, kept, waited, losses, converged = math.inf, values, 0, [], False
        for epoch in range(1, int(self.max_iter) + 1):
            total = 0.0
            order = random.permutation(order)
            for first in range(0, len(order), size):
                batch = order[first : first + size]
                part = len(batch) / n
                with np.errstate(over="ignore", invalid="ignore"):  # reported below
                    loss, gradients, _ = network.loss_and_gradient(
                        values, take(X, batch), take(Y, batch), alpha * part
                    )
                    total += loss
                    values = adam.step(values, [g / len(batch) for g in gradients])
            if not math.isfinite(total):
                raise ValueError(
                    f"Training diverged with learning_rate_init={self.learning_rate_init}: the "
                    "loss is not finite. Pass a smaller one, or scale X and y."
                )
            losses.append(total)
            if held:
                rest = network.operator(values).apply(take(X, aside).T).T - take(Y, aside)
                measure = float(xp.sum(rest * rest))
            else:
                measure = total
            waited = 0 if measure < best * (1 - float(self.tol)) else waited + 1
            if measure < best:
                best, kept = measure, values
            if on_sweep(epoch, total) or waited >= int(self.n_iter_no_change):
                converged = True
                break
        values = kept if held else values
        return network.operator(values), Trained(values, losses, len(losses), converged, False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseDeepLinearNet:
        """Take one step of Adam on a batch.

        The first call fixes the mean of X, and the mean of y as the offset to start from.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : SparseDeepLinearNet
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            As in `fit`; also if supports has budgets, or y another number of outputs than before.
        """
        self._check_parameters()
        fresh = not hasattr(self, "_stream")
        X, Y, single = self._checked(X, y, reset=fresh)
        weights = _weights(sample_weight, X)
        xp, where = compute_namespace(self.backend, X)
        work, target = move(X, xp, where), move(Y, xp, where)
        share = None if weights is None else move(weights, xp, where)
        if fresh:
            network = resolve_network(
                self.supports, self.hidden_layer_sizes, Y.shape[1], X.shape[1], work
            )
            if network.budgeted:
                raise ValueError("partial_fit needs fixed supports, but supports has budgets.")
            means = [_mean(a, share, bool(self.fit_intercept)) for a in (work, target)]
            values = network.start(check_random_state(self.random_state), work)
            state = [*values, means[1]]
            self._stream = (network, means[0], state, Adam(state, float(self.learning_rate_init)))
            self.loss_curve_: list[float] = []
            self.n_iter_ = 0
        network, x_mean, state, adam = self._stream
        if Y.shape[1] != state[-1].shape[0]:
            raise ValueError(
                f"y has {Y.shape[1]} outputs, but the first batch {state[-1].shape[0]}."
            )
        centred, rest = (work - x_mean).T, (target - state[-1]).T
        if share is not None:
            root = xp.sqrt(share)
            centred, rest = centred * root, rest * root
        loss, gradients, residual = network.loss_and_gradient(
            state[:-1], centred, rest, float(self.alpha)
        )
        if share is not None:
            residual = residual * xp.sqrt(share)
        offset = xp.sum(residual, axis=1) if self.fit_intercept else 0 * state[-1]
        state = adam.step(state, [g / X.shape[0] for g in [*gradients, offset]])
        self._stream = (network, x_mean, state, adam)
        self.solver_ = "adam"
        curve, n_iter = [*self.loss_curve_, loss], self.n_iter_ + 1
        trained = Trained(state[:-1], [], 1, True, False)
        self._record(
            network, network.operator(state[:-1]), trained, x_mean, state[-1], (0, 0), X, single
        )
        self.loss_curve_, self.n_iter_ = curve, n_iter
        return self

    def _record(
        self,
        network: Network,
        operator: FactorizedOperator,
        trained: Trained,
        x_mean: Any,
        y_mean: Any,
        shift: tuple[int, int],
        X: Any,
        single: bool,
    ) -> None:
        """Fitted attributes, in the array type of X; warnings."""
        exponent = shift[1] - shift[0]
        if exponent:
            count = sum(f.dtype is not None for f in operator.factors)
            shares = [exponent * (i + 1) // count - exponent * i // count for i in range(count)]
            factors = []
            for factor in operator.factors:
                if factor.dtype is not None:
                    power = shares.pop()
                    factor = factor._scale(lambda v, p=power: times_power_of_two(v, p))
                factors.append(factor)
            operator = FactorizedOperator(factors)
        xp = array_namespace(y_mean)
        for factor in operator.factors:
            if factor.dtype is not None:
                space = array_namespace(factor._array)
                if not bool(space.all(space.isfinite(factor._array))):
                    raise ValueError(
                        "Training diverged: the factors are not finite. Pass alpha > 0, or scale X "
                        "and y."
                    )
        offset = y_mean - operator.matvec(x_mean)
        if not bool(xp.all(xp.isfinite(offset))):
            raise ValueError("The intercept overflows. Scale X and y.")
        self.operator_ = operator.to_device(X)
        self.mean_ = move_like(x_mean, X)
        offset = move_like(offset, X)
        self.intercept_ = offset[0] if single else offset
        self._offset, self._single = offset, single
        self._values = [move_like(value, X) for value in trained.values]
        unit = 2 * shift[1]
        self.loss_curve_ = [float(np.ldexp(loss, unit)) for loss in trained.losses]
        self.n_iter_ = trained.n_iter
        numerical = [i for i, f in enumerate(self.operator_.factors) if f.dtype is not None]
        # the code of a sample is the input of the last-applied factor of the product
        first = numerical[0]
        rest = self.operator_.factors[first + 1 :]
        self._encoder = FactorizedOperator(rest) if len(numerical) > 1 else None
        self._n_features_out = int(self.operator_.factors[first].shape[1])
        if trained.diverging:
            warnings.warn(
                "The factors have grown large against their product: the best factors on these "
                "supports seem not to exist. Pass alpha > 0 (a ridge penalty).",
                IllPosedWarning,
                stacklevel=4,
            )
        elif not trained.converged:
            warnings.warn(
                f"The loss still fell after max_iter={self.max_iter} iterations; increase max_iter "
                "or tol.",
                ConvergenceWarning,
                stacklevel=4,
            )

    @property
    def coef_(self) -> Any:
        """`operator_` as a dense array; of shape (n_features,) if y was 1-D."""
        check_is_fitted(self, "operator_")
        dense = self.operator_.toarray()
        return dense[0, :] if self._single else dense

    @property
    def factors_(self) -> list[Any]:
        """Factors with parameters: values (a, d, b, c), or dense arrays."""
        check_is_fitted(self, "operator_")
        return [
            f.values if hasattr(f, "values") else f.toarray()
            for f in self.operator_.factors
            if f.dtype is not None
        ]

    def predict(self, X: Any) -> Any:
        """Predict the targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : array of shape (n_samples,) or (n_samples, n_outputs)
            ``operator_.apply(X) + intercept_``, in the array type of X.
        """
        work, X = self._samples(X, "predict")
        operator, offset = self.operator_.to_device(work), move_like(self._offset, work)
        Y = move_like(operator.apply(work) + offset, X)
        return Y[:, 0] if self._single else Y

    def transform(self, X: Any) -> Any:
        """Input of the last-applied factor, for the centred samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : array of shape (n_samples, n_inner)
            All factors but ``factors_[0]`` applied to ``X - mean_``; for one factor that itself.
        """
        work, X = self._samples(X, "transform")
        centred = work - move_like(self.mean_, work)
        if self._encoder is not None:
            centred = self._encoder.to_device(work).apply(centred)
        return move_like(centred, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination R2, averaged over the outputs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            At most 1.
        """
        prediction = to_numpy(self.predict(X))
        weight = None if sample_weight is None else to_numpy(sample_weight)
        return float(r2_score(to_numpy(y), prediction, sample_weight=weight))

    def _samples(self, X: Any, method: str) -> tuple[Any, Any]:
        """X where `backend` says to compute, and X."""
        check_is_fitted(self)
        X = validate_samples(self, X, reset=False)
        fitted, given = array_namespace(self.mean_), array_namespace(X)
        if fitted is not given or device(self.mean_) != device(X):
            raise ValueError(
                f"Inputs passed to {type(self).__name__}.{method}() must use the same namespace "
                f"and the same device as those passed to fit(): fitted on {fitted.__name__} "
                f"({device(self.mean_)}), got {given.__name__} ({device(X)}). Convert X, or fit on "
                "arrays of this kind."
            )
        return move(X, *compute_namespace(self.backend, X)), X

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any, bool]:
        """X, y as a matrix, and whether y was 1-D."""
        if hasattr(X, "dask") or not is_numpy(array_namespace(X)):
            if y is None:
                raise ValueError("requires y to be passed, but the target y is None.")
            X = validate_samples(self, X, reset=reset)
            y = move_like(y, X)
            xp = array_namespace(X)
            require_finite(float(xp.max(xp.abs(xp.astype(y, X.dtype)))), y, "y")
            if y.shape[0] != X.shape[0]:
                raise ValueError(f"X has {X.shape[0]} samples, but y has {y.shape[0]}.")
        else:
            X, y = validate_data(
                self, X, y, reset=reset, multi_output=True, y_numeric=True,
                dtype=[np.float64, np.float32],
            )  # fmt: skip
        if y.ndim not in (1, 2) or 0 in y.shape:
            raise ValueError(
                f"y must have shape (n_samples,) or (n_samples, n_outputs), got {tuple(y.shape)}."
            )
        y = array_namespace(X).astype(y, X.dtype, copy=False)
        return X, y[:, None] if y.ndim == 1 else y, y.ndim == 1

    def _check_parameters(self) -> None:
        check_choice(self.solver, "solver", SOLVERS)
        for name in ("alpha", "tol", "learning_rate_init", "validation_fraction"):
            check_number(getattr(self, name), name, float, 0)
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)!r}.")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must be between 0 and 1, got {self.validation_fraction!r}."
            )
        if not self.learning_rate_init > 0:
            raise ValueError(f"learning_rate_init must be positive, got {self.learning_rate_init}.")
        for name in ("max_iter", "n_iter_no_change"):
            check_number(getattr(self, name), name, int, 1)
        check_number(self.verbose, "verbose", int, 0)
        if self.batch_size != "auto":
            check_number(self.batch_size, "batch_size", int, 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.single_output = True
        return tags


def _has_closed_form(network: Network) -> bool:
    """Whether the least-squares matrix is factored directly."""
    two_masks = len(network.supports) == 2 and all(
        isinstance(s, FixedMask) for s in network.supports
    )
    one_mask = len(network.supports) == 1 and isinstance(network.supports[0], FixedMask)
    return network.chain is not None or one_mask or two_masks


def _operator_of(matrices: list[Any], network: Network) -> FactorizedOperator:
    """Budgeted factors as an operator."""
    pairs = zip(network.supports, network.shapes)
    return FactorizedOperator(
        make_slot(*pair).factor(value) for pair, value in zip(pairs, matrices)
    )


def _mean(array: Any, weights: Any, centre: bool) -> Any:
    """Mean of the rows; zero where nothing is centred."""
    xp = array_namespace(array)
    if not centre:
        return xp.zeros(array.shape[1], dtype=array.dtype, device=device(array))
    scale = float(xp.max(xp.abs(array))) or 1.0  # sums must not overflow
    scaled = array / scale
    if weights is None:
        return xp.mean(scaled, axis=0) * scale
    return xp.sum(scaled * weights[:, None], axis=0) / xp.sum(weights) * scale


def _weights(given: Any, X: Any) -> Any:
    """Weights of the samples as an array like X; None for equal ones."""
    if given is None:
        return None
    xp, n = array_namespace(X), X.shape[0]
    if isinstance(given, int | float | np.number):
        given = np.full(n, float(given))
    elif not hasattr(given, "ndim") or isinstance(given, np.ndarray):
        given = np.asarray(given, dtype=float)
    weights = xp.astype(move_like(given, X), X.dtype)
    if weights.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weights.shape[0] != n:
        raise ValueError(f"sample_weight.shape == {tuple(weights.shape)}, expected ({n},)!")
    if not bool(xp.all(xp.isfinite(weights))) or float(xp.min(weights)) < 0:
        raise ValueError("sample_weight must be finite and not negative.")
    if not float(xp.max(weights)) > 0:
        raise ValueError("sample_weight is zero for every sample: nothing to learn from.")
    return weights
