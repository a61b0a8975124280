"""
=================================
Filling in what is missing
=================================

:class:`~skfact.fixed_support.FixedSupportMF` fits components to the entries that are there, and
``impute`` fills in the others. How close does it come, beside the means of the columns and the
nearest neighbours, and what is the penalty ``alpha`` for?
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler

from skfact import FixedSupportMF
from skfact.exceptions import StructureWarning

# %%
# A table with holes
# ------------------
#
# The standardized measurements of the breast cancer data: 569 rows and 30 columns, of which 10 or
# 30 % are hidden at random. Errors are in standard deviations of a column.

table = StandardScaler().fit_transform(load_breast_cancer().data)
quantity = [*range(10)] * 3  # mean, error and worst value of ten quantities


def errors(share):
    """Root mean square error of what is filled in, by the name of the method."""
    missing = np.random.default_rng(0).random(table.shape) < share
    holes = np.where(missing, np.nan, table)

    def error(filled):
        return float(np.sqrt(np.mean((filled - table)[missing] ** 2)))

    found = {
        "means of columns": error(SimpleImputer().fit_transform(holes)),
        "5 nearest neighbours": error(KNNImputer().fit_transform(holes)),
    }
    models = {
        "10 components": FixedSupportMF(10, missing_values=np.nan),
        "20 in groups": FixedSupportMF(20, supports=quantity, missing_values=np.nan),
    }
    for name, model in models.items():
        found[name] = error(model.fit(holes).impute(holes))
        print(f"{share:.0%} missing, {name}: alpha={model.alpha_:.1f}, error {found[name]:.2f}")
    penalties = np.geomspace(0.03, 100, 7)
    curve = [
        error(FixedSupportMF(10, missing_values=np.nan, alpha=a, tol=0.01).fit(holes).impute(holes))
        for a in penalties
    ]
    return found, penalties, curve, models["10 components"].alpha_


# %%
# By default the penalty is the median singular value of the table with zeros in its holes, a size
# that noise has. Smaller ones let the components follow the noise, so that what is filled in is far
# off; with very large ones everything becomes zero, the mean of a column.

figure, axes = plt.subplots(2, 2, figsize=(9, 5.5), layout="constrained")
for row, share in zip(axes, (0.1, 0.3), strict=True):
    with warnings.catch_warnings():  # large penalties leave much of the table, and are meant to
        warnings.simplefilter("ignore", StructureWarning)
        found, penalties, curve, chosen = errors(share)
    row[0].barh(list(found), list(found.values()), color=["0.6"] * 2 + ["#0072B2"] * 2)
    row[0].invert_yaxis()
    row[0].set(title=f"{share:.0%} missing", xlabel="error", xlim=(0, 1.2))
    row[1].semilogx(penalties, curve, "o-", color="#0072B2")
    row[1].axhline(found["means of columns"], color="0.6", label="means of columns")
    row[1].axvline(chosen, color="#D55E00", linestyle="--", label="default")
    row[1].set(title="10 components", xlabel="alpha", ylabel="error", ylim=(0, 1.2))
    row[1].legend(fontsize="small")
figure.suptitle("Error of what is filled in")
plt.show()

# %%
# Groups of columns leave out what columns of different groups tell about one another: components
# that use all columns are the better imputer here. A smaller penalty than the default would be
# better still. To choose one, hide some observed entries and compare there.
