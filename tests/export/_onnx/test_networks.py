"""Networks of arrays and of operators, as scikit-learn and PyTorch compute them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skfact.export import to_onnx
from skfact.export._onnx.activations import MODULES
from skfact.operators import FactorizedOperator
from tests.asserts import for_each
from tests.export._onnx.test_model import run
from tests.export.examples import make

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@for_each("activation", ["relu", "identity", "tanh", "logistic"])
def test_regressors(activation):
    X, y = load_diabetes(return_X_y=True)
    for target in (y, np.stack([y, -y], axis=1)):
        mlp = MLPRegressor(hidden_layer_sizes=(6, 4), activation=activation, max_iter=5)
        fitted = mlp.fit(X, target)
        assert_allclose(run(to_onnx(fitted), X), fitted.predict(X), rtol=1e-10, atol=1e-12)


@for_each("classes", [2, 3])
def test_classifiers(classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < classes], y[y < classes]
    fitted = MLPClassifier(hidden_layer_sizes=(6,), max_iter=5, random_state=0).fit(X, y)
    found = run(to_onnx(fitted), X)
    assert_allclose(found, fitted.predict_proba(X), rtol=1e-10, atol=1e-12)


def test_layers_that_are_operators():
    first, second = make("chain"), make("low rank")
    rng = np.random.default_rng(0)
    bias = rng.standard_normal(12)
    X = rng.standard_normal((5, 12))
    hidden = np.maximum(first.apply(X) + bias, 0)
    found = run(to_onnx(([first.T, second.T], [bias, None])), X)
    assert_allclose(found, second.apply(hidden), rtol=0, atol=1e-10)
    found = run(to_onnx(([first.T, second.toarray().T], None)), X)
    assert_allclose(found, second.apply(np.maximum(first.apply(X), 0)), rtol=0, atol=1e-10)


def test_an_mlp_whose_coefficients_are_operators():
    X, y = load_diabetes(return_X_y=True)
    fitted = MLPRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=0).fit(X, y)
    expected = run(to_onnx(fitted), X)
    fitted.coefs_ = [FactorizedOperator([coef]) for coef in fitted.coefs_]
    assert_allclose(run(to_onnx(fitted), X), expected, rtol=1e-12)


def test_torch_modules():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Dropout())
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), inner, nn.Linear(5, 3), nn.Sigmoid()).eval()
    X = torch.randn(7, 4)
    expected = module(X).detach().numpy()
    assert_allclose(run(to_onnx(module), X.numpy()), expected, rtol=0, atol=1e-6)
    assert_allclose(run(to_onnx(module.double()), X.double().numpy()), expected, rtol=0, atol=1e-6)
    with pytest.raises(TypeError, match=r"obj is a module of the class Conv1d"):
        to_onnx(torch.nn.Conv1d(1, 1, 1).eval())
    with pytest.raises(TypeError, match=r"'1.0' of the class Conv1d.*torch.onnx.export"):
        to_onnx(nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv1d(1, 1, 1))))
    with pytest.raises(TypeError, match=r"float16.*\.float\(\)"):
        to_onnx(nn.Linear(2, 2).half())

    class ReLU(nn.Module):  # not PyTorch's
        def forward(self, x):
            return x.clamp(0, 1)

    with pytest.raises(TypeError, match=r"layer '1' of the class .*\.ReLU, which to_onnx does not"):
        to_onnx(nn.Sequential(nn.Linear(2, 2), ReLU()))
    hooked = nn.Sequential(nn.Linear(2, 2))
    hooked[0].register_forward_hook(lambda module, inputs, outputs: outputs * 2)
    with pytest.raises(ValueError, match=r"layer '0' that has forward hooks.*remove them"):
        to_onnx(hooked)


def torch_activations(nn):
    norms = [nn.BatchNorm1d(6), nn.BatchNorm1d(6, eps=0.1, affine=False)]
    for norm in norms:
        nn.init.uniform_(norm.running_mean, -1, 1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    norms += [nn.LayerNorm(6), nn.LayerNorm([6], eps=0.1, bias=False), nn.RMSNorm(6)]
    for norm in norms:
        for parameter in norm.parameters():
            nn.init.normal_(parameter)
    return [
        *norms, nn.LayerNorm(6, elementwise_affine=False), nn.RMSNorm(6, eps=0.1),
        nn.Identity(), nn.Dropout(), nn.AlphaDropout(), nn.Flatten(), nn.Flatten(1, 1),
        nn.ReLU(), nn.ReLU6(), nn.Tanh(), nn.Sigmoid(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(),
        nn.Mish(), nn.LeakyReLU(), nn.LeakyReLU(0.3), nn.PReLU(init=0.4), nn.PReLU(6), nn.ELU(),
        nn.ELU(0.5), nn.CELU(0.5), nn.SELU(), nn.Softplus(), nn.Softplus(2.0, 1.5), nn.LogSigmoid(),
        nn.Softsign(), nn.Tanhshrink(), nn.Hardtanh(), nn.Hardtanh(-2, 0.5), nn.Hardsigmoid(),
        nn.Hardswish(), nn.Softmax(-1), nn.Softmax(1), nn.LogSoftmax(-1),
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_activations_and_norms(dtype):
    """Each of them, on numbers up to a hundred, as PyTorch computes it."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    modules = torch_activations(torch.nn)
    assert {type(module).__name__ for module in modules} == set(MODULES)
    X = torch.cat([3 * torch.randn(50, 6), 30 * torch.randn(50, 6)]).to(getattr(torch, dtype))
    first = torch.nn.Linear(6, 6, bias=False)
    torch.nn.init.eye_(first.weight)
    for module in modules:
        network = torch.nn.Sequential(first, module).to(X.dtype).eval()
        if dtype == "float64" and repr(module) == "GELU(approximate='none')":
            continue  # refused: onnxruntime has no error function in double precision
        expected = network(X).detach().numpy()
        rtol = 50 * np.finfo(dtype).eps
        for opset in (15, 20):
            found = run(to_onnx(network, opset=opset), X.numpy())
            assert_allclose(found, expected, rtol=rtol, atol=rtol, err_msg=repr(module))


def test_dropout_without_effect_is_written():
    nn = pytest.importorskip("torch").nn
    assert to_onnx(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.0))).graph.node[-1].op_type == "Gemm"


def test_torch_layers_that_give_operators():
    torch = pytest.importorskip("torch")

    class Factorized(torch.nn.Module):
        bias = torch.ones(12, dtype=torch.float64)

        def to_operator(self):
            return make("chain")

    X = np.random.default_rng(0).standard_normal((5, 12))
    found = run(to_onnx(torch.nn.Sequential(Factorized())), X)
    assert_allclose(found, make("chain").apply(X) + 1, rtol=0, atol=1e-10)


def test_torch_rotations():
    torch = pytest.importorskip("torch")
    from skfact.torch import OrthogonalButterfly

    torch.manual_seed(0)
    module = torch.nn.Sequential(OrthogonalButterfly(8, block_size=2), torch.nn.Linear(8, 3))
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    X = torch.randn(5, 8)
    assert_allclose(run(to_onnx(module), X.numpy()), module(X).detach().numpy(), atol=1e-5)
