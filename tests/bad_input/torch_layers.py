"""Bad and unusual input of PyTorch layers; no case where PyTorch is not installed."""

from importlib.util import find_spec

import numpy as np

from skfact.operators import FactorizedOperator, OperatorSum
from tests.bad_input.cases import A, refused

operator = FactorizedOperator([A, A])


def list_cases():
    import torch
    from torch import nn
    from torch.nn.utils import parametrizations

    from skfact.torch import (
        FactorizedLinear,
        OrthogonalButterfly,
        load_factorized,
        replace_linear_layers,
    )

    from_linear = FactorizedLinear.from_linear
    layer = FactorizedLinear(operator)

    def type_error(what, message, call, *inputs):
        refused(f"torch: {what}", call, *inputs, error=TypeError, message=message)

    def value_error(what, message, call, *inputs):
        refused(f"torch: {what}", call, *inputs, error=ValueError, message=message)

    def hooked(module):
        module.register_forward_hook(print)
        return module

    int8 = nn.Linear(4, 4)
    int8.weight = nn.Parameter(torch.zeros(4, 4, dtype=torch.int8), requires_grad=False)
    normed = parametrizations.weight_norm(nn.Linear(4, 4))
    tied = nn.ModuleDict({"words": nn.Embedding(4, 4), "head": nn.Linear(4, 4)})
    tied["head"].weight = tied["words"].weight
    on_cpu = torch.zeros((3, 8), dtype=torch.float64)
    on_meta = on_cpu.to("meta")
    attention = nn.MultiheadAttention(4, 2)

    type_error("no operator", "operator must be.*from_lin", FactorizedLinear, A)
    value_error("bias: length", r"bias.*\(8,\)", operator.to_torch, A[0, :5])
    value_error("bias: True", "bias must be None or", operator.to_torch, True)
    type_error("bias: complex", "bias is complex", operator.to_torch, A[0] + 1j)
    type_error("bias: float16", "bias has", operator.to_torch, A[0].astype("f2"))
    type_error("input: an array", "input must be a tensor.*as_tensor", layer, A)
    value_error("input: width", r"input must.*\(\.\.\., 8\)", layer, torch.zeros(3, 5))
    value_error("input: scalar", "input must have shape", layer, torch.tensor(1.0))
    type_error("input: float32", r"float32.*layer\.to", layer, torch.zeros(3, 8))
    type_error("input: whole numbers", "int64.*to", layer, torch.ones(3, 8).long())
    value_error("input: device", "input is on the device meta, and", layer, on_meta)
    value_error(
        "layer on meta", "'meta', where.*assign", FactorizedLinear(operator).to("meta"), on_cpu
    )
    type_error("from a matrix", "linear must be an nn.Linear, g", from_linear, A)
    type_error("convolution", "convolution", from_linear, nn.Conv1d(4, 4, 1))
    type_error("embedding", "embedding looks", from_linear, nn.Embedding(4, 4))
    type_error("a network", "replace_linear_lay", from_linear, nn.Sequential())
    type_error("lazy", "run a batch through", from_linear, nn.LazyLinear(4))
    type_error("quantized", "quantized weight.*int8.*before", from_linear, int8)
    type_error("half", r"linear\.float\(", from_linear, nn.Linear(4, 4).half())
    type_error("bfloat16", r"\.to\(torch", from_linear, nn.Linear(4, 4).bfloat16())
    value_error("hooks", "has hook", lambda: from_linear(hooked(nn.Linear(4, 4))))
    value_error("meta", "device 'meta'", from_linear, nn.Linear(4, 4, device="meta"))
    type_error("parametrized", "remove_parametriz", lambda: from_linear(normed))
    own = type("Own", (nn.Linear,), {})(4, 4)
    type_error("subclass", "a subclass may", lambda: from_linear(own))
    type_error("of an attention", "attention around it", from_linear, attention.out_proj)
    value_error("supports", "butterfly", from_linear, nn.Linear(4, 4), "buterfly")
    type_error("replace in nothing", "module must be", replace_linear_layers, A)
    type_error("replace itself", r"from_linear\(", replace_linear_layers, int8)
    value_error("no layer", "module has no nn.Linear: ReLU stays", replace_linear_layers, nn.ReLU())
    type_error("attention", "'out_proj' must.*reads its weight", replace_linear_layers, attention)
    value_error("tied", "shares.*words.*exclude", replace_linear_layers, tied)
    value_error(
        "exclude nothing",
        r"exclude='head' is the name of no layer.*\['0'\]",
        lambda: replace_linear_layers(nn.Sequential(nn.Linear(2, 2)), exclude="head"),
    )
    for given in (3, [0], b"0", {"0": 1}):
        type_error(
            f"include={given!r}",
            "include must be a name of a layer, a pattern of names, or a list",
            lambda given=given: replace_linear_layers(
                nn.Sequential(nn.Linear(2, 2)), include=given
            ),
        )
    state, dense = nn.Sequential(layer).state_dict(), nn.Sequential(nn.Linear(8, 8))
    type_error("load: no module", "module must be", load_factorized, A, state)
    type_error("load: no state", r"state_dict must be.*torch\.load", load_factorized, dense, "x.pt")
    type_error(
        "load: ReLU", "factors for 0.*ReLU", load_factorized, nn.Sequential(nn.ReLU()), state
    )
    type_error(
        "load: itself",
        "factors for the module itself",
        load_factorized,
        layer,
        {"terms.7.0.values": torch.ones(1, 1, 8, 8)},
    )
    value_error("load: no layer", "nothing of that name", load_factorized, nn.ReLU(), state)
    value_error(
        "load: another width",
        r"wrong factors for 0.*\(8, 8\), and the layer \(4, 8\)",
        load_factorized,
        nn.Sequential(nn.Linear(8, 4)),
        state,
    )
    value_error(
        "load: meta", "wrong factors for 0.*to_empty", load_factorized, dense.to("meta"), state
    )
    refused(
        "torch: load: other names",
        load_factorized,
        nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)),
        state,
        error=RuntimeError,
        message="Missing key.*1.weight",
    )
    value_error("from_torch: bias", "bias", FactorizedOperator.from_torch, nn.Linear(3, 2))
    type_error("from_torch: ReLU", "ReLU", FactorizedOperator.from_torch, nn.ReLU())
    type_error("from_torch: a sum", "FactorizedOp", OperatorSum.from_torch, layer)
    type_error("from_torch: an array", "nda", FactorizedOperator.from_torch, np.eye(3))
    value_error("rotation: blocks", "divide n.*2, 5, 10", OrthogonalButterfly, 10, 4)
    value_error("rotation: one", "block_size must div", OrthogonalButterfly, 10, 1)
    value_error("rotation: repeated", "n_factors=1", OrthogonalButterfly, 4, 4, 2)
    value_error("rotation: of one", "n must be at least 2", OrthogonalButterfly, 1)
    value_error("rotation: of none", "n must be at least 1", OrthogonalButterfly, 0)
    type_error("rotation: float", "n must be an integer", OrthogonalButterfly, 10.0)
    type_error(
        "rotation: complex",
        "dtype must be a real",
        lambda: OrthogonalButterfly(4, 2, dtype=torch.complex64),
    )
    type_error(
        "rotation: dtype as text",
        "such as torch.float32, got 'float32'",
        lambda: OrthogonalButterfly(4, 2, dtype="float32"),
    )
    rotation = OrthogonalButterfly(8)
    value_error("rotation: width", "input must have shape", rotation, torch.zeros(3, 5))
    type_error("rotation: an array", "input must be a tensor", rotation, A)
    value_error("rotation: device", "input is on.*meta", rotation, torch.zeros(3, 8, device="meta"))
    type_error("rotation: dtype", "float64", rotation, torch.zeros(3, 8).double())
    value_error("merge: width", "in_features = 8", rotation.merge, nn.Linear(4, 4))
    type_error("merge: others", "nn.Linear, got ReLU", rotation.merge, nn.ReLU())


if find_spec("torch"):
    list_cases()
