"""What is said where factors miss their matrix or save nothing on it, and that it is true."""

import re
import warnings

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize
from skfact.exceptions import StructureWarning
from skfact.supports import Chain, resolve_supports
from tests.arrays import gaussian
from tests.asserts import on_any_matrix

DIGITS = load_digits().data
GAUSSIAN = gaussian(np.random.default_rng(0), (64, 64))


def said(call):
    """The one StructureWarning, which points to this file."""
    with pytest.warns(StructureWarning) as caught:
        call()
    (warning,) = caught
    assert warning.filename == __file__
    return str(warning.message)


def relative(A, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructureWarning)
        operator = butterfly_factorize(A, **options)
    return np.linalg.norm(A - operator.toarray()) / np.linalg.norm(A), operator.nnz


@pytest.mark.parametrize("orthonormalize", [True, False])
def test_an_error_above_one_half(orthonormalize):
    options = {"orthonormalize": orthonormalize}
    message = said(lambda: butterfly_factorize(GAUSSIAN, **options))
    error, nnz = relative(GAUSSIAN, **options)
    assert f"The {nnz} numbers in the factors of the 64 x 64 matrix" in message
    assert f"a relative error of {error:.3g}." in message
    # what is advised was tried
    for name, value, reached in re.findall(r"(\w+)='?(\w+)'? reaches ([\d.]+) with", message):
        change = {name: int(value) if name == "rank" else value}
        assert f"{relative(GAUSSIAN, **options, **change)[0]:.3g}" == reached
    assert "rank=2" in message and "supports='monarch'" in message


def test_the_permutation_of_a_fourier_transform():
    message = said(lambda: butterfly_factorize(scipy.linalg.dft(64), permutation=None))
    assert "permutation='auto' reaches" in message
    butterfly_factorize(scipy.linalg.dft(64))
    message = said(lambda: butterfly_factorize(GAUSSIAN + 0j))
    assert "permutation='auto'" not in message and "permutation='search'" in message
    message = said(lambda: butterfly_factorize(scipy.linalg.dft(64), tol=1e-10, permutation=None))
    assert re.search(r"permutation='auto' reaches \S+e-1\d with 768 numbers", message)


def test_the_permutation_of_a_cosine_transform_has_a_rank_of_its_own():
    cosines = scipy.fft.dct(np.eye(128), norm="ortho")
    message = said(lambda: butterfly_factorize(cosines))
    error, nnz = relative(cosines, rank=4)
    assert error < 1e-14
    assert f"rank=4 reaches {error:.3g} with {nnz} numbers" in message
    assert "permutation" not in message
    message = said(lambda: butterfly_factorize(cosines, permutation=None))
    assert f"permutation='auto', rank=4 reaches {error:.3g} with {nnz} numbers" in message


def test_no_error_is_too_large_for_who_set_a_tolerance():
    butterfly_factorize(GAUSSIAN, tol=0.8)
    assert relative(GAUSSIAN, tol=0.8)[0] > 0.5


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("orthonormalize", [True, False])
def test_silence_where_factors_are_close(noise, orthonormalize):
    A = scipy.linalg.hadamard(64) + noise * GAUSSIAN
    butterfly_factorize(A, orthonormalize=orthonormalize)
    ButterflyFactorizer(orthonormalize=orthonormalize).fit(A)


@pytest.mark.parametrize(
    "options, advice",
    [
        ({"tol": 0.3}, "rank=2 takes 2048 numbers"),
        ({"supports": "monarch", "rank": 4}, "rank=2 takes 2048 numbers"),
        ({"supports": "low-rank", "rank": 32}, "rank=16 takes 2048 numbers"),
        ({"supports": lambda m, n: Chain.dense(m, n)}, "Try supports with fewer non-zeros"),
    ],
)
def test_nothing_is_saved(options, advice):
    message = said(lambda: butterfly_factorize(GAUSSIAN, **options))
    assert "save nothing on its 4096 non-zeros" in message and advice in message
    message = said(lambda: ButterflyFactorizer(**options).fit(GAUSSIAN))
    assert message.startswith("ButterflyFactorizer: The 4096 numbers") and advice in message


def test_a_sparse_matrix_has_fewer_numbers_than_its_factors():
    message = said(lambda: butterfly_factorize(np.eye(64)))
    assert "save nothing on its 64 non-zeros" in message and "No rank of" in message
    banded = scipy.linalg.toeplitz([2.0, 1, *np.zeros(62)])
    assert "non-zeros" in said(lambda: butterfly_factorize(banded, "monarch", rank=2))


