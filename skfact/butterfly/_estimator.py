"""The scikit-learn face of the butterfly factorization."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import scipy.sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skfact._backend import array_namespace, compute_namespace, device, move, move_like
from skfact._checks import check_choice, check_number, check_verbose
from skfact._exponents import times_power_of_two, unscaled, unscaled_number
from skfact._face import Face, ReportsProgress, all_or_nothing
from skfact._samples import validate_samples
from skfact._sklearn_compat import with_callbacks
from skfact._warn import warn
from skfact.butterfly._bounds import error_bound, rounding_allowance
from skfact.butterfly._factorize import Factorization, factorize, rescaled
from skfact.butterfly._split_errors import errors_of_splits
from skfact.butterfly._subspace.bases import fit_from_bases
from skfact.butterfly._subspace.row_space import RowSpace, SpanFactorization, fit_row_space
from skfact.butterfly._subspace.supports import fit_supports
from skfact.butterfly._subspace.variance import variances_of
from skfact.butterfly._target import Target, centred_on, needs_target, target_of
from skfact.butterfly._usefulness import warn_of_span, warn_of_use
from skfact.operators import least_squares_codes
from skfact.supports import Chain

VARIANCES = ("explained_variance_ratio_", "explained_variance_", "singular_values_")


class ButterflyFactorizer(ReportsProgress, ClassNamePrefixFeaturesOutMixin, Face):
    """Linear map approximated by a product of sparse butterfly factors, as a transformer.

    A butterfly of N rows and columns has about 2 N log2(N) parameters in place of N^2, is found
    from the matrix in closed form, and applies in as many operations. What is approximated:

    - ``operator=None, n_components=None``: X itself, taken as a matrix.
    - ``n_components=k``: no map, but a span of k dimensions that keeps much of the variance of X.
    - ``operator`` an array, a callable or an affine estimator: that map.

    Read more in the :doc:`user guide </user_guide/butterfly>`.

    Parameters
    ----------
    n_components : int or float, default=None
        Reduce X to this many dimensions, with as much of its variance as factors can keep: at most
        that of PCA. A float between 0 and 1 takes the least number of principal components that
        together have more than this share of the variance, as in PCA; factors of as many rows keep
        a little less. Beside an `operator`: keep its first `n_components` rows.
    supports : str, callable or Chain, default="butterfly"
        Family of supports ("butterfly", "monarch", "low-rank", "dense"), a callable
        ``(n_out, n_in) -> Chain``, or a chain. "auto" looks for the chain, its ranks and the
        permutation, and "low-rank+sparse" and others with "+sparse" add a few entries, as in
        :func:`butterfly_factorize`. With `n_components` "auto" tries chains whose products have as
        many dimensions, if any are in the budget, and takes the one that keeps most.
    operator : array-like of shape (n_out, n_features), callable or estimator, default=None
        The map to approximate: a matrix, a callable ``n_features -> matrix``, or a scikit-learn
        estimator whose `transform` (or a regressor's `predict`) is affine. The estimator is cloned
        and fitted on X, y (a FrozenEstimator is taken as it is); its offset is kept; that it is
        affine is checked on a few rows. A pickle has no more than the parameters of it.
    criterion : {"matrix", "output", "subspace"}, default="matrix"
        Approximate the matrix W of the map itself, or its outputs for X as far as X differs from
        its mean (``inputs`` of :func:`butterfly_factorize`; the output for the mean is kept), for
        an `operator`. Or its row space: the product B of the factors then
        maximizes tr((B S B^H)(B B^H)^-1) for S = W^H W, the energy that the rows of W keep when
        they are projected on the row space of B, and `transform` gives coordinates of no matter in
        which basis. With `n_components` and no `operator` S is the covariance of X. An alternation
        with rotations of W gives a start; L-BFGS on the factors goes on from there. The alternation
        starts from a basis which is the same for all bases of the row space (of a matrix of at most
        4096 entries from the best of five), or from the rows as given if they are nearly a product.
    rank : int, default=None
        Rank of the blocks of a named family; None is 1.
    tol : float, default=None
        Take the smallest rank whose `relative_error_` is at most `tol`, instead of `rank`. With
        ``supports="auto"``: take the fewest numbers.
    max_density : float, default=None
        Take the largest rank with which the factors have at most so many numbers, as a share of
        the entries of the matrix, instead of `rank`. With ``supports="auto"`` (1/4 there, unless
        given): take the least error.
    order : {"balanced", "left-to-right", "right-to-left"} or sequence of int, default="balanced"
        Order of the splits.
    orthonormalize : bool, default=True
        Orthonormalize the other parts before each split; the tight bounds need it.
    permutation : str, (rows, cols) or None, default="auto"
        Permutation of the matrix before it is factored, undone inside `operator_`: "columns"
        ("digit-reversal" is the same), "rows" and "both" reverse the digits of their index, "auto"
        chooses one of these or none, "cluster" among these and clustered rows and columns, and
        "search" finds an unknown order of both, as in :func:`butterfly_factorize`. Once for
        ``criterion="subspace"``: for its first round.
    max_iter : int, default=500
        Largest number of rotations, and then of L-BFGS steps, for ``criterion="subspace"`` or
        `n_components`.
    backend : {"auto", "numpy", "cupy"}, default="auto"
        Where to compute; "auto" is where X lives. Results come back in the array type of X.
    random_state : int, RandomState instance or None, default=None
        Passed on to estimators in `operator` whose own is None, and for ``permutation="search"``.
    verbose : int, default=0
        Print a line for each split, or each rotation and step; and for each attempt of a search.

    Attributes
    ----------
    operator_ : FactorizedOperator or OperatorSum of shape (n_out, n_features)
        The fast linear map.
    chain_ : Chain
        Supports of the factors; of entries alone that of rank one, of which nothing is taken.
    permutation_ : str, (rows, cols) or None
        `permutation`, or what was chosen or found.
    factors_ : list of arrays of shape (a, d, b, c)
        Values of the factors, one per pattern of `chain_`.
    components_ : array of shape (n_out, n_features)
        `operator_` as a dense matrix, made when asked for.
    level_errors_ : array of shape (n_factors - 1,)
        Frobenius norm discarded by each split (with ``orthonormalize=False``: from the part that
        was split, whose scale is arbitrary after the first split). For a row space those of the
        alternation, which the error does not exceed; for outputs those of the matrix weighted by
        the inputs, if its factors were taken.
    reconstruction_err_ : float
        ||matrix - operator_||_F. With ``criterion="output"`` the root of the mean over the samples
        of the squared norms of ``(matrix - operator_) @ (x - mean_)``. With
        ``criterion="subspace"`` what the matrix has outside the row space of `operator_`: the least
        ||matrix - M operator_||_F over square M. With `n_components` and no `operator` what the row
        space keeps less of the centred X than that of PCA: the root of the difference of the
        squared norms.
    relative_error_ : float
        `reconstruction_err_` over the norm of the matrix, of the outputs, or of what PCA keeps of
        the centred X.
    error_bound_ : float
        Proven bound of `reconstruction_err_` for the options used, rounding included.
    mean_ : array of shape (n_features,)
        Subtracted before the map: the mean of X for principal components, estimators and outputs,
        otherwise zero.
    offset_ : array of shape (n_out,)
        Added after the map: the image of the mean under an estimator, or for outputs; otherwise
        zero.
    explained_variance_ratio_ : array of shape (n_out,)
        Share of the variance of X that each component adds to those before it; the sum is the share
        in the row space of `operator_`, what `score` gives for X. Equal to that of PCA where its
        components are reproduced. Only where `mean_` is that of X.
    explained_variance_ : array of shape (n_out,)
        The same as variances, with n_samples - 1 in the denominator; zero or infinite where these
        are no numbers, of X around 1e-165 or 1e155 (shares and singular values are right there).
    singular_values_ : array of shape (n_out,)
        The same as norms of the centred X along each component, freed of those before it.
    n_iter_ : int
        Rotations and L-BFGS steps made for ``criterion="subspace"`` or `n_components`, turns of
        supports with "+sparse", otherwise 1.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Feature names, if X has string column names.

    See Also
    --------
    skfact.butterfly.butterfly_factorize : The same for one matrix, without an estimator.
    sklearn.decomposition.PCA : The usual `operator`.

    References
    ----------
    .. [1] Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly factorization with error
       guarantees", arXiv:2411.04506.

    Examples
    --------
    >>> from scipy.linalg import hadamard
    >>> from skfact import ButterflyFactorizer
    >>> H = hadamard(16)
    >>> fast = ButterflyFactorizer().fit(H)
    >>> fast.operator_.nnz, H.size
    (128, 256)
    >>> fast.relative_error_ < 1e-14
    True

    A reduction to 16 dimensions, in 384 numbers instead of the 1,024 of PCA, which keeps 85%
    of the variance:

    >>> from sklearn.datasets import load_digits
    >>> X, _ = load_digits(return_X_y=True)
    >>> fast = ButterflyFactorizer(16, supports="monarch").fit(X)
    >>> fast.transform(X).shape, fast.operator_.nnz
    ((1797, 16), 384)
    >>> round(float(fast.explained_variance_ratio_.sum()), 2)
    0.83
    """

    def __init__(
        self,
        n_components: int | float | None = None,
        *,
        supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
        operator: Any = None,
        criterion: str = "matrix",
        rank: int | None = None,
        tol: float | None = None,
        max_density: float | None = None,
        order: str | Sequence[int] = "balanced",
        orthonormalize: bool = True,
        permutation: str | tuple[Any, Any] | None = "auto",
        max_iter: int = 500,
        backend: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.supports = supports
        self.operator = operator
        self.criterion = criterion
        self.rank = rank
        self.tol = tol
        self.max_density = max_density
        self.order = order
        self.orthonormalize = orthonormalize
        self.permutation = permutation
        self.max_iter = max_iter
        self.backend = backend
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> ButterflyFactorizer:
        """Find the factors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The matrix itself, or the samples that `n_components` or `operator` work on.
        y : array-like, default=None
            Passed on to an estimator given as `operator`, otherwise ignored.

        Returns
        -------
        self : ButterflyFactorizer
            The fitted estimator.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If a parameter has a wrong value, X is not a finite real matrix, or `operator` is not
            affine.
        ImportError, RuntimeError
            If ``backend="cupy"`` and CuPy or a device is missing.
        """
        check_choice(self.criterion, "criterion", ("matrix", "output", "subspace"))
        on_outputs = self.criterion == "output"
        if on_outputs and self.operator is None:
            raise ValueError(
                "criterion='output' is about the outputs of an operator for X: pass operator, or "
                "criterion='matrix'."
            )
        check_number(self.max_iter, "max_iter", int, 1)
        check_verbose(self.verbose)
        given, X = X, validate_samples(self, X, reset=True)
        frame = given if hasattr(self, "feature_names_in_") else None
        xp, where = compute_namespace(self.backend, X)
        target = target_of(X, y, self.operator, self.n_components, self.random_state, frame)
        if on_outputs and not target.centred:
            target = centred_on(X, target)
        centred = X - target.mean if target.centred else None
        samples = None
        if centred is not None and (on_outputs or self.operator is None):
            samples = move(centred, xp, where)
        with self._progress() as report:
            components = self._factorize_target(
                target, move(target.matrix, xp, where), samples, report
            )
        for name in VARIANCES:
            self.__dict__.pop(name, None)  # of an earlier fit
        if centred is not None:
            self.__dict__ |= dict(zip(VARIANCES, variances_of(centred, components), strict=True))
        return self

    def _factorize_target(
        self, target: Target, matrix: Any, samples: Any, report: Callable[..., bool]
    ) -> Any:
        """Fit to the matrix, its outputs for centred samples or their span; the components."""
        names = ("supports", "rank", "tol", "max_density", "order", "orthonormalize")
        asked = {name: getattr(self, name) for name in (*names, "permutation", "random_state")}
        asked["inputs"] = samples if self.criterion == "output" else None
        of_span = self.operator is None and samples is not None

        def on_split(split: int, norm: float) -> bool:
            return report("split", f"split {split}, discarded norm: {norm:.3e}")

        def on_attempt(number: int, error: float) -> bool:
            return report("attempt", f"attempt {number}, relative error: {error:.3e}")

        offset, also = target.offset, ""
        if self.criterion != "subspace" and not of_span:
            result = factorize(matrix, **asked, on_split=on_split, on_attempt=on_attempt)
            self.n_iter_ = result.n_iter
            if self.operator is not None:
                also = " criterion='subspace' fits the span of the components, in another basis."
        else:
            result, rotation = self._fit_row_space(matrix, samples, asked, on_attempt, report)
            offset = rotation @ move_like(offset, rotation)
        self._record(target, offset, result)
        who = type(self).__name__
        warn_of_use(result, asked, factorize, who, also, judged=not of_span)
        if isinstance(result, SpanFactorization):
            rows = matrix if samples is None else samples
            warn_of_span(result, rows, asked["supports"], who)
        return move_like(result.product, target.mean)

    def _fit_row_space(
        self,
        matrix: Any,
        samples: Any,
        asked: dict[str, Any],
        on_attempt: Callable[[int, float], bool],
        report: Callable[..., bool],
    ) -> tuple[SpanFactorization, Any]:
        """Fit to the row space of the matrix, or the span of samples; and the rotation."""

        def on_rotation(number: int, error: float) -> bool:
            return report("rotation", f"rotation {number}, error: {error:.3e}")

        def on_step(number: int, outside: float) -> bool:
            return report("step", f"step {number}, outside the row space: {outside:.3e}", number)

        def fit(make: Callable[[], Callable[[Any], Factorization]]) -> RowSpace:
            reports = int(self.max_iter), on_rotation, on_step
            if samples is None:
                return fit_from_bases(matrix, make, *reports)
            return fit_row_space(matrix, samples, make(), *reports)

        asked = {**asked, "on_attempt": on_attempt}
        result, rotation, self.n_iter_, converged = fit_supports(matrix, samples, asked, fit)
        if not converged:
            warn(
                f"the row space still improved after max_iter={self.max_iter} rounds; increase "
                "max_iter for a closer one.",
                ConvergenceWarning,
                type(self).__name__,
            )
        return result, rotation

    def _record(self, target: Target, offset: Any, result: Factorization) -> None:
        """Fitted attributes, in the array type of X."""
        matrix, like = result.matrix, target.mean
        limits = array_namespace(matrix).finfo(matrix.dtype)
        seen, exponent, factored = result.seen, result.exponent, matrix
        if seen is not None:
            exponent, factored = exponent + seen.inputs.exponent, seen.factored
        self.permutation_ = result.plan.permutation
        self.reconstruction_err_ = unscaled_number(result.error, exponent)
        self.relative_error_ = result.relative_error
        n_factors = len(result.chain.merge_redundant()[0])
        self.error_bound_ = error_bound(
            result.discarded,
            result.outside,
            in_order=result.in_order,
            orthonormalize=bool(self.orthonormalize),
            split_errors=lambda: errors_of_splits(
                times_power_of_two(factored, result.exponent), result.chain, self.permutation_
            ),
            n_factors=n_factors,
        )
        size = result.norm
        if seen is not None:
            self.error_bound_ = float(
                unscaled(self.error_bound_ * seen.factor, seen.inputs.exponent)
            )
            size = seen.factor * float(array_namespace(matrix).linalg.vector_norm(factored))
        if isinstance(result, SpanFactorization):
            self.error_bound_ = result.bound(self.error_bound_)
        # below the smallest normal number the error of an entry does not get smaller
        least = math.sqrt(math.prod(matrix.shape)) * float(limits.smallest_normal)
        for norm in (unscaled_number(size, exponent), least):
            self.error_bound_ += rounding_allowance(n_factors, float(limits.eps), norm)
        self.chain_ = result.chain
        self._exponent = result.exponent
        self.operator_ = result.operator.to_device(like)
        host = array_namespace(like)
        discarded = unscaled(result.discarded, exponent - result.exponent)
        self.level_errors_ = host.asarray(
            (result.discarded if factored is matrix else discarded).tolist(),
            dtype=like.dtype,
            device=device(like),
        )
        self.mean_ = target.mean
        self.offset_ = move_like(offset, like)
        self._n_features_out = int(matrix.shape[0])

    @property
    def components_(self) -> Any:
        """`operator_` as a dense array of shape (n_out, n_features)."""
        check_is_fitted(self, "operator_")
        return self.operator_.toarray()

    @property
    def factors_(self) -> list[Any]:
        """Values (a, d, b, c) of the factors, one array per pattern of `chain_`."""
        check_is_fitted(self, "operator_")
        terms = getattr(self.operator_, "terms", (self.operator_,))
        return [f.values for term in terms for f in term.factors if hasattr(f, "values")]

    def transform(self, X: Any) -> Any:
        """Apply the fast map to each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; SciPy sparse rows are not made dense before the first factor.

        Returns
        -------
        X_new : array of shape (n_samples, n_out)
            ``operator_.apply(X - mean_) + offset_``, in the array type of X.

        Raises
        ------
        ValueError
            If X has another number of features, or another array library, than in `fit`.
        """
        X = self._samples(X, "transform", accept_sparse=True)
        if scipy.sparse.issparse(X):
            shift = self.offset_ - self.operator_.matvec(self.mean_)
            return self.operator_.apply(X) + shift
        return self._there_and_back(
            lambda work: (
                self._linear(work - move_like(self.mean_, work)) + move_like(self.offset_, work)
            ),
            X,
        )

    def inverse_transform(self, X: Any) -> Any:
        """Map codes back to samples: the least-norm solution of `operator_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_out)
            Codes, as `transform` gives them.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            Samples whose image is closest to the codes.

        Raises
        ------
        ValueError
            If X has another number of columns than `transform` returns, or is not finite.
        """
        return self._there_and_back(
            lambda work: (
                self._least_norm(work - move_like(self.offset_, work)) + move_like(self.mean_, work)
            ),
            self._codes(X),
        )

    def score(self, X: Any, y: Any = None) -> float:
        """Share of the samples' energy that survives transform and inverse_transform.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : None
            Ignored.

        Returns
        -------
        score : float
            1 - ||X - inverse_transform(transform(X))||^2 / ||X - mean_||^2; at most 1.
        """
        # both maps are affine: the offsets cancel
        centred = self._samples(X, "score") - self.mean_

        def round_trip(work: Any) -> Any:
            unit = self._unit(work)
            return least_squares_codes(unit, unit.apply(work))

        return self._share_kept(centred, round_trip)

    def _linear(self, work: Any) -> Any:
        """Codes of centred samples, less the offset."""
        return self.operator_.to_device(work).apply(work)

    def _least_norm(self, codes: Any) -> Any:
        """The smallest centred samples with these codes, in the sense of least squares."""
        return least_squares_codes(self._unit(codes), times_power_of_two(codes, -self._exponent))

    def _unit(self, work: Any) -> Any:
        """The operator over 2**exponent, of ordinary magnitude, beside an array."""
        return rescaled(self.operator_.to_device(work), -self._exponent)

    def __getstate__(self) -> dict[str, Any]:
        # what an estimator learned before is of no use: a copy of it is fitted
        state = {**super().__getstate__()}
        if hasattr(self.operator, "fit") and not isinstance(self.operator, type):
            state["operator"] = clone(self.operator)
        return state

    def _fitted_array(self) -> Any:
        return self.mean_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.array_api_support = self.operator is None or not hasattr(self.operator, "fit")
        if hasattr(self.operator, "fit") and not isinstance(self.operator, type):
            tags.target_tags.required = needs_target(self.operator)
        return tags
