"""Training with butterfly supports: ``python benchmarks/deep_linear_training.py``.

Beside Ridge and PyTorch: 20,000 samples of 512 correlated inputs, 512 outputs; one thread, CPU
time, float64. PyTorch gets the same start for nothing, and minimizes the same loss until it is as
small as ours, or the time is up. Writes results/deep_linear_training.json and .rst, which the
documentation includes; ``--quick`` prints the page for a small problem. PyTorch is optional:
``pip install torch``.
"""

import argparse
import json
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from measure import in_new_process, machine, progress
from page_parts import cells, fold, how, listed, measured, section, short, table
from scipy.signal import lfilter
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from skfact import SparseDeepLinearNet
from skfact.butterfly import butterfly_factorize
from skfact.operators import FactorizedOperator
from skfact.supports import Chain

RESULTS = Path(__file__).parent / "results"
CORRELATION, NOISE, MISFIT, NEAR = 0.9, 0.3, 0.3, 1e-3
# share of a dense matrix in the map, and whether the scales of the inputs fall as 1 / k
TASKS = {
    "butterfly": (0.0, False),
    "butterfly and dense": (MISFIT, False),
    "nearly dependent inputs": (0.0, True),
}


def make_data(
    n_samples: int, n: int, misfit: float, falls: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring inputs have correlation .9; Y = X W^T + noise of .3 of the size of each output.

    W is a random product of butterfly factors; with `misfit` a Gaussian matrix of that share of its
    norm is added. With `falls` the k-th of n random orthogonal directions of X is divided by k.
    """
    random = np.random.default_rng(0)
    X = random.standard_normal((n_samples, n))
    X[:, 1:] *= (1 - CORRELATION**2) ** 0.5
    X = lfilter([1.0], [1.0, -CORRELATION], X, axis=1)
    if falls:
        turn = np.linalg.qr(random.standard_normal((n, n)))[0]
        X = X @ (turn / np.arange(1, n + 1)) @ turn.T
    patterns = Chain.butterfly(n)
    factors = [(random.standard_normal((p.a, p.d, p.b, p.c)), p) for p in patterns]
    W = np.eye(n)
    for values, pattern in reversed(factors):
        W = pattern_product(values, pattern, W)
    W += misfit * np.linalg.norm(W) / n * random.standard_normal((n, n))
    Y = X @ W.T
    return X, Y + NOISE * np.std(Y, axis=0) * random.standard_normal(Y.shape)


def pattern_product(values: np.ndarray, pattern: Any, X: np.ndarray) -> np.ndarray:
    """One factor times a matrix."""
    a, b, c, d = pattern
    out = np.einsum("adbc,acdn->abdn", values, X.reshape(a, c, d, -1))
    return out.reshape(a * b * d, -1)


def seconds(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median CPU time, and what the last call returned."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        found = function()
        times.append(time.process_time() - start)
    return float(np.median(times)), found


class Reached(Exception):
    """The loss is small enough, or the time is up."""


def torch_history(
    values: list[np.ndarray], X: np.ndarray, Y: np.ndarray, target: float, cap: float
) -> list[tuple[float, float]]:
    """(CPU seconds, loss) at each evaluation of PyTorch's L-BFGS, until one of the limits."""
    import torch

    torch.set_num_threads(1)
    blocks = [torch.tensor(np.ascontiguousarray(v), requires_grad=True) for v in values]
    inputs, outputs = (torch.tensor(np.ascontiguousarray(array.T)) for array in (X, Y))
    size, batch = 0.5 * float((outputs * outputs).sum()), inputs.shape[1]

    def predict() -> Any:
        signal = inputs
        for block in reversed(blocks):
            a, d, b, c = block.shape
            parts = signal.reshape(a, c, d, batch).permute(0, 2, 1, 3)
            signal = torch.matmul(block, parts).permute(0, 2, 1, 3).reshape(a * b * d, batch)
        return signal

    history: list[tuple[float, float]] = []
    start = time.process_time()
    optimizer = torch.optim.LBFGS(
        blocks, max_iter=100_000, history_size=20, line_search_fn="strong_wolfe",
        tolerance_grad=0, tolerance_change=0,
    )  # fmt: skip

    def closure() -> Any:
        optimizer.zero_grad()
        loss = 0.5 * ((predict() - outputs) ** 2).sum() / size
        loss.backward()
        history.append((time.process_time() - start, float(loss.detach()) * size))
        if history[-1][1] <= target or history[-1][0] > cap:
            raise Reached
        return loss

    with suppress(Reached):
        optimizer.step(closure)
    return history


def first_time(history: list[tuple[float, float]], target: float) -> float | None:
    return next((seconds for seconds, loss in history if loss <= target), None)


def run(quick: bool, cap: float) -> dict[str, Any]:
    """All measurements of one process, one thread."""
    n_samples, n, repeats = (2000, 128, 1) if quick else (20_000, 512, 3)
    square = np.random.default_rng(0).standard_normal((2048, 2048))
    rate = 2 * 2048**3 / seconds(lambda: square @ square, 3)[0]
    rows: list[dict[str, Any]] = []
    for task, (misfit, falls) in TASKS.items():
        X, Y = make_data(n_samples + n_samples // 5, n, misfit, falls)
        train, test = (X[:n_samples], Y[:n_samples]), (X[n_samples:], Y[n_samples:])
        nnz = Chain.butterfly(n).nnz

        def record(
            name: str, took: float | None, near: float | None, task: str = task, **more: Any
        ) -> None:
            row = {"task": task, "contender": name, "seconds": took, "near": near}
            rows.append(row | more)
            progress(f"{task}: {name} {took and round(took, 3)} s, {near and round(near, 3)} s")

        def fit(max_iter: int, train: Any = train) -> SparseDeepLinearNet:
            return SparseDeepLinearNet("butterfly", max_iter=max_iter).fit(*train)

        def score(predict: Callable[[np.ndarray], np.ndarray], test: Any = test) -> float:
            return float(r2_score(test[1], predict(test[0])))

        took, ridge = seconds(lambda train=train: Ridge().fit(*train), repeats)
        record("Ridge", took, None, r2=score(ridge.predict), parameters=n * n)
        fit(1)  # compiles
        prepared, begin = seconds(lambda: fit(1), repeats)
        took, model = seconds(lambda: fit(200), repeats)
        losses, each = np.array(model.loss_curve_), 0.0
        if model.n_iter_ > 1:
            each = (took - prepared) / (model.n_iter_ - 1)
        reached = int(np.argmax(losses <= losses[-1] * (1 + NEAR)))
        more = {"r2": score(model.predict), "parameters": nnz, "loss": losses[-1]}
        more |= {"iterations": model.n_iter_, "each": each, "start": losses[0]}
        record("skfact", took, prepared + reached * each, **more)
        more = {"r2": score(begin.predict), "parameters": nnz}
        record("skfact, one iteration", prepared, None, **more)
        if not find_spec("torch"):
            continue
        centred = [array - array.mean(axis=0) for array in train]
        values, short, constant = start(*centred)
        target = float(losses[-1]) * (1 + 1e-12)
        for name, data, offset, added in (
            ("PyTorch, 512 rows", short, constant, prepared),
            ("PyTorch, all rows", centred, 0.0, 0.0),
        ):
            torch_history(values, *data, np.inf, cap)  # one evaluation loads what is needed
            found = torch_history(values, *data, target - offset, cap)
            found = [(t + added, loss + offset) for t, loss in found]
            more = {"parameters": nnz, "loss": found[-1][1], "evaluations": len(found)}
            more |= {"start": found[0][1], "each": (found[-1][0] - added) / len(found)}
            near = first_time(found, target * (1 + NEAR))
            record(name.replace("512", str(n)), first_time(found, target), near, **more)
    return {"rows": rows, "rate": rate, "cap": cap, "n": n, "samples": n_samples}


def start(X: np.ndarray, Y: np.ndarray) -> tuple[list[np.ndarray], Any, float]:
    """The factors that skfact begins with, rows with the same loss, and the difference."""
    s, V = np.linalg.eigh(X.T @ X)
    roots = np.sqrt(s)
    short = ((V * roots).T, ((Y.T @ X @ V) / roots).T)
    matrix = np.linalg.lstsq(*short)[0].T
    operator: FactorizedOperator = butterfly_factorize(matrix)
    values = [factor.values for factor in operator.factors]
    return values, short, 0.5 * float(np.sum(Y * Y) - np.sum(short[1] ** 2))


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    n, samples = results["n"], results["samples"]
    return "\n".join(
        section(
            "How long does training take?",
            _answer(results),
            (
                "training",
                "For each data set a mark for the seconds of Ridge, of skfact with one and with "
                "all iterations, and of PyTorch on few and on all rows, on a logarithmic axis.",
                f"{samples:,} samples, {n} inputs and outputs; CPU time on one thread. PyTorch "
                "starts from the factors of skfact, and stops at its loss. "
                f"{measured(results)}",
            ),
            "Before the first iteration stand two products of the samples, eigenvectors, singular "
            "values and least squares. After it, products of 2 x 2 blocks, which are seven times "
            "as far from the floor as a dense product would be. Ridge has "
            f"{_parameters(results)} times the parameters, and R² {_scores(results)}.",
            fold("Seconds, losses and scores", *_columns(), table=_lines(results)),
            fold("The floor, and where the time goes", *_floor(results)),
            how(results, *_data()),
        )
    )


def _answer(results: dict[str, Any]) -> str:
    """The seconds of each contender for all data sets."""
    seconds: dict[str, list[str]] = {}
    for row in results["rows"]:
        seconds.setdefault(row["contender"], []).append(_time(row["seconds"], results))
    tasks = listed(f"*{task}*" for (task,) in cells(results["rows"], "task"))
    answer = f"On one thread, {_both(seconds.pop('skfact'))} s for the data {tasks}"
    answer += f"; Ridge takes {_both(seconds.pop('Ridge'))} s"
    for name, found in seconds.items():
        if name.startswith("PyTorch"):
            answer += f", PyTorch on {name.split(', ')[1]} {_both(found)} s"
    return f"{answer}."


def _both(words: list[str]) -> str:
    return listed(dict.fromkeys(words))


def _scores(results: dict[str, Any]) -> str:
    """R2 of Ridge beside that of skfact."""
    return listed(
        f"{found['Ridge']['r2']:.3f} beside {found['skfact']['r2']:.3f}"
        for found in cells(results["rows"], "task").values()
    )


def _time(seconds: float | None, results: dict[str, Any]) -> str:
    return f"over {results['cap']:.0f}" if seconds is None else short(seconds)


def _parameters(results: dict[str, Any]) -> str:
    parameters = {row["contender"]: row["parameters"] for row in results["rows"]}
    return f"{parameters['Ridge'] / parameters['skfact']:.0f}"


def _lines(results: dict[str, Any]) -> list[str]:
    lines = []
    for row in results["rows"]:
        line = [row["task"], row["contender"], _time(row["seconds"], results)]
        line.append(_time(row["near"], results) if "loss" in row else "-")
        line.append(f"{row['loss']:.6g}" if "loss" in row else "-")
        line.append(row.get("evaluations", row.get("iterations", "-")))
        line.append(short(1e3 * row["each"]) if "each" in row else "-")
        line.append(f"{row['r2']:.4f}" if "r2" in row else "-")
        lines.append([*line, row["parameters"]])
    head = ["data", "contender", "s", f"s, within {NEAR:g}", "loss", "iterations", "ms each"]
    return table([*head, "R2, test", "parameters"], lines)


def _columns() -> list[str]:
    return [
        "The columns in seconds say when the last loss of skfact was reached, or one within .001 "
        "of it. The time of skfact within .001 is interpolated: all iterations count alike."
    ]


def _floor(results: dict[str, Any]) -> list[str]:
    n, rate = results["n"], results["rate"]
    multiplications = 6 * Chain.butterfly(n).nnz * n
    gram = 3 * results["samples"] * n * n
    return [
        f"A product of dense 2048 x 2048 matrices runs at {rate / 1e9:.0f} GFlop/s. At that rate "
        f"one loss with its gradient on {n} rows ({multiplications / 1e6:.1f} MFlop) takes "
        f"{1e3 * multiplications / rate:.2g} ms, and the two products of the samples that replace "
        f"them by {n} rows ({gram / 1e9:.1f} GFlop) {gram / rate:.2g} s.",
        "A loss and its gradient go through all factors and back in compiled code, 64 rows at a "
        "time. Where the Gram matrix would lose digits, the samples are turned along its "
        "eigenvectors and have a second one, which is three times as slow.",
    ]


def _data() -> list[str]:
    return [
        "One thread, CPU time, float64. :class:`~skfact.deep_linear.SparseDeepLinearNet` with "
        "butterfly supports is fitted to correlated inputs (neighbours .9). *Butterfly*: the "
        "targets come from a product of butterfly factors, with noise; *butterfly and dense*: a "
        "Gaussian matrix is added to it, which no butterfly fits; *nearly dependent inputs*: their "
        "scales along orthogonal directions fall as 1 / k.",
        "Beside it stand :class:`~sklearn.linear_model.Ridge` and the same model in PyTorch: "
        "batched products, LBFGS with the strong Wolfe line search and as many corrections. "
        "PyTorch gets the start for nothing; on 512 rows the time in which skfact prepares these "
        "rows and the start (*one iteration*) is added to its own.",
    ]


def versions() -> dict[str, str]:
    import contenders
    import sklearn

    found = contenders.versions() | {"scikit-learn": sklearn.__version__}
    return {k: v for k, v in found.items() if k not in ("lazylinop", "pyfaust")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small problem; nothing is written")
    parser.add_argument("--cap", type=float, default=45.0, help="seconds that PyTorch gets")
    options = parser.parse_args()
    name = "deep_linear_training"
    found = in_new_process(name, "run", options.quick, options.cap, threads=1)
    results = machine() | {"versions": in_new_process(name, "versions", threads=1)} | found
    text = page(results)
    if options.quick:
        print(text)
        return
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
