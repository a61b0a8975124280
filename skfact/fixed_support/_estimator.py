"""The scikit-learn face of the factorization with fixed supports."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skfact._backend import array_namespace, compute_namespace, move, move_like, on_backend
from skfact._checks import check_verbose
from skfact._samples import check_codes, require_namespace, validate_samples
from skfact._sklearn_compat import CallbackSupportMixin, with_callbacks
from skfact.fixed_support._alternating.descent import Runs
from skfact.fixed_support._codes import masked_codes
from skfact.fixed_support._factorize import check_options
from skfact.fixed_support._outcome import warnings_for
from skfact.fixed_support._problem import Problem, observed_entries
from skfact.fixed_support._solvers import factorize
from skfact.fixed_support._supports.resolve import resolve_supports
from skfact.fixed_support._tractable.report import report_on
from skfact.operators import FactorizedOperator, least_squares_codes


class FixedSupportMF(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    r"""Matrix factorization whose factors are zero outside given supports, as a transformer.

    Finds :math:`X \approx W H` that minimizes

    .. math:: \|X - W H\|_F^2 + \alpha (\|W\|_F^2 + \|H\|_F^2), \quad
              \mathrm{supp}\, W \subset I, \ \mathrm{supp}\, H \subset J

    for masks I (n_samples, n_components) and J (n_components, n_features). The second one says
    which features a component is made of, the first one which samples it is for. For tractable
    masks the global optimum is found in closed form, and `optimal_` says so.

    Read more in the user guide.

    Parameters
    ----------
    n_components : int, default=None
        Number of components; None takes that of the masks, or of the family for the shape of X.
    supports : str, pair of masks or callable, default="dense"
        - A family by name: "dense" (truncated singular value decomposition), "disjoint-groups" and
          "overlapping-groups" of neighbouring features, "butterfly" and "monarch" (tiles of samples
          and features), "arrow", "banded", "lu".
        - Masks (I, J): booleans or 0/1, arrays of any library or SciPy sparse matrices. I may be
          None, for a dense W; see also `left_support` of `fit`.
        - A callable ``(n_samples, n_features, n_components) -> (I, J)``.
    solver : {"auto", "exact", "alternating"}, default="auto"
        "auto" takes the closed form if there is one, alternating least squares otherwise; "exact"
        raises if there is none.
    alpha : float, default=0.0
        Ridge penalty. A positive one makes every problem well posed; a closed form is then known
        only for disjoint supports.
    missing_values : float, default=None
        Entries of X equal to this (NaN or a number) are missing: they do not count in `fit`, and
        `transform` codes a sample by its other features.
    n_init : int, default=1
        Number of starts of alternating least squares: the first from the tractable relaxation of
        the supports or by elimination, whichever fits better, the others at random.
    max_iter : int, default=200
        Largest number of sweeps per start.
    tol : float, default=1e-4
        A run ends when ten sweeps lower the loss by no more than this share of it.
    backend : {"auto", "numpy", "cupy"}, default="auto"
        Where to compute; "auto" is where X lives. Results come back in the array type of X.
    random_state : int, RandomState instance or None, default=None
        Draws the random starts.
    verbose : int, default=0
        Print a line for each sweep.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The right factor H.
    left_factor_ : array of shape (n_samples, n_components)
        The left factor W of the samples of `fit`, zero outside I; `transform` knows no I.
    operator_ : FactorizedOperator of shape (n_samples, n_features)
        The product W H as a fast linear map.
    solver_ : {"blockwise", "complete-classes", "alternating"}
        How the factors were found.
    optimal_ : bool
        Whether they are a certified global optimum.
    support_report_ : SupportReport
        What the masks say about the problem; print it.
    reconstruction_err_ : float
        ||X - W H||_F, over the entries that are not missing.
    loss_curve_ : list of float of length `n_iter_` + 1
        Loss at the start and after each sweep; one number for a closed form.
    n_iter_ : int
        Sweeps of the best run; 1 for a closed form.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Feature names, if X has string column names.

    See Also
    --------
    skfact.fixed_support.fixed_support_factorize : The same for one matrix, without an estimator.
    skfact.fixed_support.analyze_supports : Whether masks have a closed form, and why.
    sklearn.decomposition.TruncatedSVD : What ``supports="dense"`` is.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Spurious valleys, NP-hardness, and tractability of
       sparse matrix factorization with fixed support", arXiv:2112.00386.

    Examples
    --------
    Components that each look at one third of the features:

    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skfact import FixedSupportMF
    >>> X, _ = load_breast_cancer(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> model = FixedSupportMF(n_components=6, supports="disjoint-groups").fit(X)
    >>> model.optimal_, model.solver_
    (True, 'blockwise')
    >>> model.transform(X).shape
    (569, 6)
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        supports: str | tuple[Any, Any] | Callable[[int, int, int | None], Any] = "dense",
        solver: str = "auto",
        alpha: float = 0.0,
        missing_values: float | None = None,
        n_init: int = 1,
        max_iter: int = 200,
        tol: float = 1e-4,
        backend: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.supports = supports
        self.solver = solver
        self.alpha = alpha
        self.missing_values = missing_values
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.backend = backend
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Any, y: Any = None, left_support: Any = None) -> FixedSupportMF:
        """Find the factors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The matrix to factor.
        y : None
            Ignored.
        left_support : mask of shape (n_samples, n_components), default=None
            Which components each sample may use, in place of the left mask of `supports`. As
            metadata it is sliced by cross-validation together with X.

        Returns
        -------
        self : FixedSupportMF
            The fitted estimator.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If a parameter has a wrong value, X is not a finite real matrix (but for entries that
            are declared missing), the masks do not fit X or each other, or ``solver="exact"`` has
            no closed form.
        ImportError, RuntimeError
            If ``backend="cupy"`` and CuPy or a device is missing.
        """
        check_options(
            self.solver, self.alpha, self.missing_values, self.n_init, self.max_iter, self.tol
        )
        random = check_random_state(self.random_state)
        check_verbose(self.verbose)
        X = self._validated(X, reset=True)
        xp, where = compute_namespace(self.backend, X)
        n_samples, n_features = X.shape
        report = report_on(
            *resolve_supports(self.supports, left_support, n_samples, n_features, self.n_components)
        )
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)

        def on_sweep(run: int, sweep: int, loss: float) -> bool:
            if self.verbose:
                print(f"[{type(self).__name__}] start {run}, sweep {sweep}, loss: {loss:.3e}")
            task = context.subcontext(task_name="sweep")
            task.call_on_fit_task_begin(estimator=self)
            return bool(task.call_on_fit_task_end(estimator=self))

        problem = Problem.of(move(X, xp, where), report, self.alpha, self.missing_values)
        runs = Runs(random, self.max_iter, self.tol, self.n_init, on_sweep)
        result, outcome = factorize(problem, self.solver, runs)
        for warning in warnings_for(problem, result, outcome):
            warnings.warn(warning, stacklevel=3)  # from the caller of the decorated method
        result = replace(
            result,
            left_values=move_like(result.left_values, X),
            right_values=move_like(result.right_values, X),
        )
        self.left_factor_, self.components_ = result.left, result.right
        self.operator_ = result.operator
        self.solver_, self.optimal_ = result.solver, result.optimal
        self.support_report_ = report
        self.reconstruction_err_ = result.error
        self.loss_curve_, self.n_iter_ = result.loss_curve.tolist(), result.n_iter
        self._n_features_out = report.n_components
        transposed = array_namespace(X).matrix_transpose(self.components_)
        self._decoder = FactorizedOperator([transposed])  # a code to its sample
        context.call_on_fit_task_end(estimator=self)
        return self

    def transform(self, X: Any) -> Any:
        """Code each sample by least squares through the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : array of shape (n_samples, n_components)
            Row by row the w of least norm that minimizes ||x - w @ components_|| over the features
            that are not missing, in the array type of X.

        Raises
        ------
        ValueError
            If X has another number of features, or another array library, than in `fit`.
        """
        observed, X = self._check_samples(X, "transform")
        return move_like(self._codes(X, observed), X)

    def inverse_transform(self, X: Any) -> Any:
        """Map codes back to samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` gives them.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            ``X @ components_``.

        Raises
        ------
        ValueError
            If X has another number of columns than `transform` returns, or is not finite.
        """
        check_is_fitted(self)
        X = check_codes(self, X, self._n_features_out, self.components_)
        decoder, work = self._on_backend(X)
        return move_like(decoder.apply(work), X)

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
            1 - ||X - inverse_transform(transform(X))||^2 / ||X||^2 over the entries that are not
            missing; at most 1.
        """
        observed, X = self._check_samples(X, "score")
        xp = array_namespace(X)
        largest = float(xp.max(xp.abs(X)))
        if largest == 0:
            return 1.0
        X = X / largest
        decoder, work = self._on_backend(X)
        lost = work - decoder.apply(self._codes(X, observed))
        if observed is not None:
            lost = lost * move_like(observed, work)
        norm = array_namespace(work).linalg.vector_norm
        return 1.0 - (float(norm(lost)) / float(norm(work))) ** 2

    def _codes(self, X: Any, observed: Any) -> Any:
        """Least-squares codes, where `backend` says to compute."""
        decoder, work = self._on_backend(X)
        if observed is None:
            return least_squares_codes(decoder, work)
        components = move_like(self.components_, work)
        return masked_codes(components, work, move_like(observed, work))

    def _check_samples(self, X: Any, method: str) -> tuple[Any, Any]:
        """Where X is observed (None for everywhere), and X with zeros elsewhere."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        require_namespace(self, X, self.components_, method)
        return observed_entries(X, self.missing_values)

    def _on_backend(self, X: Any) -> tuple[Any, Any]:
        """The decoder and X where `backend` says to compute."""
        (work,) = on_backend(self.backend, X)
        return self._decoder.to_device(work), work

    def _validated(self, X: Any, reset: bool) -> Any:
        """X as floats; an error over NaN says how to have them completed."""
        try:
            return validate_samples(self, X, reset=reset, allow_nan=self._nan_is_missing())
        except ValueError as error:
            if "contains NaN" in str(error) and self.missing_values is None:
                raise ValueError(
                    f"{error}\nFixedSupportMF(missing_values=np.nan) takes NaN for missing entries "
                    "and completes them."
                ) from None
            raise

    def _nan_is_missing(self) -> bool:
        missing = self.missing_values
        return isinstance(missing, float | np.floating) and math.isnan(missing)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = self._nan_is_missing()
        return tags
