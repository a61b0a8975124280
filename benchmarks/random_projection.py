"""Random projections, fast and Gaussian: ``python benchmarks/random_projection.py``, eight minutes.

Times of `transform` of FastRandomProjection beside those of GaussianRandomProjection and
SparseRandomProjection of scikit-learn, on dense samples, and on counts; bytes of their pickles; and
how well distances are kept on data that are no noise. One thread, CPU time. Writes
results/random_projection.json and .rst; ``--quick`` prints the tables for n = 4,096. Needs 3 GB.
"""

import argparse
import json
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import scipy.sparse
from measure import in_new_process, keep, machine, medians, progress
from page_parts import Rows, between, cells, fold, how, measured, section, table, three
from sklearn.datasets import load_digits, load_sample_images
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from skfact import FastRandomProjection

KINDS = {
    "fast": FastRandomProjection,
    "Gaussian": GaussianRandomProjection,
    "sparse": SparseRandomProjection,
}
HEADLINES = {4096: 1024, 65_536: 4096}  # of which the answer speaks
SIZES = {4096: (256, 1024, 2048), 65_536: (256, 1024, 4096)}  # features -> components
N_SAMPLES = 200
SECONDS = 2.0  # that each contender is timed for
N_PAIRS = 2000  # of which distances are compared
N_DRAWS = 30


def speed(n: int, k: int, dtype: str) -> Rows:
    """Times of `transform` of dense samples, and bytes of pickles."""
    X = np.random.default_rng(0).standard_normal((N_SAMPLES, n)).astype(dtype)
    return timed({"n": n, "k": k, "dtype": dtype}, X, k)


def timed(case: dict[str, Any], X: Any, k: int) -> Rows:
    fitted = {name: kind(k, random_state=0).fit(X) for name, kind in KINDS.items()}
    calls: dict[str, Callable[[], Any]] = {
        name: partial(projection.transform, X) for name, projection in fitted.items()
    }
    found = medians(calls, SECONDS, 1)
    progress(f"{case}: { {name: one.ms for name, one in found.items()} }")
    sizes = {"fast": len(pickle.dumps(fitted["fast"]))}
    sizes["Gaussian"] = fitted["Gaussian"].components_.nbytes
    components = fitted["sparse"].components_
    arrays = components.data, components.indices, components.indptr
    sizes["sparse"] = sum(array.nbytes for array in arrays)
    return [
        {**case, "contender": name, "ms": one.ms, "bytes": sizes[name]}
        for name, one in found.items()
    ]


def counts(n_samples: int, n_words: int) -> scipy.sparse.csr_array:
    """Word counts as of news: some hundred words each, of 20 topics, frequencies as in language."""
    random = np.random.default_rng(0)
    frequencies = 1 / np.arange(1, n_words + 1) ** 1.05
    topics = frequencies * random.gamma(0.2, size=(20, n_words))
    topics /= topics.sum(axis=1, keepdims=True)
    rows = []
    for i in range(n_samples):
        n_drawn = int(random.lognormal(5.0, 0.7)) + 20
        words, times = np.unique(
            random.choice(n_words, size=n_drawn, p=topics[i % 20]), return_counts=True
        )
        rows.append((words, times))
    pointers = np.cumsum([0, *(len(words) for words, _ in rows)])
    words, times = (np.concatenate(part) for part in zip(*rows))
    return scipy.sparse.csr_array((times.astype(float), words, pointers), (n_samples, n_words))


def data(name: str) -> tuple[Any, int]:
    """Samples, and how many dimensions to keep of them."""
    if name == "digits":
        return load_digits().data, 32
    if name == "patches":
        photographs = [image.mean(axis=2) for image in load_sample_images().images]
        found = [
            extract_patches_2d(p, (32, 32), max_patches=500, random_state=0) for p in photographs
        ]
        return np.concatenate(found).reshape(1000, -1), 256
    return counts(1000, 130_107), 512  # as many words as the 20 newsgroups have


def distortion(name: str) -> Rows:
    """Root mean square change of squared distances, as a share of them, and the largest ones."""
    X, k = data(name)
    random = np.random.default_rng(0)
    left, right = random.integers(X.shape[0], size=(2, N_PAIRS))
    different = squared_distances(X, left, right) > 0
    left, right = left[different], right[different]
    before = squared_distances(X, left, right)
    rows = []
    for contender, kind in KINDS.items():
        changes = np.stack(
            [
                squared_distances(kind(k, random_state=seed).fit_transform(X), left, right) / before
                - 1
                for seed in range(N_DRAWS)
            ]
        )
        rms, largest = np.sqrt(np.mean(changes**2)), np.mean(np.abs(changes).max(axis=1))
        row = {"data": name, "n": X.shape[1], "k": k, "contender": contender}
        rows.append({**row, "rms": float(rms), "largest": float(largest)})
        progress(str(rows[-1]))
    return rows


