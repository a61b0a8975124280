"""The scikit-learn face of the factorization with fixed supports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from skfact._backend import array_namespace, compute_namespace, move, move_like
from skfact._checks import check_random_state, check_verbose
from skfact._face import Face, ReportsProgress, all_or_nothing
from skfact._samples import validate_samples
from skfact._sklearn_compat import with_callbacks
from skfact._warn import warn
from skfact.exceptions import StructureWarning
from skfact.fixed_support._alternating.descent import Runs
from skfact.fixed_support._codes import coding_matrix, masked_codes
from skfact.fixed_support._factorization import FixedSupportFactorization, operator_of
from skfact.fixed_support._factorize import check_options
from skfact.fixed_support._family import factorize_family
from skfact.fixed_support._outcome import warn_of
from skfact.fixed_support._problem import Problem, observed_entries
from skfact.fixed_support._solvers import factorize
from skfact.fixed_support._supports.families import resolve_supports
from skfact.fixed_support._supports.pairs import pairs_of_supports
from skfact.fixed_support._supports.rank_one import abbreviated
from skfact.fixed_support._tractable.report import report_on
from skfact.operators import FactorizedOperator, least_squares_codes
from skfact.supports import SupportFamily
from skfact.supports._masks import labels_of


class FixedSupportMF(ReportsProgress, ClassNamePrefixFeaturesOutMixin, Face):
    r"""Matrix factorization whose factors are zero outside given supports, as a transformer.

    Finds :math:`X \approx W H` that minimizes

    .. math:: \|X - W H\|_F^2 + \alpha (\|W\|_F^2 + \|H\|_F^2), \quad
              \mathrm{supp}\, W \subset I, \ \mathrm{supp}\, H \subset J

    for masks I (n_samples, n_components) and J (n_components, n_features). The second one says
    which features a component is made of, the first one which samples it is for. For tractable
    masks the global optimum is found in closed form, and `optimal_` says so.

    Read more in the :doc:`user guide </user_guide/fixed_support>`.

    Parameters
    ----------
    n_components : int, default=None
        Number of components; None takes that of the masks, or of the family for the shape of X.
    supports : str, pair of masks, SupportFamily or callable, default="dense"
        - A family by name: "dense" (truncated singular value decomposition), "disjoint-groups" and
          "overlapping-groups" of neighbouring features, "butterfly" and "monarch" (tiles of samples
          and features), "arrow", "banded", "lu".
        - Masks (I, J): booleans or 0/1, arrays of any library or SciPy sparse matrices. I may be
          None, for a dense W; see also `left_support` of `fit`.
        - A callable ``(n_samples, n_features, n_components) -> (I, J)``.
        - A :class:`~skfact.supports.SupportFamily` of pairs (I, J), or a pair with families in
          place of masks: all pairs are searched, and the best one is kept.

        Masks that are data frames are put in the order of the features of X, of its samples, and of
        the components of J, by their labels; other labels are refused, arrays taken by position.
    solver : {"auto", "exact", "alternating"}, default="auto"
        "auto" takes the closed form if there is one, alternating least squares otherwise; "exact"
        raises if there is none.
    alpha : float, default=0.0
        Ridge penalty on the factors, and on the codes of `transform`. A positive one makes every
        problem well posed; a closed form is then known only for disjoint supports.
    missing_values : float, default=None
        Entries of X equal to this (NaN or a number) are missing: they do not count in `fit`, and
        `transform` codes a sample by its other features.
    n_init : int, default=1
        Number of starts of alternating least squares: the first from the tractable relaxation of
        the supports or by elimination, whichever fits better, the same each time; the others at
        random.
    max_iter : int, default=200
        Largest number of sweeps per start.
    tol : float, default=1e-3
        A run ends when ten sweeps lower the loss by no more than this share of it.
    backend : {"auto", "numpy", "cupy"}, default="auto"
        Where to compute; "auto" is where X lives. Results come back in the array type of X.
    random_state : int, RandomState instance or None, default=None
        Draws the random starts, those after the first.
    verbose : int, default=0
        Print a line for each sweep.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The right factor H.
    left_factor_ : array of shape (n_samples, n_components)
        The left factor W of the samples of `fit`, zero outside I. Where I has zeros,
        `fit_transform` gives it; `transform` and `score` know no I.
    operator_ : FactorizedOperator of shape (n_samples, n_features)
        The product W H as a fast linear map.
    solver_ : {"blockwise", "complete-classes", "alternating"}
        How the factors were found.
    optimal_ : bool
        Whether they are a certified global optimum, over all pairs of a family.
    support_report_ : SupportReport
        What the masks say about the problem; print it.
    family_index_ : int or None
        Which pair of a family of supports was the best; None without a family.
    family_losses_ : ndarray of shape (n_pairs,) or None
        The loss on each pair of a family, NaN where a bound told that it is not the best.
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
    Components that each look at one sixth of the features:

    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from skfact import FixedSupportMF
    >>> X, _ = load_breast_cancer(return_X_y=True)
    >>> X = MinMaxScaler().fit_transform(X)
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
        supports: str | tuple[Any, Any] | SupportFamily | Callable[..., Any] = "dense",
        solver: str = "auto",
        alpha: float = 0.0,
        missing_values: float | None = None,
        n_init: int = 1,
        max_iter: int = 200,
        tol: float = 1e-3,
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

    @all_or_nothing
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
        labels = labels_of(X)
        with self._explaining_nan():
            X = validate_samples(self, X, reset=True, allow_nan=self._nan_is_missing())
        xp, where = compute_namespace(self.backend, X)
        m, n = X.shape
        pairs = pairs_of_supports(self.supports)
        reports = [
            report_on(*resolve_supports(pair, left_support, m, n, self.n_components, labels))
            for pair in ([self.supports] if pairs is None else pairs)
        ]
        work = move(X, xp, where)
        problem = Problem.of(work, reports[0], self.alpha, self.missing_values, "X")

        with self._progress() as report:

            def on_sweep(run: int, sweep: int, loss: float) -> bool:
                return report("sweep", f"start {run}, sweep {sweep}, loss: {loss:.3e}")

            runs = Runs(random, self.max_iter, self.tol, self.n_init, on_sweep)
            if pairs is None:
                result, outcome = factorize(problem, self.solver, runs)
            else:
                result, outcome = factorize_family(problem, reports, self.solver, runs)
            self._record(result, X)
        problem = problem._replace(report=result.support_report)
        warn_of(problem, result, outcome, type(self).__name__)
        return self

    def fit_transform(self, X: Any, y: Any = None, left_support: Any = None) -> Any:
        """Find the factors, and give the codes of the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The matrix to factor.
        y : None
            Ignored.
        left_support : mask of shape (n_samples, n_components), default=None
            As in `fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_components)
            The left factor, zero outside I, where I has zeros; otherwise what `transform` gives.

        Raises
        ------
        TypeError, ValueError, ImportError, RuntimeError
            As `fit` does.
        """
        self.fit(X, y, left_support=left_support)
        left = self.support_report_.left_support
        if left.nnz < math.prod(left.shape):
            return self.left_factor_
        return self.transform(X)

    def _record(self, result: FixedSupportFactorization, X: Any) -> None:
        """Set the fitted attributes, as arrays of the type of X."""
        result = replace(
            result,
            left_values=move_like(result.left_values, X),
            right_values=move_like(result.right_values, X),
        )
        self.left_factor_, self.components_ = result.left, result.right
        self._alpha = float(self.alpha)
        self.solver_, self.optimal_ = result.solver, result.optimal
        self.support_report_ = result.support_report
        self.reconstruction_err_ = result.error
        self.family_index_, self.family_losses_ = result.family_index, result.family_losses
        self.loss_curve_, self.n_iter_ = result.loss_curve.tolist(), result.n_iter
        self._n_features_out = result.support_report.n_components
        self._make_operators()

    def _make_operators(self) -> None:
        """The product of the factors, and what takes a code to its sample."""
        self.operator_ = operator_of(self.support_report_, self.left_factor_, self.components_)
        transposed = array_namespace(self.components_).matrix_transpose(self.components_)
        self._decoder = FactorizedOperator([transposed])

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the factors once, and not the operators made of them."""
        state = super().__getstate__()
        return {name: state[name] for name in state if name not in ("operator_", "_decoder")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "components_" in state:
            self._make_operators()

    def transform(self, X: Any) -> Any:
        """Code each sample by least squares through the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : array of shape (n_samples, n_components)
            Row by row the w that minimizes ||x - w @ components_||^2 + alpha ||w||^2 over the
            features that are not missing, that of least norm where several do, in the array type of
            X.

        Raises
        ------
        ValueError
            If X has another number of features, or another array library, than in `fit`.

        Warns
        -----
        skfact.exceptions.StructureWarning
            If `alpha` is 0 and the features of a sample that are not missing determine no code.
        """
        observed, X = observed_entries(self._samples(X, "transform"), self.missing_values)
        return self._there_and_back(
            lambda work: self._least_squares(work, observed), X, row_by_row=observed is None
        )

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
        return self._there_and_back(self._decoded, self._codes(X))

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
        observed, X = observed_entries(self._samples(X, "score"), self.missing_values)

        def round_trip(work: Any) -> Any:
            back = self._decoded(self._least_squares(work, observed))
            return back if observed is None else back * move_like(observed, work)

        return self._share_kept(X, round_trip)

    def _least_squares(self, work: Any, observed: Any) -> Any:
        """Codes of samples, by the features that are observed (None for all)."""
        decoder = self._decoder.to_device(work)
        if observed is None and not self._alpha:
            return least_squares_codes(decoder, work)
        xp, H = array_namespace(work), move_like(self.components_, work)
        if observed is None:
            encoder = decoder._once("ridge", lambda: coding_matrix(H, self._alpha))
            return FactorizedOperator([xp.matrix_transpose(encoder)]).apply(work)
        dtype = xp.result_type(H, work)
        H, work, observed = (
            xp.astype(part, dtype, copy=False) for part in (H, work, move_like(observed, work))
        )
        codes, open_samples = masked_codes(H, work, observed, self._alpha)
        if len(open_samples):
            warn(
                f"the observed features of {len(open_samples)} samples, "
                f"{abbreviated(open_samples)}, determine no code: these take that of least norm. "
                "Pass alpha > 0, or leave such samples out.",
                StructureWarning,
                type(self).__name__,
            )
        return codes

    def _decoded(self, codes: Any) -> Any:
        return self._decoder.to_device(codes).apply(codes)

    def _fitted_array(self) -> Any:
        return self.components_

    def _samples(self, X: Any, method: str, **accepted: bool) -> Any:
        with self._explaining_nan():
            return super()._samples(X, method, allow_nan=self._nan_is_missing(), **accepted)

    @contextmanager
    def _explaining_nan(self) -> Iterator[None]:
        """An error over NaN says how to have them completed."""
        try:
            yield
        except ValueError as error:
            if "contains NaN" not in str(error) or self._nan_is_missing():
                raise
            raise ValueError(
                "X contains NaN: pass missing_values=np.nan to have such entries completed, in "
                f"place of missing_values={self.missing_values!r}, or remove or impute them first."
            ) from None

    def _nan_is_missing(self) -> bool:
        missing = self.missing_values
        return isinstance(missing, float | np.floating) and math.isnan(missing)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._nan_is_missing()
        return tags