def test_dense_factors_are_no_surprise_to_who_asked_for_them():
    for supports in ("dense", Chain.dense(64, 64)):
        butterfly_factorize(GAUSSIAN, supports)
        ButterflyFactorizer(supports=supports).fit(GAUSSIAN)
    butterfly_factorize(GAUSSIAN[:8, :8], rank=8)  # nobody counts 64 numbers


def test_components_that_are_not_of_low_rank():
    """Principal components are orthonormal: one of 32 is kept by rank one."""
    estimator = ButterflyFactorizer(operator=PCA(32), supports="low-rank")
    assert "ButterflyFactorizer: The 96 numbers" in said(lambda: estimator.fit(DIGITS))
    assert estimator.relative_error_ == pytest.approx(np.sqrt(31 / 32))
    message = said(
        lambda: ButterflyFactorizer(operator=PCA(32), supports="monarch", rank=4).fit(DIGITS)
    )
    assert "save nothing" in message and "rank=2 takes 1536 numbers" in message


def test_a_search_points_to_the_line_that_started_it():
    pipeline = make_pipeline(StandardScaler(), ButterflyFactorizer(operator=PCA(32)))
    search = GridSearchCV(pipeline, {"butterflyfactorizer__supports": ["low-rank"]}, cv=2)
    with pytest.warns(StructureWarning, match="ButterflyFactorizer") as caught:
        search.fit(DIGITS)
    assert {warning.filename for warning in caught} == {__file__}


@on_any_matrix
def test_a_product_beyond_the_largest_number():
    random = np.random.default_rng(1)
    signs = np.sign(gaussian(random, (16, 16)))
    matrix = signs * random.uniform(0.95, 1, signs.shape)  # no two equal singular values in a block
    for call in (butterfly_factorize, ButterflyFactorizer().fit):
        with pytest.warns(UserWarning, match="exceed the largest number") as caught:
            result = call(matrix * 1.7e308)
        assert all(warning.filename == __file__ for warning in caught)
    assert result.relative_error_ == pytest.approx(relative(matrix)[0])
    butterfly_factorize(scipy.linalg.hadamard(16) * 1.7e308)


def test_the_matrix_is_multiplied_out_only_where_the_splits_do_not_tell(monkeypatch):
    """Which takes longer than to factor it."""
    from skfact.operators import FactorizedOperator

    counted = []
    toarray = FactorizedOperator.toarray
    monkeypatch.setattr(
        FactorizedOperator, "toarray", lambda self: counted.append(1) or toarray(self)
    )
    butterfly_factorize(scipy.linalg.hadamard(64) + 0.2 * GAUSSIAN)
    assert not counted
    said(lambda: butterfly_factorize(GAUSSIAN, Chain.butterfly(64)))
    assert counted


def test_arrays_of_any_library(asarray):
    message = said(lambda: butterfly_factorize(asarray(GAUSSIAN)))
    assert "save nothing" in said(lambda: butterfly_factorize(asarray(np.eye(64))))
    assert resolve_supports("butterfly", 64, 64).nnz == int(message.split()[1])


def test_a_better_structure_is_named():
    distance = np.abs(np.subtract.outer(np.arange(64.0), np.arange(64.0)))
    A = np.exp(-distance) + np.exp(-np.abs(distance - 40))
    message = said(lambda: butterfly_factorize(A))
    found = re.search(r"supports='auto', max_density=([\d.]+) reaches ([\d.]+) with (\d+)", message)
    share, reached, numbers = found.groups()
    error, _ = relative(A, supports="auto", max_density=float(share))
    assert f"{error:.3g}" == reached and int(numbers) <= float(share) * A.size
    assert error <= 0.9 * relative(A)[0]


def test_auto_says_where_noise_is():
    message = said(lambda: butterfly_factorize(GAUSSIAN, "auto"))
    assert "structure_report(A)" in message and re.search(r"leave about 0\.\d+ of noise", message)
    message = said(lambda: butterfly_factorize(GAUSSIAN, "auto", tol=0.01))
    assert "No structure was found that saves numbers" in message


def test_the_mean_of_inputs():
    """Pixels are not negative: half of their energy and more is in their mean."""
    W = GAUSSIAN[:40]
    message = said(lambda: butterfly_factorize(W, "low-rank", rank=12, inputs=DIGITS))
    share = np.sum(DIGITS.mean(axis=0) ** 2) / np.mean(np.sum(DIGITS**2, axis=1))
    assert message.startswith(f"{share:.0%} of the energy") and "A @ mean" in message
    butterfly_factorize(W, "low-rank", rank=12, inputs=DIGITS - DIGITS.mean(axis=0))
