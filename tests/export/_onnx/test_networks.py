"""Networks of arrays and of operators, as scikit-learn and PyTorch compute them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skfact.export import to_onnx
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
