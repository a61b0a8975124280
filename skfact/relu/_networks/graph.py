"""Networks that are no chain of layers: convolutions, skip connections, maxima, batch norms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from skfact._checks import check_number, positive_ints
from skfact.relu._networks.batch_norm import affine, fold
from skfact.relu._networks.convolution import checked_convolution
from skfact.relu._networks.layered import require_same_library
from skfact.relu._networks.nodes import (
    GraphNode,
    checked_groups,
    checked_kernel,
    checked_linear,
    checked_name,
    indices_of,
    real_kernel,
    replaced,
)
from skfact.relu._networks.samples import checked_samples
from skfact.relu._networks.wired import in_one_dtype, outputs


class NetworkGraph:
    """A ReLU network with convolutions, skip connections, max-pooling and batch normalization.

    A graph is written down in the order in which the network computes. Each method appends a node
    that reads earlier ones and returns it, to be passed to later ones, so that there can be no
    cycle, and shapes are checked in the line that is wrong. The network is the function from
    `input` to `output`, the last node unless another one is set.

    Functions of a `network-like` argument take graphs; those of layers (:func:`align`,
    :func:`simplify`, :func:`identifiability_report`, :func:`path_kernel`) do not.

    Parameters
    ----------
    n_inputs : int
        Number of features of a sample.

    Attributes
    ----------
    input : node
        The features.
    output : node
        What the network computes. Can be set to any node of the graph.
    nodes : tuple of nodes
        All nodes in the order of construction; each has a `name`, a `kind`, a `size` and a `shape`.
    coefs : list of arrays of shape (n_in, n_out)
        Weights of the linear nodes, in that order; of convolutions their kernels.
    intercepts : list of arrays of shape (n_out,)
        Biases of the linear nodes; of convolutions those of their channels.

    Raises
    ------
    TypeError
        By each method, if what should be a node is none, or an array is not real.
    ValueError
        By each method, if shapes do not fit, a number is NaN or infinite, a group is empty or out
        of range, or a node belongs to another graph. The message names the node.

    Notes
    -----
    A path runs along linear nodes, through one entry of each weight matrix, and straight through
    the others; a node that is added, or that a maximum is taken of, is one more way. Its weight is
    the product of the entries. As a ReLU does, a maximum closes all ways through it but one, and
    f(x) is the sum over the paths that are open at x, each times its input or one.

    The path norm counts all of them: in the pass that computes it the maximum is a sum. It is a
    Lipschitz constant, and the same pass with biases bounds the outputs:

        ||f(x) - f(y)||_1 <= ||x - y||_inf * path_norm(graph, include_bias=False),
        ||f(x)||_1 <= max(||x||_inf, 1) * path_norm(graph).

    Proof: let n(v) be the values of a node v in the pass of absolute weights from ones. By
    induction over the nodes ``|v(x) - v(y)| <= ||x - y||_inf n(v)``, entry by entry: linear nodes
    and sums satisfy it by the triangle inequality, a ReLU since it is 1-Lipschitz, and a maximum
    since ``|max_k a_k - max_k b_k| <= max_k |a_k - b_k| <= sum_k |a_k - b_k|``. The second bound is
    shown alike. The last step shows that a maximum in the pass would give a smaller bound, which is
    no norm of the path weights.

    References
    ----------
    .. [1] A. Gonon, N. Brisebarre, E. Riccietti, R. Gribonval, "A path-norm toolkit for modern
       networks: consequences, promises and challenges", ICLR 2024, arXiv:2310.01225.

    Examples
    --------
    A residual block before a linear classifier:

    >>> import numpy as np
    >>> from skfact.relu import NetworkGraph, path_norm
    >>> rng = np.random.default_rng(0)
    >>> graph = NetworkGraph(4)
    >>> h = graph.linear(graph.input, rng.normal(size=(4, 6)), rng.normal(size=6))
    >>> branch = graph.relu(h)
    >>> branch = graph.linear(branch, rng.normal(size=(6, 6)))
    >>> h = graph.relu(graph.add(h, branch))
    >>> h = graph.max_pool(h, [[0, 1], [2, 3], [4, 5]])
    >>> h = graph.linear(h, rng.normal(size=(3, 2)), name="logits")
    >>> graph
    NetworkGraph(n_inputs=4), output logits
      input       4
      linear_1    6  input
      relu_2      6  linear_1
      linear_3    6  relu_2
      add_4       6  linear_1, linear_3
      relu_5      6  add_4
      max_pool_6  3  relu_5
      logits      2  max_pool_6
    >>> graph.predict(np.ones((5, 4))).shape
    (5, 2)
    >>> path_norm(graph) > path_norm(graph, q=2)
    True
    """

    def __init__(self, n_inputs: int) -> None:
        check_number(n_inputs, "n_inputs", int, 1)
        self._nodes = [GraphNode(0, "input", "input", int(n_inputs))]
        self._output: int | None = None

    # ---- nodes ---------------------------------------------------------------------------------

    def linear(self, node: GraphNode, weight: Any, bias: Any = None, *, name: Any = None) -> Any:
        """Append x @ weight + bias.

        Parameters
        ----------
        node : node
            What it reads.
        weight : array-like of shape (n_in, n_out)
            Weights, in the layout of scikit-learn's `coefs_`; transpose PyTorch's.
        bias : array-like of shape (n_out,), default=None
            Biases; None is zero.
        name : str, default=None
            Name of the node; None numbers it.

        Returns
        -------
        node : node
            The new node, of size n_out.
        """
        name, (index,) = self._place("linear", name, [node])
        weight, bias = checked_linear(weight, bias, self._nodes[index], f"node {name!r}")
        return self._append("linear", name, int(weight.shape[1]), [index], weight, bias)

    def convolution(
        self,
        node: GraphNode,
        kernel: Any,
        bias: Any = None,
        *,
        input_shape: Any,
        stride: Any = 1,
        padding: Any = 0,
        name: Any = None,
    ) -> Any:
        """Append a convolution of signals or images, as PyTorch's Conv1d and Conv2d.

        It is a linear node whose matrix has the numbers of the kernel in many places. The matrix is
        made, which takes memory for n_in times n_out numbers. Entries of nodes are those of
        C-ordered arrays (n_channels, length) or (n_channels, height, width).

        Parameters
        ----------
        node : node
            What it reads.
        kernel : array-like of shape (n_out, n_in, length) or (n_out, n_in, height, width)
            Weights, in PyTorch's layout; not flipped.
        bias : array-like of shape (n_out,), default=None
            Biases of the channels; None is zero.
        input_shape : tuple of int
            (length,) or (height, width) of each channel of the input.
        stride : int or tuple of int, default=1
            Steps between the positions.
        padding : int or tuple of int, default=0
            Zeros that are added at each end.
        name : str, default=None
            Name of the node; None numbers it.

        Returns
        -------
        node : node
            The new node; its `shape` is ``(n_out, *positions)``.
        """
        name, (index,) = self._place("convolution", name, [node])
        label = f"node {name!r}"
        n_axes = len(positive_ints(input_shape, f"{label}: input_shape"))
        if n_axes not in (1, 2):
            raise ValueError(
                f"{label}: input_shape must be (length,) or (height, width); got {input_shape!r}."
            )
        kernel = real_kernel(kernel, n_axes, label)
        found = checked_convolution(tuple(kernel.shape), input_shape, stride, padding, label)
        weight, bias = checked_kernel(kernel, bias, found, self._nodes[index], label)
        made = self._append("linear", name, int(weight.shape[1]), [index], weight, bias)
        self._nodes[-1] = replace(made, convolution=found)
        return self._nodes[-1]

    def batch_norm(
        self,
        node: GraphNode,
        mean: Any,
        variance: Any,
        scale: Any = None,
        shift: Any = None,
        *,
        eps: float = 1e-5,
        name: Any = None,
    ) -> Any:
        """Append scale * (x - mean) / sqrt(variance + eps) + shift, entry by entry.

        Parameters
        ----------
        node : node
            What it reads.
        mean, variance : array-like of shape (n,)
            Running statistics of a trained network.
        scale, shift : array-like of shape (n,), default=None
            Trained factors, of any sign, and summands; None is one and zero.
        eps : float, default=1e-5
            Added to the variance.
        name : str, default=None
            Name of the node; None numbers it.

        Returns
        -------
        node : node
            The new node, of the same size.
        """
        name, (index,) = self._place("batch_norm", name, [node])
        size = self._nodes[index].size
        factor, bias = affine(mean, variance, scale, shift, eps, size, f"node {name!r}")
        return self._append("batch_norm", name, size, [index], factor, bias)

    def relu(self, node: GraphNode, *, name: Any = None) -> Any:
        """Append max(x, 0), entry by entry.

        Parameters
        ----------
        node : node
            What it reads.
        name : str, default=None
            Name of the node; None numbers it.

        Returns
        -------
        node : node
            The new node, of the same size.
        """
        name, indices = self._place("relu", name, [node])
        return self._append("relu", name, self._nodes[indices[0]].size, indices)

    def max_pool(self, node: GraphNode, groups: Any, *, name: Any = None) -> Any:
        """Append the maximum of each of several groups of entries.

        Parameters
        ----------
        node : node
            What it reads.
        groups : list of lists of int, or array of int of shape (n_groups, n)
            Entries of each group. Groups may overlap and differ in length.
        name : str, default=None
            Name of the node; None numbers it.

        Returns
        -------
        node : node
            The new node; its size is the number of groups.
        """
        name, (index,) = self._place("max_pool", name, [node])
        groups = checked_groups(groups, self._nodes[index].size, f"node {name!r}")
        return self._append("max_pool", name, len(groups), [index], groups=groups)

    def maximum(self, *nodes: GraphNode, name: Any = None) -> Any:
        """Append the maximum over several nodes, entry by entry.

        Parameters
        ----------
        *nodes : nodes
            What it reads, at least one node, all of the same size.
        name : str, default=None
            Name of the node; None numbers it.

        Returns
        -------
        node : node
            The new node, of the same size.
        """
        return self._append_together("maximum", nodes, name)

    def add(self, *nodes: GraphNode, name: Any = None) -> Any:
        """Append the sum of several nodes.

        Parameters
        ----------
        *nodes : nodes
            What it reads, at least one node, all of the same size.
        name : str, default=None
            Name of the node; None numbers it.

        Returns
        -------
        node : node
            The new node, of the same size.
        """
        return self._append_together("add", nodes, name)

    # ---- the network ---------------------------------------------------------------------------

    @property
    def input(self) -> GraphNode:
        """The features."""
        return self._nodes[0]

    @property
    def output(self) -> GraphNode:
        """What the network computes: the last node, unless another one was set."""
        return self._nodes[-1 if self._output is None else self._output]

    @output.setter
    def output(self, node: GraphNode) -> None:
        (self._output,) = indices_of([node], self._nodes)

    @property
    def nodes(self) -> tuple[GraphNode, ...]:
        """All nodes, in the order of construction."""
        return tuple(self._nodes)

    @property
    def coefs(self) -> list[Any]:
        """Weights of the linear nodes, of a convolution its kernel."""
        return [
            node.weight if node.convolution is None else node.convolution.kernel(node.weight)
            for node in self._nodes
            if node.kind == "linear"
        ]

    @property
    def intercepts(self) -> list[Any]:
        """Biases of the linear nodes, of a convolution those of its channels."""
        return [
            node.bias if node.convolution is None else node.convolution.of_channels(node.bias)
            for node in self._nodes
            if node.kind == "linear"
        ]

    def predict(self, X: Any) -> Any:
        """Compute the network's output.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.

        Returns
        -------
        output : array of shape (n_samples, n_outputs)
            In the array library of X.

        Raises
        ------
        TypeError
            If X is of an unsupported dtype.
        ValueError
            If X does not fit the network, or is not finite.
        """
        X = checked_samples(X, self.input.size, "X")
        return outputs(self._nodes, self.output.index, X)

    def fold_batch_norm(self) -> NetworkGraph:
        """Make a graph of the same function without batch normalization.

        A batch norm goes into the weights and biases of the linear node before it where that feeds
        nothing else, otherwise into the linear nodes after it where only linear nodes read it, and
        otherwise becomes a linear node with a diagonal matrix. The mean enters the biases with its
        sign. Functions on paths do this first: the paths of a graph are those of the folded one.

        Returns
        -------
        graph : NetworkGraph
            A new graph, with arrays of one dtype.
        """
        graph = NetworkGraph(self.input.size)
        nodes, graph._output = fold(self._nodes, self.output.index)
        graph._nodes = in_one_dtype(nodes)
        return graph

    def with_arrays(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> NetworkGraph:
        """Make a graph with other weights and biases, such as pruned ones.

        Parameters
        ----------
        coefs : sequence of arrays of shape (n_in, n_out)
            Weights of the linear nodes, or kernels, in the order of `coefs`.
        intercepts : sequence of arrays of shape (n_out,)
            Their biases.

        Returns
        -------
        graph : NetworkGraph
            A new graph with the same nodes otherwise.

        Raises
        ------
        TypeError
            If an array is not real.
        ValueError
            If there is not one array for each linear node, or shapes differ.
        """
        graph = NetworkGraph(self.input.size)
        graph._nodes, graph._output = replaced(self._nodes, coefs, intercepts), self._output
        return graph

    def __repr__(self) -> str:
        lines = [f"NetworkGraph(n_inputs={self.input.size}), output {self.output.name}"]
        longest = max(len(node.name) for node in self._nodes)
        digits = max(len(str(node.size)) for node in self._nodes)
        for node in self._nodes:
            read = ", ".join(self._nodes[i].name for i in node.inputs)
            lines.append(f"  {node.name:{longest}}  {node.size:{digits}}  {read}".rstrip())
        return "\n".join(lines)

    # ---- appending -----------------------------------------------------------------------------

    def _place(self, kind: str, name: Any, nodes: Sequence[Any]) -> tuple[str, list[int]]:
        """The name of a new node, and the indices of those that it reads."""
        return checked_name(name, kind, self._nodes), indices_of(nodes, self._nodes)

    def _append(
        self,
        kind: str,
        name: str,
        size: int,
        inputs: Sequence[int],
        weight: Any = None,
        bias: Any = None,
        groups: Any = (),
    ) -> GraphNode:
        if weight is not None:
            others = [node.weight for node in self._nodes if node.weight is not None]
            require_same_library(weight, others[:1], f"node {name!r}")
        node = GraphNode(len(self._nodes), kind, name, size, tuple(inputs), weight, bias, groups)
        self._nodes.append(node)
        return node

    def _append_together(self, kind: str, nodes: Sequence[GraphNode], name: Any) -> GraphNode:
        name, indices = self._place(kind, name, nodes)
        if not indices:
            raise ValueError(f"node {name!r}: there is nothing to take the {kind} of; pass nodes.")
        sizes = [node.size for node in nodes]
        if len(set(sizes)) > 1:
            found = ", ".join(f"{node.name!r} has {node.size}" for node in nodes)
            raise ValueError(f"node {name!r}: its inputs must have the same size, but {found}.")
        return self._append(kind, name, sizes[0], indices)
