"""What is missing in a table, against means of columns and nearest neighbours."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import OneToOneFeatureMixin, clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact import FixedSupportMF
from skfact._backend import to_numpy
from skfact.fixed_support import fixed_support_factorize
from tests.asserts import on_any_matrix

QUANTITIES = [*range(10)] * 3  # mean, error and worst value of ten quantities


def holes_in(table, share, seed=0):
    """The table with that share of its entries missing, and where."""
    missing = np.random.default_rng(seed).random(table.shape) < share
    return np.where(missing, np.nan, table), missing


def standardized(load):
    return StandardScaler().fit_transform(load().data)


@on_any_matrix
@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize("alpha", ["auto", 1.0, 3.0, 10.0])
def test_never_worse_than_the_means_on_breast_cancer(share, alpha):
    """On dense supports and on groups; with dense ones better than five neighbours, too."""
    table = standardized(load_breast_cancer)
    holes, missing = holes_in(table, share)

    def rmse(filled):
        return np.sqrt(np.mean((filled - table)[missing] ** 2))

    means, neighbours = (
        rmse(np.nanmean(holes, axis=0) + 0 * table),
        rmse(KNNImputer().fit_transform(holes)),
    )
    options = {"alpha": alpha, "missing_values": np.nan, "tol": 1e-2}
    for supports, n in (("dense", 6), ("dense", 20), (QUANTITIES, 10), (QUANTITIES, 30)):
        found = rmse(FixedSupportMF(n, supports=supports, **options).fit(holes).impute(holes))
        assert found < 0.9 * means
        if supports == "dense":
            assert found < neighbours


@on_any_matrix
@pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")
@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_the_default_penalty_suits_other_tables(share):
    """Even one of noise, of which nobody can do better than the mean; without it, much worse."""
    random = np.random.default_rng(0)
    tables = [
        standardized(load_wine),
        standardized(load_diabetes),
        random.standard_normal((300, 40)),
    ]
    for table in tables:
        holes, missing = holes_in(table, share)
        model = FixedSupportMF(10, missing_values=np.nan, tol=1e-2)
        error, plain = (
            np.mean((model.set_params(alpha=alpha).fit(holes).impute(holes) - table)[missing] ** 2)
            for alpha in ("auto", 0.0)
        )
        assert error < 1.04 * np.mean(((np.nanmean(holes, axis=0) - table)[missing]) ** 2)
        assert error < plain or table is tables[1]


@on_any_matrix
@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_holes_in_new_samples_only(share):
    """Fitted on a table without holes, errors are at worst 2 % more than the means of its columns.

    As many components as features of a sample are observed would fit these exactly.
    """
    random = np.random.default_rng(0)
    cells, noise = standardized(load_breast_cancer), random.standard_normal((300, 40))
    constant = np.concatenate([cells, np.zeros((len(cells), 40))], axis=1)
    for table, n, choices in (
        (cells, 400, [(20, QUANTITIES), (30, QUANTITIES), (6, "dense"), (25, "dense")]),
        (constant, 400, [(25, "dense")]),
        (standardized(load_wine), 120, [(4, "dense"), (10, "dense")]),
        (standardized(load_diabetes), 300, [(4, "dense"), (8, "dense")]),
        (noise, 200, [(4, "dense"), (10, "dense")]),
    ):
        order = random.permutation(len(table))
        seen, new = table[order[:n]], table[order[n:]]
        holes, missing = holes_in(new, share)
        means = np.sqrt(np.mean((new - seen.mean(axis=0))[missing] ** 2))
        for n_components, supports in choices:
            model = FixedSupportMF(n_components, supports=supports, missing_values=np.nan, tol=1e-2)
            found = model.fit(seen).impute(holes)
            error = np.sqrt(np.mean((found - new)[missing] ** 2))
            assert error < 1.02 * means
            if table is cells:
                assert error < 0.85 * means


def test_what_is_observed_stays(asarray):
    random = np.random.default_rng(0)
    truth = random.standard_normal((40, 2)) @ random.standard_normal((2, 10)) + 3
    for missing_values in (np.nan, -1.0):
        missing = random.random(truth.shape) < 0.1
        holes = asarray(np.where(missing, missing_values, truth))
        model = FixedSupportMF(
            3, alpha=0.0, missing_values=missing_values, tol=1e-6, max_iter=3000
        ).fit(holes)
        filled = model.impute(holes)
        assert type(filled) is type(holes)
        filled = to_numpy(filled)
        assert_array_equal(filled[~missing], truth[~missing])
        assert_allclose(filled, truth, atol=0.01)
        back = to_numpy(model.inverse_transform(model.transform(holes)))
        assert_allclose(filled[missing], back[missing], rtol=1e-10)
        whole = model.impute(asarray(truth))
        assert_array_equal(to_numpy(whole), truth)


def test_the_default_penalty():
    """Zero if nothing can be missing; it scales as the matrix does, and as the weights do.

    Columns of zeros and copies of columns, which have singular values of zero, do not lower it.
    """
    table = standardized(load_wine)
    assert FixedSupportMF(3).fit(table).alpha_ == 0
    whole = FixedSupportMF(3, missing_values=np.nan).fit(table)
    assert_allclose(whole.alpha_, np.median(np.linalg.svd(table)[1]))
    for more, factor in ((0 * table, 1), (table, np.sqrt(3))):
        wider = FixedSupportMF(3, missing_values=np.nan).fit(np.hstack([table, more, more]))
        assert_allclose(wider.alpha_, factor * whole.alpha_)
    assert FixedSupportMF(3, missing_values=np.nan).fit(0 * table).alpha_ == 0
    one = np.where(np.arange(table.size).reshape(table.shape) == 0, np.nan, table)
    alpha = FixedSupportMF(3, missing_values=np.nan, tol=1e-2).fit(one).alpha_
    assert_allclose(alpha, whole.alpha_, rtol=0.01)  # the first hole changes little
    assert FixedSupportMF(3, alpha=0.5).fit(table).alpha_ == 0.5
    holes, missing = holes_in(table, 0.1)
    model = FixedSupportMF(3, missing_values=np.nan, tol=1e-2).fit(holes)
    assert_allclose(model.alpha_, np.median(np.linalg.svd(np.nan_to_num(holes))[1]))
    for factor in (1e-3, 2.0**150, 2.0**300):
        scaled = FixedSupportMF(3, missing_values=np.nan, tol=1e-2).fit(holes * factor)
        assert_allclose(scaled.alpha_, factor * model.alpha_)
        assert_allclose(scaled.impute(holes * factor) / factor, model.impute(holes), rtol=1e-6)
        weights = factor * ~missing
        weighted = FixedSupportMF(3, tol=1e-2).fit(table, entry_weight=weights)
        assert_allclose(weighted.alpha_, factor * model.alpha_)
        assert_allclose(weighted.components_, model.components_, rtol=1e-6, atol=1e-9)
    options = {"missing_values": np.nan, "tol": 1e-2}
    masks = np.ones((len(table), 3)), np.ones((3, table.shape[1]))
    result = fixed_support_factorize(holes, *masks, alpha="auto", **options)
    assert_array_equal(result.right, model.components_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("share", [0.1, 0.0])
def test_data_frames_as_set_output_says(library, share):
    """With the names of the features and the index, whether or not there are holes."""
    pytest.importorskip(library)
    table = load_wine(as_frame=True).data[::-1]
    holes = table.mask(holes_in(table.to_numpy(), share)[1])
    model = FixedSupportMF(3, missing_values=np.nan, tol=1e-2).fit(holes)
    plain = model.impute(holes)
    assert type(plain) is np.ndarray
    with config_context(transform_output=library):
        by_config = model.impute(holes)
    framed = model.set_output(transform=library).impute(holes)
    for found in (by_config, framed):
        assert type(found).__module__.split(".")[0] == library
        assert list(found.columns) == list(table.columns)
        assert_array_equal(found.to_numpy(), plain)
    if library == "pandas":
        assert framed.index.equals(table.index)
        unnamed = model.set_output(transform="pandas").fit(plain).impute(plain)
        assert list(unnamed.columns[:2]) == ["x0", "x1"]


class Imputer(OneToOneFeatureMixin, FixedSupportMF):
    """As in the guide."""

    def transform(self, X):
        return self.impute(X)


def test_a_step_of_a_pipeline():
    table = load_wine(as_frame=True)
    holes = table.data.mask(holes_in(table.data.to_numpy(), 0.1)[1])
    imputer = Imputer(3, missing_values=np.nan, tol=1e-2)
    steps = make_pipeline(StandardScaler(), imputer).set_output(transform="pandas").fit(holes)
    filled = steps.transform(holes)
    assert list(filled.columns) == list(table.data.columns)
    assert filled.index.equals(holes.index)
    scaled = StandardScaler().fit_transform(holes)
    model = FixedSupportMF(3, missing_values=np.nan, tol=1e-2).fit(scaled)
    assert_allclose(filled, model.impute(scaled))
    assert_allclose(clone(imputer).fit_transform(scaled), filled)
    searched = make_pipeline(StandardScaler(), imputer, LogisticRegression())
    search = GridSearchCV(searched, {"imputer__n_components": [2, 4]}, cv=3)
    assert search.fit(holes, table.target).best_score_ > 0.9


def test_nothing_to_fill_without_missing_values():
    table = standardized(load_wine)
    with pytest.raises(ValueError, match=r"impute needs to know what is missing: pass missing_"):
        FixedSupportMF(3).fit(table).impute(table)


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
def test_a_sample_of_which_nothing_is_observed_is_filled_with_zeros():
    table = standardized(load_wine)
    holes, _ = holes_in(table, 0.1)
    holes[0] = np.nan
    filled = FixedSupportMF(3, missing_values=np.nan, tol=1e-2).fit(holes).impute(holes)
    assert_array_equal(filled[0], 0)
