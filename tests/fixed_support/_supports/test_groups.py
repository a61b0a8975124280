"""Groups of features, by labels or by name, are the masks that one would write down."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skfact import FixedSupportMF
from skfact.fixed_support._supports.groups import are_groups, group_mask

NAMES = ["mean size", "mean shape", "worst size", "worst shape"]
X = np.random.default_rng(0).random((12, 4)) + 1
MASK = np.array([[1, 0, 1, 0], [0, 1, 0, 1]], dtype=bool)


def test_all_ways_to_say_it_are_the_same_mask():
    for groups in (
        ["size", "shape", "size", "shape"],
        ("size", "shape", "size", "shape"),
        np.array(["size", "shape", "size", "shape"]),
        np.array(["size", "shape", "size", "shape"], dtype=object),
        {"size": [0, 2], "shape": [1, 3]},
        {"size": np.array([0, -2]), "shape": range(1, 4, 2)},
        {"size": slice(None, None, 2), "shape": slice(1, None, 2)},
        {"size": [True, False, True, False], "shape": MASK[1]},
        {"size": ["mean size", "worst size"], "shape": np.array(["worst shape", "mean shape"])},
    ):
        assert are_groups(groups)
        mask, names = group_mask(groups, None, 4, NAMES)
        assert_array_equal(mask, MASK)
        assert names == ["size", "shape"]


def test_groups_may_overlap_and_leave_features_out():
    mask, names = group_mask(
        {"all": slice(None), "first": 0, "last": "worst shape"}, None, 4, NAMES
    )
    assert_array_equal(mask, [[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert names == ["all", "first", "last"]


@pytest.mark.parametrize(
    ("n_components", "counts"), [(None, [1, 1]), (2, [1, 1]), (3, [2, 1]), (5, [3, 2]), (6, [3, 3])]
)
def test_components_are_shared_among_groups(n_components, counts):
    mask, names = group_mask([7, "b", 7, "b"], n_components, 4, None)
    floats = [0.5, 2.0, 0.5, 2.0]
    assert are_groups(floats)
    assert_array_equal(group_mask(floats, n_components, 4, None)[0], mask)
    assert_array_equal(mask, np.repeat(MASK, counts, axis=0))
    expected = ["group7", "b"] if counts == [1, 1] else None
    if expected is None:
        expected = [f"group7_{i}" for i in range(counts[0])]
        expected += [f"b_{i}" for i in range(counts[1])] if counts[1] > 1 else ["b"]
    assert names == expected


def test_pairs_of_masks_are_no_groups():
    for supports in (
        "dense",
        (None, MASK),
        [MASK, MASK],
        MASK,
        [],
        [None] * 2,
        None,
        3,
        lambda *_: None,
    ):
        assert not are_groups(supports)


def test_series_are_read_by_their_index():
    pd = pytest.importorskip("pandas")
    series = pd.Series(["size", "shape", "size", "shape"], index=NAMES)
    for given in (series, series.iloc[::-1], series.reset_index(drop=True)):
        mask, names = group_mask(given, None, 4, NAMES)
        found = {name: row.tolist() for name, row in zip(names, mask, strict=True)}
        assert found == {"size": MASK[0].tolist(), "shape": MASK[1].tolist()}
    with pytest.raises(ValueError, match=r"supports has labels that do not match those of X"):
        group_mask(series.rename({"mean size": "size"}), None, 4, NAMES)


def test_the_estimator_takes_them_and_names_its_components():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=NAMES)
    model = FixedSupportMF(supports={"size": ["mean size", "worst size"], "shape": [1, 3]})
    model.set_output(transform="pandas")
    codes = model.fit_transform(table)
    assert list(codes.columns) == ["size", "shape"] == list(model.get_feature_names_out())
    expected = FixedSupportMF(supports=(None, MASK)).fit(X)
    assert_array_equal(model.components_, expected.components_)
    assert list(expected.get_feature_names_out()) == ["fixedsupportmf0", "fixedsupportmf1"]
    two = clone(model).set_params(n_components=4).fit(table)
    assert list(two.get_feature_names_out()) == ["size_0", "size_1", "shape_0", "shape_1"]
    right = pd.DataFrame(MASK, index=["a", "b"], columns=NAMES)
    named = FixedSupportMF(supports=(None, right)).fit(table)
    assert list(named.get_feature_names_out()) == ["a", "b"]
    dense = FixedSupportMF(2).fit(table)
    assert list(dense.get_feature_names_out()) == ["fixedsupportmf0", "fixedsupportmf1"]


def test_labels_beside_a_mask_of_the_samples():
    left = np.arange(24).reshape(12, 2) > 1
    model = FixedSupportMF(supports=list("abab"), alpha=0.1).fit(X, left_support=left)
    assert_array_equal(model.left_factor_ != 0, left)
    assert_array_equal(model.components_ != 0, MASK)


def test_grid_search_over_groups():
    grid = {"supports": [list("abab"), {"a": [0, 1], "b": [2, 3]}], "n_components": [2, 4]}
    search = GridSearchCV(FixedSupportMF(), grid, cv=2, error_score="raise").fit(X)
    assert search.best_params_["n_components"] == 4


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (list("aba"), ValueError, r"supports has 3 labels, but X has 4 features"),
        (
            np.array(["a", None, "b", "b"], dtype=object),
            ValueError,
            r"Feature 'mean shape' has no label",
        ),
        (np.array([0, 1, np.nan, 1]), ValueError, r"Feature 'worst size' has no label"),
        (["a", "b", None, "b"], ValueError, r"Feature 'worst size' has no label in supports"),
        ({}, ValueError, r"dictionary without a group"),
        ({"a": []}, ValueError, r"Group 'a' of supports has no columns"),
        ({"a": [0], "b": [4]}, ValueError, r"Group 'b' of supports does not fit X with 4 features"),
        ({"a": [True, False]}, ValueError, r"Group 'a' of supports does not fit X with 4 features"),
        (
            {"a": [0.5]},
            TypeError,
            r"Group 'a' of supports must be a list of positions.*got dtype float64",
        ),
        ({"a": ["size"]}, ValueError, r"Group 'a' of supports names features that X does not have"),
    ],
)
def test_groups_that_make_no_sense_are_refused(groups, error, message):
    with pytest.raises(error, match=message):
        group_mask(groups, None, 4, NAMES)
    with pytest.raises(ValueError, match=r"names features, but X has no feature names"):
        group_mask({"a": ["mean size"]}, None, 4, None)
    with pytest.raises(ValueError, match=r"n_components=1 is less than the 2 groups"):
        group_mask(list("abab"), 1, 4, None)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        (["mean size", "mean size"], ValueError, "has the column at position 0 more than once"),
        ([["mean size", "mean shape"]], ValueError, r"must be one list of columns.*\(1, 2\)"),
        (["mean size", None], TypeError, "must be a list of positions.*got None"),
        ({"mean size"}, TypeError, "must be a list of positions.*got {'mean size'}"),
        (["mean"], ValueError, "names features that X does not have"),
    ],
)
def test_columns_of_a_group_by_name(columns, error, message):
    with pytest.raises(error, match=f"Group 'u' of supports {message}"):
        group_mask({"u": columns}, None, 4, NAMES)
