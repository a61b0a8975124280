"""The linear layer whose weight is an operator: a product, or a sum of products, of factors."""

from __future__ import annotations

from functools import reduce
from typing import Any, Self

from torch import Tensor, nn

from skfact.operators import FactorizedOperator, OperatorSum
from skfact.torch._dense import bias_of, factorize_weight, numbers_of, require_linear
from skfact.torch._input import as_one_node, check_device, check_like, check_rows
from skfact.torch._layers import layer_of
from skfact.torch._numbers import Layers, Numbers
from skfact.torch._product import in_loops, in_operations, read
from skfact.torch._term import numerical
from skfact.torch._ways import autocast_dtype, is_followed, is_ordinary


class FactorizedLinear(nn.Module):
    """Linear layer whose weight is a product of sparse factors, or a sum of such products.

    Parameters
    ----------
    operator : FactorizedOperator or OperatorSum
        The weight, of shape (out_features, in_features). Its numbers are copied.
    bias : tensor or array of shape (out_features,), default=None
        What is added to the images; None for nothing.

    Attributes
    ----------
    in_features : int
        Number of inputs.
    out_features : int
        Number of outputs.
    bias : torch.nn.Parameter or None
        The bias.
    terms : torch.nn.ModuleList
        For each term of a sum, and for a product as the only one, the modules of its factors in
        the order of the product. ``terms[0][1].weight`` is the parameter of the second factor,
        of shape (a, d, b, c) for a Kronecker-sparse one and (nnz,) for a sparse one.

    Raises
    ------
    TypeError
        If `operator` is no operator, or `bias` is no array of real numbers for a real operator.
    ValueError
        If `bias` has not one entry for each output.

    See Also
    --------
    replace_linear_layers : Put such layers into a network.
    skfact.operators.FactorizedOperator.to_torch : The same layer, made of an operator.

    Notes
    -----
    Forward and backward never make the dense matrix. On the host, in single or double precision
    and outside of `torch.compile`, the compiled loops of the operator run on the memory of the
    tensors; the backward pass keeps the inputs of the layer, and none of the vectors between its
    factors. Everywhere else (other devices, half precision, autocast, `torch.compile`,
    `torch.export`, the transforms of `torch.func`, derivatives of derivatives) the same product is
    written in PyTorch's operations. `torch.fx` has the layer as a leaf of its graphs.

    The loops need their numbers in an order of their own. They are put in order again when the
    parameters have changed, by whatever means.

    Examples
    --------
    >>> import torch
    >>> from skfact.butterfly import butterfly_factorize
    >>> from skfact.torch import FactorizedLinear
    >>> from scipy.linalg import hadamard
    >>> layer = FactorizedLinear(butterfly_factorize(hadamard(4)), bias=torch.ones(4))
    >>> layer(torch.eye(4, dtype=torch.float64)[:2])
    tensor([[2., 2., 2., 2.],
            [2., 0., 2., 0.]], dtype=torch.float64, grad_fn=<AddBackward0>)
    >>> layer
    FactorizedLinear(
      in_features=4, out_features=4, bias=True, numbers=16, density=1
      (terms): ModuleList(
        (0): ModuleList(
          (0): KroneckerLayer(pattern=(1, 2, 2, 2))
          (1): KroneckerLayer(pattern=(2, 2, 2, 1))
        )
      )
    )
    """

    def __init__(self, operator: FactorizedOperator | OperatorSum, bias: Any = None) -> None:
        if not isinstance(operator, FactorizedOperator | OperatorSum):
            raise TypeError(
                f"operator must be a FactorizedOperator or an OperatorSum, got "
                f"{type(operator).__name__}: FactorizedLinear.from_linear factors an nn.Linear, "
                "butterfly_factorize a matrix."
            )
        super().__init__()
        self.out_features, self.in_features = operator.shape
        self.terms = nn.ModuleList(
            nn.ModuleList(layer_of(factor) for factor in term.factors)
            for term in operator._summands
        )
        self.bias = bias_of(bias, operator)
        self._numbers: Numbers | None = None

    @classmethod
    def from_linear(cls, linear: nn.Linear, supports: Any = "auto", **how: Any) -> Self:
        """Factor the weight of a dense layer.

        Parameters
        ----------
        linear : torch.nn.Linear
            The layer; it stays as it is.
        supports : str, callable or Chain, default="auto"
            The structure, as for `butterfly_factorize`.
        **how
            Its other parameters: `rank`, `tol`, `max_density`, `inputs`, ... Tensors may be given
            as `inputs`, rows that the layer is applied to.

        Returns
        -------
        FactorizedLinear
            A layer with the same bias, of the same dtype, on the same device, whose factors need
            gradients if the weight does. The factorization itself runs on the host.

        Raises
        ------
        TypeError
            If `linear` is another module, or its weight is quantized or in half precision.
        ValueError
            If hooks or parametrizations are registered for it, or its weight has no numbers.

        See Also
        --------
        skfact.butterfly.butterfly_factorize : What is done with the weight.

        Examples
        --------
        >>> import torch
        >>> from scipy.linalg import hadamard
        >>> from skfact.torch import FactorizedLinear
        >>> linear = torch.nn.Linear(64, 64)
        >>> linear.weight.data = torch.tensor(hadamard(64), dtype=torch.float32)
        >>> layer = FactorizedLinear.from_linear(linear, "monarch")
        >>> layer.to_operator()
        FactorizedOperator(64 x 64, 2 factors, nnz=1024, float32)
        """
        operator = factorize_weight(linear, "linear", supports, how)
        made = cls(operator, linear.bias)
        made.train(linear.training)
        made.to(linear.weight.device)
        for weight in made._weights:
            weight.requires_grad_(linear.weight.requires_grad)
        if made.bias is not None:
            made.bias.requires_grad_(linear.bias.requires_grad)
        return made

    @property
    def _layers(self) -> Layers:
        terms: Any = self._modules["terms"]
        return [[*term._modules.values()] for term in terms._modules.values()]

    @property
    def _weights(self) -> list[Any]:
        """The numbers of all factors that have some."""
        return [layer.weight for term in self._layers for layer in numerical(term)]

    def forward(self, input: Tensor) -> Tensor:
        """Map rows, and add the bias.

        Parameters
        ----------
        input : tensor of shape (..., in_features)
            The rows, of the layer's dtype and on its device. Named as nn.Linear names them.

        Returns
        -------
        tensor of shape (..., out_features)
            Their images.

        Raises
        ------
        TypeError
            If input is no tensor, or of another dtype.
        ValueError
            If its last dimension is not `in_features`, or it is on another device.
        """
        X = input
        if not isinstance(X, Tensor):
            return as_one_node(self, X)
        check_rows(X, self.in_features)
        if (dtype := autocast_dtype(X)) is not None:
            check_device(X, self._weights, "layer")
            Y = in_operations(X.to(dtype), self._layers)
            return Y if self.bias is None else Y + self.bias.to(dtype)
        if is_followed() or not is_ordinary(X):
            return self._in_operations(X)
        layers = self._layers
        if self._numbers is None or not self._numbers.are_those_of(layers):
            self._numbers = read(layers, self._numbers)
        if self._numbers is None or self._numbers.dtype != X.dtype:
            return self._in_operations(X)
        Y = in_loops(X, self._numbers)
        return Y if self.bias is None else Y + self.bias

    def __getattr__(self, name: str) -> Any:
        if name == "weight":
            raise AttributeError(
                "FactorizedLinear has factors in the place of a weight: to_operator().toarray() is "
                "the matrix. Modules that read their layers' weights cannot have factorized ones: "
                "exclude these."
            )
        return super().__getattr__(name)

    def _in_operations(self, X: Tensor) -> Tensor:
        check_like(X, self._weights, "layer")
        Y = in_operations(X, self._layers)
        return Y if self.bias is None else Y + self.bias

    def to_operator(self) -> Any:
        """Make an operator of the factors as they are now.

        Returns
        -------
        FactorizedOperator or OperatorSum
            The weight, with NumPy factors that are copies; half precision becomes single. The bias
            is no part of it.
        """
        terms = [
            FactorizedOperator(
                layer.factor({name: numbers_of(getattr(layer, name)) for name in layer.tensors})
                for layer in term
            )
            for term in self._layers
        ]
        return terms[0] if len(terms) == 1 else OperatorSum(terms)

    def extra_repr(self) -> str:
        """Sizes, and what share of the dense numbers there is.

        Returns
        -------
        str
            What `repr` shows.
        """
        numbers = sum(weight.numel() for weight in self._weights)
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, numbers={numbers}, "
            f"density={numbers / (self.in_features * self.out_features):.3g}"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: part for name, part in self.__dict__.items() if name != "_numbers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._numbers = None


def operator_of(module: Any) -> Any:
    """The linear map of a layer, or of a Sequential of layers."""
    if type(module) is nn.Sequential and len(module):
        first, *others = map(operator_of, module)
        return reduce(lambda product, layer: layer @ product, others, first)
    if isinstance(module, FactorizedLinear):
        operator = module.to_operator()
    else:
        require_linear(module, "module")
        operator = FactorizedOperator([numbers_of(module.weight)])
    if module.bias is not None:
        raise ValueError(
            f"module: {type(module).__name__} has a bias, which a linear map has not: take "
            "module.bias for itself, and set it to None."
        )
    return operator
