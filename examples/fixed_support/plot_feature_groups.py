"""
=============================================
Components that look at one group of features
=============================================

The components of a principal component analysis mix all features. Where features come in groups,
components that keep to one group each are easier to read.
:class:`~skfact.fixed_support.FixedSupportMF` finds the best ones in closed form. What do they cost
in accuracy, against the dense components of PCA and the non-negative ones of NMF?
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import NMF, PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skfact import FixedSupportMF
from skfact.exceptions import StructureWarning
from skfact.inspection import SupportReportDisplay

# %%
# Breast cancer: means, errors and worst values
# ---------------------------------------------
#
# Ten properties of cell nuclei, and of each the mean, the standard error and the worst value: 30
# columns. Masks say which columns a component may use: two components for each kind of measurement,
# ten neighbouring columns; or one for each property, three columns that are ten apart. The left
# factor may be dense: its mask is None.

data = load_breast_cancer()
X, y = StandardScaler().fit_transform(data.data), data.target
kinds = ["mean", "error", "worst"]
kind_groups = (None, np.repeat(np.repeat(np.eye(3), 2, axis=0), 10, axis=1))
property_groups = (None, np.tile(np.eye(10), 3))
by_kind = FixedSupportMF(supports=kind_groups).fit(X)
by_property = FixedSupportMF(supports=property_groups).fit(X)
print(by_kind.support_report_)
print("global optimum:", by_kind.optimal_, by_property.optimal_)

# %%
# The loadings. Each of the six components on the left belongs to one kind of measurement, each of
# the ten on the right to one property.

figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained", width_ratios=[6, 10])
properties = [name.removeprefix("mean ") for name in data.feature_names[:10]]
labels = [f"{kind}: {name}" if name == properties[0] else name
          for kind in kinds for name in properties]  # fmt: skip
for ax, model, title in zip(
    axes, (by_kind, by_property), ("one kind each", "one property each"), strict=True
):
    loadings = model.components_ / np.linalg.norm(model.components_, axis=1, keepdims=True)
    limit = np.abs(loadings).max()
    image = ax.imshow(
        np.where(loadings == 0, np.nan, loadings).T,
        cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto",
    )  # fmt: skip
    ax.set(title=title, xlabel="component", xticks=range(len(loadings)))
    ax.set_yticks(range(30), labels if ax is axes[0] else [], fontsize=7)
    for border in (9.5, 19.5):
        ax.axhline(border, color="black", linewidth=0.8)
figure.colorbar(image, ax=axes, label="loading (empty: zero by support)", shrink=0.7)
figure.suptitle("Loadings of the measurements")
plt.show()

# %%
# Digits: blocks of pixels
# ------------------------
#
# For images the groups are blocks of pixels. A callable builds the masks for any number of
# components: four quadrants, in turns.


def quadrants(n_samples, n_features, n_components):
    """Every component sees one quarter of an 8 x 8 image."""
    row, column = np.divmod(np.arange(n_features), 8)
    quadrant = 2 * (row >= 4) + (column >= 4)
    right = quadrant == (np.arange(n_components) % 4)[:, None]
    return np.ones((n_samples, n_components)), right


digits = load_digits()
models = {
    "quadrants": FixedSupportMF(16, supports=quadrants),
    "dense": FixedSupportMF(16),
    "NMF": NMF(16, init="nndsvda", max_iter=500, tol=1e-3),
}
figure, axes = plt.subplots(3, 16, figsize=(11, 2.7), layout="constrained")
for row, (name, model) in zip(axes, models.items(), strict=True):
    components = model.fit(digits.data).components_
    order = np.argsort(np.arange(16) % 4, kind="stable") if name == "quadrants" else range(16)
    for ax, component in zip(row, components[order], strict=True):
        limit = np.abs(component).max()
        ax.imshow(component.reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
figure.suptitle("16 components of the digits")
plt.show()

# %%
# What the supports of the quadrants look like, for the first 100 images: four classes of four
# components each, side by side. That is why there is a closed form.

masks = quadrants(100, 64, 16)
SupportReportDisplay.from_supports(*masks)
plt.show()

# %%
# Accuracy
# --------
#
# A grid search over supports, in a pipeline that ends with a classifier; beside it PCA and NMF with
# as many components. Codes are rescaled before they are classified, so that no method suffers from
# the size of its codes.


def accuracies(X, y, n_components, supports):
    """Mean accuracy in cross-validation, by the name of the reduction."""
    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            ("reduce", FixedSupportMF(n_components)),
            ("rescale", StandardScaler()),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )
    grid = [
        {"reduce__supports": list(supports.values())},
        {"reduce": [PCA(n_components)]},
        {
            "scale": [MinMaxScaler(clip=True)],
            "reduce": [NMF(n_components, init="nndsvda", max_iter=500, tol=1e-3)],
        },
    ]
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, cv=folds, error_score="raise")
    with warnings.catch_warnings():  # candidates that miss most of the table say so
        warnings.simplefilter("ignore", StructureWarning)
        search.fit(X, y)
    names = [*supports, "PCA", "NMF"]
    return dict(zip(names, search.cv_results_["mean_test_score"], strict=True))


results = {
    "breast cancer, 6 components": accuracies(
        data.data, y, 6, {"dense": "dense", "kinds": kind_groups, "monarch": "monarch"}
    ),
    "digits, 16 components": accuracies(
        digits.data,
        digits.target,
        16,
        {"dense": "dense", "rows": "disjoint-groups", "quadrants": quadrants},
    ),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
figure.suptitle("Accuracy by supports")
for ax, (title, found) in zip(axes, results.items(), strict=True):
    print(title, {name: round(float(value), 3) for name, value in found.items()})
    colors = ["#0072B2"] * (len(found) - 2) + ["0.6"] * 2
    ax.barh(list(found), list(found.values()), color=colors)
    ax.set(
        title=title, xlim=(0.8, 1.0), xticks=[0.8, 0.9, 1.0], xlabel="accuracy in cross-validation"
    )
    ax.invert_yaxis()
    for place, value in enumerate(found.values()):
        ax.text(value + 0.003, place, f"{value:.3f}", va="center", fontsize="small")
plt.show()

# %%
# Supports do not make the classifier better here: the groups cost one to two percent for breast
# cancer and two to six for the digits, where quadrants suit the images better than runs of
# neighbouring pixels ("rows"); NMF is the most accurate. What the groups give is components that
# can be named.
