"""
=====================================
Topics with words that are theirs
=====================================

A non-negative factorization of texts by words finds topics: each text is a sum of topics, each
topic a list of words. It finds topics, but not necessarily the ones that are looked for. A mask
helps: a few words, known to belong to one topic, are taken away from all others.
:class:`~skfact.fixed_support.FixedSupportMF` with ``positive=True`` keeps to it, and names the
topics. The texts are at hand: what scikit-learn says about its own estimators.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import inspect
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn import cluster, decomposition, ensemble, linear_model, neighbors
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import TfidfVectorizer

from skfact import FixedSupportMF
from skfact.exceptions import StructureWarning

# %%
# Texts and words
# ---------------
#
# The docstrings of the estimators in five modules; the module is what a topic should find out.

modules = (cluster, decomposition, ensemble, linear_model, neighbors)
texts, origins = [], []
for module in modules:
    for name in module.__all__:
        if inspect.isclass(getattr(module, name)):
            texts.append(inspect.getdoc(getattr(module, name)))
            origins.append(module.__name__.removeprefix("sklearn."))
vectorizer = TfidfVectorizer(
    stop_words="english", min_df=3, max_df=0.5, token_pattern="[a-z]{4,}", sublinear_tf=True
)
X = vectorizer.fit_transform(texts).toarray()
words = vectorizer.get_feature_names_out()
print(f"{len(texts)} texts, {len(words)} words")

# %%
# Words of one topic
# ------------------
#
# The mask has a row for each topic and a column for each word. It is one everywhere, but for the
# words that belong to one topic: there the other rows are zero. As a data frame its index names the
# components.

anchors = {
    "groups": ["cluster", "clusters", "clustering", "centroids"],
    "parts": ["components", "decomposition", "singular", "dictionary"],
    "trees": ["trees", "forest", "boosting", "splits"],
    "lines": ["intercept", "coef", "lasso", "ridge"],
    "distances": ["neighbors", "radius", "distance", "metric"],
}
mask = pd.DataFrame(1, index=anchors, columns=words)
for topic, own in anchors.items():
    known = mask.columns.intersection(own)
    mask.loc[mask.index != topic, known] = 0
table = pd.DataFrame(X, columns=words)
topics = FixedSupportMF(supports=(None, mask), positive=True, alpha=0.01)
with warnings.catch_warnings():  # no few topics keep the half of any texts
    warnings.simplefilter("ignore", StructureWarning)
    topics.fit(table)
plain = NMF(len(anchors), init="nndsvda", max_iter=1000).fit(X)


def leading_words(components, names):
    """The eight words with the largest weights of each topic."""
    for name, row in zip(names, components, strict=True):
        print(f"{name:10}", ", ".join(words[np.argsort(row)[::-1][:8]]))


print("with words of their own")
leading_words(topics.components_, topics.get_feature_names_out())
print("\nNMF")
leading_words(plain.components_, [f"topic {k}" for k in range(5)])

# %%
# Where the texts come from
# -------------------------
#
# The share of each topic in the texts of each module. The named topics should be dark on the
# diagonal; those of NMF come in any order, and may be something else.

shares = {
    "words of their own": (topics.transform(table), list(anchors)),
    "NMF": (plain.transform(X), [f"topic {k}" for k in range(5)]),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for ax, (title, (codes, names)) in zip(axes, shares.items(), strict=True):
    codes = codes / codes.sum(axis=1, keepdims=True)
    means = pd.DataFrame(codes, columns=names).groupby(origins).mean()
    agree = np.mean(np.array(means.idxmax())[codes.argmax(axis=1)] == np.array(origins))
    print(f"{title:20} texts whose largest topic is that of their module: {agree:.2f}")
    picture = ax.imshow(means, cmap="Blues", vmin=0, vmax=1)
    ax.set(title=title, xticks=range(5), yticks=range(5))
    ax.set_xticklabels(names, rotation=30)
    ax.set_yticklabels(means.index)
figure.colorbar(picture, ax=axes, label="mean share of the topic", shrink=0.8)
figure.suptitle("Topics of docstrings, by module")
plt.show()

# %%
# Four words for each topic are enough to say what it is about. The other words follow from the
# texts, and the names of the topics are in the columns of the transformed table.

codes = topics.set_output(transform="pandas").transform(table)
print(codes.head(3).round(2))
