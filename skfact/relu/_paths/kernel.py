"""The inner product of path activations of two samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, is_array_api_obj
from skfact._inputs import is_numpy
from skfact.relu._networks.gates import gates
from skfact.relu._networks.layered import require_same_library
from skfact.relu._networks.readers import read_layers
from skfact.relu._networks.samples import inputs_of


def path_kernel(network: Any, X: Any, Y: Any = None) -> Any:
    """Neural path kernel: inner products of the path activations of samples.

    With the gates G_l of the hidden layers (one where a neuron is active)

        K_0 = X Y^T,  K_l = (K_{l-1} + 1) * (G_l(X) G_l(Y)^T),  K = K_{L-1} + 1,

    equal to ``transform(X) @ transform(Y).T`` of :class:`ReLUPathEmbedding`, without enumerating
    the paths. It depends on the weights only through the gates. For ``SVC(kernel=...)`` bind the
    network: ``functools.partial(path_kernel, network)``. scikit-learn's other kernel methods, such
    as KernelPCA, call a kernel on pairs of samples, which works and is slow: pass them
    ``path_kernel(network, X)`` with ``kernel="precomputed"``.

    Parameters
    ----------
    network : network-like of layers
        The network.
    X : array-like of shape (n_samples_X, n_features) or (n_features,)
        Samples; of a pipeline, as its `predict` takes them.
    Y : array-like of shape (n_samples_Y, n_features) or (n_features,), default=None
        More samples; None is X.

    Returns
    -------
    kernel : array of shape (n_samples_X, n_samples_Y), or a number for two single samples
        In the array library of X.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable, or samples do not fit it.

    References
    ----------
    .. [1] C. Lakshminarayanan, A. V. Singh, "Neural path features and neural path kernel:
       understanding the role of gates in deep learning", NeurIPS 2020.

    Examples
    --------
    >>> from functools import partial
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn.svm import SVC
    >>> from skfact.relu import path_kernel
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = MLPClassifier((10,), solver="lbfgs", max_iter=2000, random_state=0).fit(X, y)
    >>> SVC(kernel=partial(path_kernel, mlp)).fit(X, y).score(X, y) > 0.95
    True
    """
    network = read_layers(network, "the kernel multiplies gates layer by layer")
    single = Y is not None and all(_is_vector(x) for x in (X, Y))
    if single:
        X, Y = ([x] if isinstance(x, (list, tuple)) else x[None, :] for x in (X, Y))
    X = inputs_of(network, X)
    left = gates(network, X)
    if Y is None:
        Y, right = X, left
    else:
        Y = inputs_of(network, Y, "Y")
        require_same_library(Y, [X], "Y")
        right = gates(network, Y)
    xp = array_namespace(X)
    kernel = X @ xp.matrix_transpose(Y)
    for mine, others in zip(left, right):
        mine, others = (xp.astype(g, X.dtype) for g in (mine, others))
        both_active = mine @ xp.matrix_transpose(others)
        kernel = kernel + 1.0 if not is_numpy(xp) else np.add(kernel, 1.0, out=kernel)
        kernel = (
            np.multiply(kernel, both_active, out=kernel) if is_numpy(xp) else kernel * both_active
        )
    kernel = kernel + 1.0
    return float(kernel[0, 0]) if single else kernel


def _is_vector(x: Any) -> bool:
    """Whether it is one sample: a 1-D array, or a list of numbers."""
    if isinstance(x, (list, tuple)):
        return all(np.isscalar(number) and not isinstance(number, str) for number in x)
    return bool(is_array_api_obj(x) and x.ndim == 1)
