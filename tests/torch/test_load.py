"""The state of a network with factorized layers, loaded into a dense one."""

import copy
import io

import numpy as np
import pytest
import scipy.sparse

torch = pytest.importorskip("torch")
from torch import nn

from skfact.compression import compress
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.supports import Chain
from skfact.torch import FactorizedLinear, load_factorized, replace_linear_layers
from tests.asserts import for_each


def saved(network):
    """The state from a file of tensors."""
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Sequential(nn.Linear(48, 24)))


@pytest.mark.parametrize("supports", ["auto", "monarch", "butterfly"])
def test_compressed_and_trained(supports):
    X = torch.randn(200, 24, generator=torch.Generator().manual_seed(0))
    small = compress(network(0), X, max_density=0.5, supports=supports).network
    optimizer = torch.optim.SGD(small.parameters(), 0.1)
    small(X).square().mean().backward()
    optimizer.step()
    fresh = network(1)
    again = load_factorized(fresh, saved(small))
    torch.testing.assert_close(again(X), small(X), rtol=0, atol=0)
    assert repr(again) == repr(small)
    assert all(type(fresh[i]) is not FactorizedLinear for i in (0, 2))
    assert load_factorized(fresh, saved(small), inplace=True) is fresh
    torch.testing.assert_close(copy.deepcopy(fresh)(X), small(X), rtol=0, atol=0)


def operators():
    """Selections and sparse factors in all places, and a sum."""
    rng = np.random.default_rng(0)
    sparse = scipy.sparse.random_array((9, 7), density=0.5, rng=rng)
    chain = Chain.butterfly(8)
    blocks = [(rng.standard_normal((p.a, p.d, p.b, p.c)), p) for p in chain]
    selection = PartialPermutation([3, -1, 0, 1], 9)
    product = FactorizedOperator([rng.standard_normal((8, 4)), selection, sparse])
    twice = FactorizedOperator([sparse[:8], sparse.T, selection.T, rng.standard_normal((4, 7))])
    return [
        product,
        twice,
        product + twice,
        FactorizedOperator(KroneckerFactor(*block) for block in blocks),
    ]


@for_each("place", range(4))
def test_all_factors(place):
    operator = operators()[place]
    made = nn.Sequential(operator.to_torch(bias=np.ones(8)))
    fresh = nn.Sequential(nn.Linear(operator.shape[1], 8, dtype=torch.float64))
    state = saved(made)
    old = {name.replace("weight", "values"): part for name, part in state.items()}
    for one in (state, old):  # numbers of factors were called values once
        again = load_factorized(fresh, one)
        np.testing.assert_allclose(again[0].to_operator().toarray(), operator.toarray(), atol=1e-12)
        assert torch.equal(again[0].bias, torch.ones(8, dtype=torch.float64))


def test_layers_that_are_one_and_weights_that_are_tied_stay_so():
    shared, tied = nn.Linear(16, 16), nn.Linear(16, 16, bias=False)
    shared.weight.data = torch.randn(16, 2) @ torch.randn(2, 16)
    tied.weight = shared.weight
    dense = nn.Sequential(shared, shared, tied)
    new = replace_linear_layers(dense, "low-rank", rank=2)
    again = load_factorized(dense, saved(new))
    assert again[0] is again[1] and again[2].terms[0][0] is again[0].terms[0][0]
    X = torch.randn(3, 16)
    torch.testing.assert_close(again(X), new(X))


def test_frozen_layers_of_another_precision():
    small = compress(network(0), max_density=0.5).network
    fresh = network(1).double().eval().requires_grad_(False)
    again = load_factorized(fresh, saved(small))
    assert {p.dtype for p in again.parameters()} == {torch.float64}
    assert not any(p.requires_grad for p in again.parameters()) and not again[0].training
    X = torch.randn(3, 24)
    torch.testing.assert_close(again(X.double()), small(X).double(), rtol=1e-5, atol=1e-5)


def test_no_layer_is_replaced_if_the_state_does_not_fit():
    state = compress(network(0), max_density=0.5).network.state_dict()
    dense = nn.Sequential(*network(1), nn.Linear(24, 24))
    layers = [*dense.modules()]
    with pytest.raises(RuntimeError, match=r"Missing key.*3\.weight"):
        load_factorized(dense, state, inplace=True)
    assert all(one is other for one, other in zip(dense.modules(), layers, strict=True))