def squared_distances(X: Any, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    difference = X[left] - X[right]
    if scipy.sparse.issparse(difference):
        difference = scipy.sparse.csr_array(difference)
        return np.asarray((difference * difference).sum(axis=1)).ravel()
    return np.sum(difference**2, axis=1)


def of_counts() -> Rows:
    """Times of `transform` of sparse samples."""
    X, k = data("counts")
    return timed({"n": X.shape[1], "k": k, "dtype": "float64", "nnz": X.nnz / X.shape[0]}, X, k)


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    found = cells(results["speed"], "n", "k", "dtype")
    (n_words, k_words), sparse = next(iter(cells(results["counts"], "n", "k").items()))
    kept = cells(results["distortion"], "data", "n", "k")
    ratios = {key: times["Gaussian"]["ms"] / times["fast"]["ms"] for key, times in found.items()}
    by_size = [
        f"{between(r for key, r in ratios.items() if key[:2] == (n, k))} times from {n:,} features "
        f"to {k:,} components"
        for n, k in HEADLINES.items()
    ]
    changes = between(t["fast"]["rms"] / t["Gaussian"]["rms"] for t in kept.values())
    of_counts = {name: three(sparse[name]["ms"]) for name in KINDS}
    off = kept["counts", n_words, k_words]["sparse"]["rms"]
    lines = [
        [f"{n:,}", f"{k:,}", dtype, *(three(t[name]["ms"]) for name in KINDS)]
        + [f"{ratios[n, k, dtype]:.3g}"]
        for (n, k, dtype), t in found.items()
    ]
    lines.append(
        [f"{n_words:,}", f"{k_words:,}", "counts", *(three(sparse[name]["ms"]) for name in KINDS)]
        + [f"{sparse['Gaussian']['ms'] / sparse['fast']['ms']:.3g}"]
    )
    sizes = [
        [f"{n:,}", f"{k:,}", *(three(t[name]["bytes"] / 1e3) for name in KINDS)]
        for (n, k, dtype), t in found.items()
        if dtype == "float64"
    ]
    errors = [
        [name, f"{n:,}", f"{k:,}", *(f"{t[kind]['rms']:.3f}" for kind in KINDS)]
        + [f"{t[kind]['largest']:.2f}" for kind in KINDS]
        for (name, n, k), t in kept.items()
    ]
    return "\n".join(
        section(
            "How fast are random projections, and how good?",
            "On dense samples :class:`~skfact.transforms.FastRandomProjection` is faster than "
            f"Gaussian components, {' and '.join(by_size)}. Squared distances change {changes} "
            "times as much, on digits, patches of photographs and word counts.",
            (
                "random_projection",
                "Two panels. Milliseconds of 200 samples against the number of components, both "
                "logarithmic, for 4,096 and 65,536 features, with a line for each of fast, "
                "Gaussian and sparse components.",
                f"CPU time on one thread, {N_SAMPLES} dense samples, float64. {measured(results)}",
            ),
            "Samples with few entries are spread over all features first. 1,000 samples of word "
            f"counts, with {sparse['fast']['nnz']:.0f} of {n_words:,} entries each, take "
            f"{of_counts['fast']} ms, and Gaussian components {of_counts['Gaussian']} ms; sparse "
            f"ones take {of_counts['sparse']} ms, but change squared distances by {off:.0%}.",
            fold(
                "Milliseconds of transform",
                f"Of {N_SAMPLES} dense samples; of 1,000 samples of counts, as sparse arrays.",
                table=table(
                    ["n", "components", "samples", *KINDS, "Gaussian over fast"],
                    lines,
                ),
            ),
            fold(
                "Kilobytes kept",
                "The pickle of the fast one, the components of the others, in float64.",
                table=table(["n", "components", *KINDS], sizes),
            ),
            fold(
                "Changes of distances",
                f"Of squared distances, as a share of them, over {N_PAIRS:,} pairs and {N_DRAWS} "
                "draws: the root mean square, and the largest of a draw.",
                table=table(
                    ["data", "n", "components", *(f"{kind}, rms" for kind in KINDS)]
                    + [f"{kind}, largest" for kind in KINDS],
                    errors,
                ),
            ),
            how(results),
        )
    )


def cases(quick: bool) -> Iterator[tuple[int, int, str]]:
    for n, components in SIZES.items():
        if not quick or n == 4096:
            for k in components:
                yield from ((n, k, dtype) for dtype in ("float64", "float32"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="n = 4,096; nothing is written")
    quick = parser.parse_args().quick
    results: dict[str, Any] = machine() | {"speed": [], "distortion": [], "counts": []}
    results["versions"] = {name: version(name) for name in ("numpy", "numba", "scikit-learn")}
    for case in cases(quick):
        results["speed"] += in_new_process("random_projection", "speed", *case, threads=1)
    for name in ("digits", "patches") if quick else ("digits", "patches", "counts"):
        results["distortion"] += in_new_process("random_projection", "distortion", name, threads=1)
    if quick:
        print(json.dumps([results["speed"], results["distortion"]], indent=1))
        return
    results["counts"] = in_new_process("random_projection", "of_counts", threads=1)
    keep("random_projection", results, page)


if __name__ == "__main__":
    main()
