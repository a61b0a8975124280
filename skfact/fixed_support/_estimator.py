"""The scikit-learn face of the factorization with fixed supports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from skfact._backend import array_namespace, compute_namespace, move, move_like, portable
from skfact._checks import check_random_state, check_verbose
from skfact._exponents import unscaled_number
from skfact._face import Face, ReportsProgress, all_or_nothing
from skfact._samples import validate_samples
from skfact._sklearn_compat import as_set_output, with_callbacks
from skfact._warn import warn
from skfact.exceptions import StructureWarning
from skfact.fixed_support._alternating.descent import Runs
from skfact.fixed_support._codes import coding_matrix, nonnegative_codes, weighted_codes
from skfact.fixed_support._factorization import FixedSupportFactorization, operator_of
from skfact.fixed_support._factorize import check_options
from skfact.fixed_support._problem import (
    POSITIVE,
    Objective,
    Problem,
    weighted_entries,
)
from skfact.fixed_support._solvers.family import factorize_family
from skfact.fixed_support._solvers.outcome import warn_of
from skfact.fixed_support._solvers.solve import factorize
from skfact.fixed_support._supports.families import resolve_supports
from skfact.fixed_support._supports.packed import on_mask, packed_array, unpacked_array
from skfact.fixed_support._supports.pairs import pairs_of_supports
from skfact.fixed_support._supports.rank_one import abbreviated
from skfact.fixed_support._tractable.flat_factor import dense_factor
from skfact.fixed_support._tractable.report import report_on
from skfact.fixed_support._variance import explained_variance_ratio
from skfact.operators import FactorizedOperator
from skfact.operators._coding import pseudo_inverse
from skfact.supports._masks import labels_of


class FixedSupportMF(ReportsProgress, ClassNamePrefixFeaturesOutMixin, Face):
    r"""Matrix factorization whose factors are zero outside given supports, as a transformer.

    Finds :math:`X \approx W H` that minimizes

    .. math:: \|X - W H\|_F^2 + \alpha (\|W\|_F^2 + \|H\|_F^2), \quad
              \mathrm{supp}\, W \subset I, \ \mathrm{supp}\, H \subset J

    for masks I (n_samples, n_components) and J (n_components, n_features). The second one says
    which features a component is made of, the first one which samples it is for. For tractable
    masks the global optimum is found in closed form, and `optimal_` says so. Factors may be asked
    to be non-negative, entries may be missing or have weights.

    Read more in the :doc:`user guide </user_guide/fixed_support>`.

    Parameters
    ----------
    n_components : int, default=None
        Number of components; None takes that of the masks, or of the family for the shape of X.
        Groups share them equally, the first ones taking one more where that does not divide.
    supports : str, pair of masks, groups, SupportFamily or callable, default="dense"
        - A family by name: "dense" (truncated singular value decomposition), "disjoint-groups" and
          "overlapping-groups" of neighbouring features, "butterfly" and "monarch" (tiles of samples
          and features), "arrow", "banded", "lu".
        - Masks (I, J): booleans or 0/1, arrays of any library or SciPy sparse matrices. I may be
          None, for a dense W; see also `left_support` of `fit`.
        - Groups of features: a label for each feature, or a dictionary from the name of a group to
          its columns (positions, truth values, a slice, or names of a data frame). The left mask
          is dense; `get_feature_names_out` gives the names of the groups.
        - A callable ``(n_samples, n_features, n_components) -> (I, J)``.
        - A :class:`~skfact.supports.SupportFamily` of pairs (I, J), or a pair with families in
          place of masks: all pairs are searched, and the best one is kept.

        Masks that are data frames are put in the order of the features of X, of its samples, and of
        the components of J, by their labels; other labels are refused, arrays taken by position.
    solver : {"auto", "exact", "alternating"}, default="auto"
        "auto" takes the closed form if there is one, alternating least squares otherwise; "exact"
        raises if there is none.
    alpha : float or "auto", default="auto"
        Ridge penalty on the factors, and on the codes of `transform`. A positive one makes every
        problem well posed; a closed form is then known only for disjoint supports. "auto" is 0 if
        `missing_values` is None and no `entry_weight` of `fit` is 0, and otherwise the median of
        the singular values of X other than 0, with zeros in place of what is missing: what is
        filled in stays moderate, in samples of `transform` and `impute` too if `fit` saw all
        entries, but a matrix of low rank is found exactly with ``alpha=0`` only.
    missing_values : float, default=None
        Entries of X equal to this (NaN or a number) are missing: they do not count in `fit`,
        `transform` codes a sample by its other features, and `impute` fills them in.
    positive : {False, "components", "codes", True}, default=False
        Which factor may have no negative entry: H ("components"), W and the codes of `transform`
        ("codes"), or both (True). The closed form then needs one component for each of disjoint
        supports, and an X without negative entries.
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
        Draws the random starts, those after the first: with ``n_init=1`` nothing is random.
    verbose : int, default=0
        Print a line for each sweep.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The right factor H. Components with the same support come by the norm of their part of
        W H, descending; the largest entry of each is positive unless `positive` says otherwise.
    left_factor_ : array of shape (n_samples, n_components)
        The left factor W of the samples of `fit`, zero outside I. Where I has zeros,
        `fit_transform` gives it; `transform` and `score` know no I.
    explained_variance_ratio_ : array of shape (n_components,)
        Share of the variance of the features that the part of each component in W H has: the
        variance of its column of W, times the squared norm of its row of H. With dense supports
        that is what TruncatedSVD calls so. Components that overlap share some of it.
    operator_ : FactorizedOperator of shape (n_samples, n_features)
        The product W H as a fast linear map.
    alpha_ : float
        The ridge penalty.
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
        ||X - W H||_F, over the entries that are not missing, weighted by `entry_weight`.
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
    sklearn.decomposition.NMF : The problem of ``supports="dense", positive=True``, for sparse X
        and other losses too.

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

    Two groups of features by name, and no negative entries:

    >>> groups = {"mean": slice(0, 10), "worst": slice(20, 30)}
    >>> model = FixedSupportMF(supports=groups, positive=True).fit(X)
    >>> model.get_feature_names_out(), model.optimal_
    (array(['mean', 'worst'], dtype=object), True)
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        supports: Any = "dense",
        solver: str = "auto",
        alpha: float | str = "auto",
        missing_values: float | None = None,
        positive: bool | str = False,
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
        self.positive = positive
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.backend = backend
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    @with_callbacks
    def fit(
        self, X: Any, y: Any = None, left_support: Any = None, entry_weight: Any = None
    ) -> FixedSupportMF:
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
        entry_weight : array-like of shape (n_samples, n_features), default=None
            A weight for the square of each entry of ``X - W H``, such as 1 / uncertainty**2: not
            negative, 0 for an entry that does not count. Metadata, too.

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

        Warns
        -----
        skfact.exceptions.StructureWarning
            If, on a named family of supports, the relative error is above one half; if factors on
            groups, masks or a callable of one's own keep less than a tenth of the squares of X, and
            no comparison with low rank is made; or if entries are missing so that others are
            arbitrary.
        skfact.exceptions.IllPosedWarning, sklearn.exceptions.ConvergenceWarning
            As in :func:`~skfact.fixed_support.fixed_support_factorize`.
        """
        objective = self._objective(entry_weight)
        check_options(self.solver, objective, self.n_init, self.max_iter, self.tol)
        random = check_random_state(self.random_state)
        check_verbose(self.verbose)
        labels = labels_of(X)
        with self._explaining_nan():
            X = validate_samples(self, X, reset=True, allow_nan=self._nan_is_missing())
        xp, where = compute_namespace(self.backend, X)
        m, n = X.shape
        pairs = pairs_of_supports(self.supports)
        masks = [
            resolve_supports(pair, left_support, m, n, self.n_components, labels)
            for pair in ([self.supports] if pairs is None else pairs)
        ]
        reports = [report_on(one.left, one.right) for one in masks]
        objective = objective.beside(labels, "X")
        problem = Problem.of(move(X, xp, where), reports[0], objective, "X")

        with self._progress() as report:

            def on_sweep(run: int, sweep: int, loss: float) -> bool:
                return report("sweep", f"start {run}, sweep {sweep}, loss: {loss:.3e}")

            runs = Runs(random, self.max_iter, self.tol, self.n_init, on_sweep)
            if pairs is None:
                result, outcome = factorize(problem, self.solver, runs)
            else:
                result, outcome = factorize_family(problem, reports, self.solver, runs)
            self._record(result, problem, X)
            self._component_names = masks[result.family_index or 0].names
        problem = problem._replace(report=result.support_report)
        own = left_support is not None or not isinstance(self.supports, str)
        warn_of(problem, result, outcome, labels[1], type(self).__name__, own)
        return self

    def fit_transform(
        self, X: Any, y: Any = None, left_support: Any = None, entry_weight: Any = None
    ) -> Any:
        """Find the factors, and give the codes of the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The matrix to factor.
        y : None
            Ignored.
        left_support : mask of shape (n_samples, n_components), default=None
            As in `fit`.
        entry_weight : array-like of shape (n_samples, n_features), default=None
            As in `fit`, for the codes, too.

        Returns
        -------
        X_new : array of shape (n_samples, n_components)
            The left factor, zero outside I, where I has zeros: a pipeline is fitted on these codes,
            and sees codes without I of new samples, whose I nobody knows. Otherwise what
            `transform` gives.

        Raises
        ------
        TypeError, ValueError, ImportError, RuntimeError
            As `fit` does.
        """
        given = {"left_support": left_support, "entry_weight": entry_weight}
        given = {name: value for name, value in given.items() if value is not None}
        self.fit(X, y, **given)
        left = self.support_report_.left_support
        if left.nnz < math.prod(left.shape):
            return self.left_factor_
        given.pop("left_support", None)
        return self.transform(X, **given)

    def _objective(self, entry_weight: Any = None) -> Objective:
        return Objective(self.alpha, self.missing_values, self.positive, entry_weight)

    def _record(self, result: FixedSupportFactorization, problem: Problem, X: Any) -> None:
        """Set the fitted attributes, as arrays of the type of X."""
        shares = explained_variance_ratio(problem.A, problem.weights, result.left, result.right)
        self.explained_variance_ratio_ = move_like(shares, X)
        self.left_factor_, self.components_ = (
            move_like(factor, X) for factor in (result.left, result.right)
        )
        self.alpha_, self._positive = problem.alpha, self.positive
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
        """What is pickled: factors on their masks, masks as bits or places, and no operators."""
        state = dict(super().__getstate__())
        if type(self.supports) is tuple:
            state["supports"] = tuple(packed_array(part) for part in self.supports)
        for name, mask in self._factor_masks():
            if mask.nnz < math.prod(mask.shape):
                state[name] = portable(on_mask(mask, getattr(self, name)))
        return {name: state[name] for name in state if name not in ("operator_", "_decoder")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if type(self.supports) is tuple:
            self.supports = tuple(unpacked_array(part) for part in self.supports)
        for name, mask in self._factor_masks():
            if getattr(self, name).ndim == 1:
                setattr(self, name, dense_factor(mask, getattr(self, name)))
        if "components_" in state:
            self._make_operators()

    def _factor_masks(self) -> list[tuple[str, Any]]:
        """The names of the fitted factors and their masks; none before `fit`."""
        report = getattr(self, "support_report_", None)
        if report is None:
            return []
        return [("left_factor_", report.left_support), ("components_", report.right_support)]

    def transform(self, X: Any, entry_weight: Any = None) -> Any:
        """Code each sample by least squares through the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        entry_weight : array-like of shape (n_samples, n_features), default=None
            Weights of the entries, as in `fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_components)
            Row by row the w that minimizes ||x - w @ components_||^2 + alpha ||w||^2 over the
            features that are not missing, over w >= 0 if `positive` is "codes" or True, in the
            array type of X. Where several do, that of least norm (if any sign will do).

        Raises
        ------
        TypeError
            If `entry_weight` does not hold real numbers.
        ValueError
            If X has another number of features, or another array library, than in `fit`, or
            `entry_weight` another shape than X or a negative entry.

        Warns
        -----
        skfact.exceptions.StructureWarning
            If `alpha` is 0 and the features of a sample that are not missing determine no code.
        """
        weights, X, exponent = self._weighted(X, "transform", entry_weight)
        return self._there_and_back(
            lambda work: self._least_squares(work, weights, exponent), X, row_by_row=weights is None
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

    def impute(self, X: Any) -> Any:
        """Fill in what is missing, and leave the rest as it is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples, with entries equal to `missing_values`.

        Returns
        -------
        X_filled : array of shape (n_samples, n_features)
            X, and ``inverse_transform(transform(X))`` where its entries are missing; a data frame
            with the names and the index of X if `set_output` asks for one.

        Raises
        ------
        ValueError
            If `missing_values` is None, or X is as `transform` refuses it.

        Notes
        -----
        With ``alpha=0``, and about as many components as a sample has observed features, codes and
        what is filled in can be arbitrarily large. As `alpha` grows, what is filled in tends to
        zero, which is the mean of standardized features.
        """
        if self.missing_values is None:
            raise ValueError(
                "impute needs to know what is missing: pass missing_values=np.nan, or another "
                "number, before fit."
            )
        weights, filled, exponent = self._weighted(X, "impute", None)
        if weights is None:
            return as_set_output(self, filled, X)

        def fill(work: Any) -> Any:
            back = self._decoded(self._least_squares(work, weights, exponent))
            return array_namespace(work).where(move_like(weights, work) == 0, back, work)

        return as_set_output(self, self._there_and_back(fill, filled, row_by_row=False), X)

    def score(self, X: Any, y: Any = None, entry_weight: Any = None) -> float:
        """Share of the samples' energy that survives transform and inverse_transform.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : None
            Ignored.
        entry_weight : array-like of shape (n_samples, n_features), default=None
            Weights of the entries, for the codes and for both norms.

        Returns
        -------
        score : float
            1 - ||X - inverse_transform(transform(X))||^2 / ||X||^2 over the entries that are not
            missing; at most 1.
        """
        weights, X, exponent = self._weighted(X, "score", entry_weight)
        if weights is None:
            return self._share_kept(
                X, lambda work: self._decoded(self._least_squares(work, None, exponent))
            )
        root = array_namespace(weights).sqrt(weights)

        def round_trip(work: Any) -> Any:
            seen = move_like(root, work)
            work = work / array_namespace(work).where(seen == 0, 1 + seen, seen)
            return self._decoded(self._least_squares(work, weights, exponent)) * seen

        return self._share_kept(X * root, round_trip)

    def _weighted(self, X: Any, method: str, entry_weight: Any) -> tuple[Any, Any, int]:
        """Weights of samples (None for ones), the samples, and the exponent of the weights."""
        objective = self._objective(entry_weight).beside(labels_of(X), "X")
        return weighted_entries(self._samples(X, method), objective)

    def _least_squares(self, work: Any, weights: Any = None, exponent: int = 0) -> Any:
        """Codes of samples, with weights (None for ones) times 2**exponent."""
        is_nonnegative = POSITIVE[self._positive][0]
        if weights is None and not is_nonnegative:
            return self._encoder(work, exponent).apply(work)
        xp, H = array_namespace(work), move_like(self.components_, work)
        dtype = xp.result_type(H, work)
        H, work = (xp.astype(part, dtype, copy=False) for part in (H, work))
        if weights is not None:
            weights = xp.astype(move_like(weights, work), dtype, copy=False)
        coding = nonnegative_codes if is_nonnegative else weighted_codes
        codes, open_samples = coding(H, work, weights, self.alpha_, exponent)
        if len(open_samples):
            warn(
                f"the observed features of {len(open_samples)} samples, "
                f"{abbreviated(open_samples)}, determine no code: these take that of least norm. "
                "Pass alpha > 0, or leave such samples out.",
                StructureWarning,
                type(self).__name__,
            )
        return codes

    def _encoder(self, like: Any, exponent: int = 0) -> FactorizedOperator:
        """What takes a sample, of weight 2**exponent, to its code, which may have any sign."""
        decoder = self._decoder.to_device(like)
        if not self.alpha_:
            return pseudo_inverse(decoder)

        def ridge() -> FactorizedOperator:
            H = move_like(self.components_, like)
            encoder = coding_matrix(H, unscaled_number(self.alpha_, -exponent))
            return FactorizedOperator([array_namespace(H).matrix_transpose(encoder)])

        return decoder._once(f"ridge {exponent}", ridge)

    def _decoded(self, codes: Any) -> Any:
        return self._decoder.to_device(codes).apply(codes)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the components.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_components,)
            The names of the groups, numbered where a group has several components; of the rows of a
            data frame that is the right mask; otherwise "fixedsupportmf0" and so on.
        """
        names = super().get_feature_names_out(input_features)
        own = self._component_names
        return names if own is None else np.array(own, dtype=object)

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
