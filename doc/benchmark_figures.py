"""Draw the figures of the page of benchmarks, one per question, from the measured results."""

import io
import json
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

from page_parts import cells, fastest, three, time_of  # noqa: E402

WIDTH = 760 / 96  # inches: text of 10 points is as large as text of the page
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "skfact",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "axes.labelsize": 10,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
}
# colours of Okabe and Ito, told apart by the colour-blind, and a marker for each
LOOKS = {
    "skfact": ("#0072b2", "o"),
    "pyfaust": ("#d55e00", "s"),
    "lazylinop": ("#e69f00", "^"),
    "scipy": ("#009e73", "D"),
    "PyTorch": ("#cc79a7", "v"),
    "other": ("#56b4e9", "P"),
    "floor": ("#000000", "x"),
}
MATRICES = {"Hadamard": "Hadamard", "DFT": "Fourier", "noisy": "Noisy Hadamard"}


class Line(NamedTuple):
    """Points of one contender, what is written at their end, and how they look."""

    words: str
    look: str
    points: dict[float, float]


class Mark(NamedTuple):
    """One row of a figure: its name, how it looks, its value and the words beside it."""

    words: str
    look: str
    value: float
    text: str


def factoring(results: dict[str, Any]) -> Figure:
    """Milliseconds against n: one panel for each kind of matrix."""
    single = [row for row in results["scaling"] if row["threads"] == 1]
    alone = cells(single, "matrix", "n")
    in_turns = cells(results["peers"], "matrix", "n")
    figure, axes = plt.subplots(2, 2, sharex=True, sharey=True, figsize=(WIDTH, 5.6))
    for axis, (matrix, title) in zip(axes.flat, (MATRICES | {"Gaussian": "Gaussian"}).items()):
        # both were measured: the scaling alone, with more sizes, and the peers in turns
        ours = {n: times for (name, n), times in alone.items() if name == matrix}
        peers = {n: times for (name, n), times in in_turns.items() if name == matrix}
        ours = ours or peers
        lines(
            axis,
            Line("pyfaust", "pyfaust", times_of(peers, "pyfaust")),
            Line("lazylinop", "lazylinop", times_of(peers, "lazylinop")),
            Line("skfact", "skfact", times_of(ours, "skfact")),
            Line("norm(A)", "floor", times_of(ours, "norm(A)")),
            sizes=sorted({row["n"] for row in single}),
            room=2.2,
        )
        axis.set_title(title, loc="left")
    name_axes(axes, "n", "milliseconds")
    return figure


def products(results: dict[str, Any]) -> Figure:
    """Speed-up over the dense product against the batch: one panel for each matrix and size."""
    found = cells([r for r in results["apply"] if r["threads"] == 1], "matrix", "n", "batch")
    matrices = [name for name in MATRICES if any(key[0] == name for key in found)]
    sizes = sorted({key[1] for key in found})
    figure, axes = plt.subplots(
        len(matrices),
        len(sizes),
        sharex="col",
        sharey=True,
        figsize=(WIDTH, 5.4),
        squeeze=False,
        width_ratios=[1] * (len(sizes) - 1) + [1.5],  # room for names
    )
    looks = {"scipy.fft": "scipy", "skfact": "skfact", "": "other"}
    for (row, matrix), (column, n) in product(enumerate(matrices), enumerate(sizes)):
        panel = {b: t for (name, m, b), t in found.items() if (name, m) == (matrix, n)}
        lines(
            axes[row, column],
            *(
                Line(
                    library or "fastest peer",
                    look,
                    {b: panel[b]["dense"]["ms"] / ms for b, ms in times_of(panel, library).items()},
                )
                for library, look in looks.items()
            ),
            named=column == len(sizes) - 1,
            room=60 if column == len(sizes) - 1 else 1.6,
        )
        axes[row, column].axhline(1, color="black", linewidth=1)
        axes[row, column].set_title(f"{MATRICES[matrix]}, n = {n}", loc="left")
    for axis in axes[:, -1]:
        axis.annotate("dense product", (1, 1), (0, 5), textcoords="offset points")
    name_axes(axes, "vectors at once", "times as fast as dense")
    return figure


def chains(results: dict[str, Any]) -> Figure:
    """For each chain the range of the batches, and one vector."""
    rows = results["chains"]
    names = list(dict.fromkeys(row["chain"] for row in rows))
    figure, axis = plt.subplots(figsize=(WIDTH, 3.9))
    for y, name in enumerate(names):
        many = [r["ns"] for r in rows if r["chain"] == name and r["batch"] > 1]
        one = next(r["ns"] for r in rows if r["chain"] == name and r["batch"] == 1)
        axis.plot([min(many), max(many)], [y, y], "-", color=LOOKS["skfact"][0], linewidth=7)
        axis.plot(one, y, "s", color=LOOKS["pyfaust"][0])
        if y == 0:
            batches = sorted({r["batch"] for r in rows if r["batch"] > 1})
            words = f"batches of {batches[0]} to {batches[-1]:,}"
            beside(axis, max(many), y, words)
            beside(axis, one, y, "one vector")
    axis.set(ylim=(len(names) - 0.4, -0.6), yticks=range(len(names)), yticklabels=names)
    axis.set_xlabel("nanoseconds per multiplication")
    logarithmic(axis, "x")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    return figure


def one_vector(results: dict[str, Any]) -> Figure:
    """Microseconds of a product with one vector against n."""
    rows = [r for r in results["apply"] if r["threads"] == r["batch"] == 1]
    found = cells(rows, "matrix", "n")
    matrices = [name for name in MATRICES if any(key[0] == name for key in found)]
    figure, axes = plt.subplots(1, len(matrices), sharey=True, figsize=(WIDTH, 3.6))
    looks = {"dense": "floor", "": "other", "skfact": "skfact", "scipy.fft": "scipy"}
    for axis, matrix in zip(axes, matrices):
        panel = {n: times for (name, n), times in found.items() if name == matrix}
        lines(
            axis,
            *(
                Line(
                    library or "fastest peer",
                    look,
                    {n: 1000 * ms for n, ms in times_of(panel, library).items()},
                )
                for library, look in looks.items()
            ),
            room=3.2,
        )
        axis.set_title(MATRICES[matrix], loc="left")
    name_axes(axes, "n", "microseconds")
    return figure


def first_use(results: dict[str, Any]) -> Figure:
    """Seconds of the steps of the first use, one after the other."""
    figure, axis = plt.subplots(figsize=(WIDTH, 2.4))
    looks = ("lazylinop", "skfact", "scipy")
    for y, state in enumerate(("cold", "warm")):
        steps = results["first use"][state]
        left, parts = 0.0, []
        for (step, seconds), look in zip(steps.items(), looks):
            axis.barh(y, seconds, left=left, color=LOOKS[look][0], height=0.4, edgecolor="white")
            left += seconds
            parts.append(f"{step} {seconds:.2f}")
        axis.text(0, y - 0.38, f"{left:.2f} s = {' + '.join(parts)}", va="center")
    axis.set(yticks=[0, 1], yticklabels=["cold", "warm"], ylim=(1.4, -0.6), xlabel="seconds")
    axis.grid(visible=False, axis="y")
    return figure


def processes(results: dict[str, Any]) -> Figure:
    """Wall time of each surrounding over that of one thread."""
    groups: dict[str, list[Mark]] = {"jobs": [], "grid search": []}
    base: dict[str, float] = {}
    for row in results["processes"]:
        group = "grid search" if "grid" in row["kind"] else "jobs"
        value = row["seconds"] / base.setdefault(group, row["seconds"])
        look = "floor" if value == 1 else "skfact"
        groups[group].append(Mark(row["surrounding"], look, value, f"{value:.2f}"))
    figure, axis = plt.subplots(figsize=(WIDTH, 4.4))
    marks(axis, groups, "wall time, relative to one thread", scale="linear")
    axis.set_xlim(0, 1.1)
    return figure


def disjoint(results: dict[str, Any]) -> Figure:
    """Milliseconds of each contender for each target."""
    looks = {"skfact": "skfact", "NumPy": "other", "pyfaust": "pyfaust"}
    groups = {}
    for (target,), found in cells(results["disjoint"], "target").items():
        groups[f"{target} target"] = [
            Mark(name, look_of(name, looks), row["ms"], f"{time_of(row['ms'])}")
            for name, row in found.items()
        ]
    figure, axis = plt.subplots(figsize=(WIDTH, 4.9))
    marks(axis, groups, "milliseconds")
    return figure


def sweeps(results: dict[str, Any]) -> Figure:
    """Milliseconds against the density."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3.9))
    lines(
        axis,
        *(
            Line(words, look, {100 * row["density"]: row[name] for row in results["sweeps"]})
            for name, words, look in (
                ("start", "start, once", "lazylinop"),
                ("ms", "one sweep", "skfact"),
                ("floor", "floor of a sweep", "floor"),
            )
        ),
        room=2.1,
    )
    axis.set(xlabel="density of the supports, %", ylabel="milliseconds")
    return figure


def permutations(results: dict[str, Any]) -> Figure:
    """Seconds of a search against n: a line for each kind of matrix."""
    looks = {"DFT": "skfact", "Hadamard": "scipy", "butterfly": "lazylinop"}
    looks["normal values"] = "pyfaust"
    rows = [row for row in results["rows"] if row["noise"] == 0.01 and row["n"] & row["n"] - 1 == 0]
    figure, axis = plt.subplots(figsize=(WIDTH, 4))
    lines(
        axis,
        *(
            Line(name, look, {r["n"]: r["median seconds"] for r in rows if r["matrix"] == name})
            for name, look in looks.items()
        ),
        room=2.5,
    )
    axis.set(xlabel="n", ylabel="seconds")
    return figure


def structure(results: dict[str, Any]) -> Figure:
    """The error that was found against that of an exhaustive search."""
    figure, axis = plt.subplots(figsize=(WIDTH, 4))
    exhaustive = [max(row["exhaustive"], 1e-6) for row in results["rows"]]
    found = [max(row["normal"], 1e-6) for row in results["rows"]]
    axis.plot([1e-6, 1], [1e-6, 1], color="0.6", linewidth=0.8)
    axis.plot(exhaustive, found, "o", markersize=4, alpha=0.6)
    axis.set(xscale="log", yscale="log", xlabel="exhaustive search", ylabel='supports="auto"')
    return figure


def onnx_models(results: dict[str, Any]) -> Figure:
    """Speed-up over the dense model against the number of rows: one panel for each size."""
    found = cells(results["onnx"], "n", "kind", "batch")
    ratios = {key: t["dense"]["ms"] / t["factors"]["ms"] for key, t in found.items()}
    return against_rows(ratios, "times as fast as dense")


def c_source(results: dict[str, Any]) -> Figure:
    """Time of the C function over that of `apply` against the number of rows, for each size."""
    found = cells(results["c"], "n", "kind", "dtype", "batch")
    ratios = {
        (n, f"{kind}, {dtype}", batch): t["C"]["ms"] / t["apply"]["ms"]
        for (n, kind, dtype, batch), t in found.items()
    }
    return against_rows(ratios, "time over that of apply")


def against_rows(ratios: dict[tuple[int, str, int], float], label: str) -> Figure:
    """Ratios by (n, name, number of rows): one panel for each n, one line for each name."""
    sizes = sorted({n for n, _, _ in ratios})
    looks = dict(zip(dict.fromkeys(name for _, name, _ in ratios), LOOKS))
    figure, axes = plt.subplots(1, len(sizes), sharey=True, figsize=(WIDTH, 4), squeeze=False)
    for axis, n in zip(axes[0], sizes):
        lines(
            axis,
            *(
                Line(
                    name,
                    look,
                    {b: ratio for (m, k, b), ratio in ratios.items() if (m, k) == (n, name)},
                )
                for name, look in looks.items()
            ),
            room=20,
        )
        axis.set_title(f"n = {n:,}")
    name_axes(axes, "rows", label)
    return figure


def random_projection(results: dict[str, Any]) -> Figure:
    """Milliseconds against the number of components: one panel for each number of features."""
    found = cells([row for row in results["speed"] if row["dtype"] == "float64"], "n", "k")
    sizes = sorted({n for n, _ in found})
    looks = {"fast": "skfact", "Gaussian": "pyfaust", "sparse": "scipy"}
    figure, axes = plt.subplots(1, len(sizes), sharey=True, figsize=(WIDTH, 3.8), squeeze=False)
    for axis, n in zip(axes[0], sizes):
        lines(
            axis,
            *(
                Line(name, look, {k: t[name]["ms"] for (m, k), t in found.items() if m == n})
                for name, look in looks.items()
            ),
            room=3,
        )
        axis.set_title(f"n = {n:,} features")
    name_axes(axes, "components", "milliseconds")
    return figure


def compression(results: dict[str, Any]) -> Figure:
    """Quality against the share of the numbers: one panel for each network."""
    looks = {
        "compress": ("compress", "skfact"),
        "low rank, weighted": ("low rank", "scipy"),
        "Monarch": ("Monarch", "lazylinop"),
        "pruning, weighted": ("pruning", "pyfaust"),
    }
    networks = results["networks"]
    figure, axes = plt.subplots(1, len(networks), figsize=(WIDTH, 3.6), width_ratios=(1, 1, 1.45))
    titles = {"digits": "Digits", "magika": "Magika", "minilm": "MiniLM"}
    for axis, (name, case) in zip(axes, networks.items()):
        quality, original = next(iter(case["before"].items()))
        for way, (words, look) in looks.items():
            best: dict[float, float] = {}  # however the way spends its budget
            for row in case["rows"]:
                if row["way"] == way:
                    share = 100 * row["density"]
                    best[share] = max(row["quality"][quality], best.get(share, 0.0))
            if not best:
                continue
            points = sorted(best.items())
            colour, marker = LOOKS[look]
            axis.plot(*zip(*points), marker=marker, color=colour)
            if axis is axes[-1]:
                beside(axis, *points[-1], words).set_gid("end")
        axis.axhline(original, color="black", linewidth=1)
        logarithmic(axis, "x")
        axis.xaxis.set_major_locator(FixedLocator([10, 25, 50]))
        axis.set(xlabel="% of the numbers", ylabel=quality, ylim=(min(0, axis.get_ylim()[0]), 1.03))
        axis.set_title(titles[name], loc="left")
    axes[-1].set_xlim(None, 160)
    return figure


def palm(results: dict[str, Any]) -> Figure:
    """Milliseconds against n: one panel for each task."""
    tasks = cells(results["rows"], "task", "n")
    names = list(dict.fromkeys(task for task, _ in tasks))
    figure, axes = plt.subplots(1, len(names), sharey=True, figsize=(WIDTH, 4.2))
    looks = {
        "pyfaust": ("pyfaust", "pyfaust"),
        "skfact, identity start": ("identity start", "other"),
        "skfact": ("skfact", "skfact"),
        "butterfly_factorize": ("closed form", "scipy"),
    }
    for axis, task in zip(axes, names):
        found = {n: times for (name, n), times in tasks.items() if name == task}
        known = {contender for times in found.values() for contender in times}
        lines(
            axis,
            *(
                Line(words, look, {n: times[contender]["ms"] for n, times in found.items()})
                for contender, (words, look) in looks.items()
                if contender in known
            ),
            room=5.5,
        )
        axis.set_title(task, loc="left")
    name_axes(axes, "n", "milliseconds")
    return figure


def training(results: dict[str, Any]) -> Figure:
    """Seconds of each contender for each data set, with the score."""
    looks = {"Ridge": "other", "skfact": "skfact", "PyTorch": "PyTorch"}
    groups = {}
    for (task,), found in cells(results["rows"], "task").items():
        groups[f"data: {task}"] = [
            Mark(name, look_of(name, looks), row["seconds"] or results["cap"], score(row, results))
            for name, row in found.items()
        ]
    figure, axis = plt.subplots(figsize=(WIDTH, 4.4))
    marks(axis, groups, "seconds")
    return figure


def score(row: dict[str, Any], results: dict[str, Any]) -> str:
    """What stands beside a time of training."""
    if row["seconds"] is None:
        return f"over {results['cap']:.0f} s"
    return f"{row['seconds']:.2f} s" + (f", R² {row['r2']:.3f}" if "r2" in row else "")


def path_norm(results: dict[str, Any]) -> Figure:
    """The path norm beside a forward pass."""
    looks = {"path_norm": "skfact", "PyTorch": "PyTorch", "predict": "other"}
    groups: dict[str, list[Mark]] = {}
    for row in results["norms"] + results["graphs"]:
        if row["threads"] == 1:
            name = row["what"].replace("l1 path norm of a ", "").replace("l1 path norm", "layers")
            words = row["contender"]
            words = {"PyTorch": "forward pass, PyTorch", "predict, one row": "forward pass"}.get(
                words, words
            )
            mark = Mark(words, look_of(row["contender"], looks), row["ms"], time_of(row["ms"]))
            groups.setdefault(f"{name}, {row['dtype']}", []).append(mark)
    figure, axis = plt.subplots(figsize=(WIDTH, 4.6))
    marks(axis, groups, "milliseconds", scale="linear")
    return figure


def functions(results: dict[str, Any]) -> Figure:
    """Milliseconds against width and against depth."""
    rows = results["scaling"]
    looks = {"top_paths": "pyfaust", "equalize": "lazylinop", "path_sketch": "scipy"}
    looks["path_norm"] = "skfact"
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(WIDTH, 4))
    depth, width = min(r["depth"] for r in rows), sorted({r["width"] for r in rows})
    width = next(w for w in width if len({r["depth"] for r in rows if r["width"] == w}) > 1)
    for axis, name, fixed, value in zip(
        axes, ("width", "depth"), ("depth", "width"), (depth, width)
    ):
        chosen = [row for row in rows if row[fixed] == value]
        lines(
            axis,
            *(
                Line(
                    contender,
                    look,
                    {r[name]: r["ms"] for r in chosen if r["contender"].startswith(contender)},
                )
                for contender, look in looks.items()
            ),
            room=4.5,
        )
    name_axes(axes, "", "milliseconds")
    axes[0].set(xlabel="width", title=f"{depth} hidden layers")
    axes[1].set(xlabel="hidden layers", title=f"width {width}")
    return figure


def embedding(results: dict[str, Any]) -> Figure:
    """Milliseconds, and memory of the result and on the way."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    times: dict[str, list[Mark]] = {}
    memory: dict[str, list[Mark]] = {}
    for row in results["embedding"]:
        name = f"{row['shape'][1]:,} features"
        look = "skfact" if row["contender"] == "dense" else "pyfaust"
        words, ms = row["contender"], row["ms"]
        times.setdefault(name, []).append(Mark(words, look, ms, time_of(ms)))
        memory.setdefault(name, []).append(
            Mark(words, look, row["peak"], f"{three(row['peak'])}, result {three(row['result'])}")
        )
    marks(axes[0], times, "milliseconds", scale="linear")
    marks(axes[1], memory, "MiB allocated at the peak", scale="linear")
    for axis in axes:
        axis.set_xlim(0, 1.75 * axis.dataLim.x1)
    return figure


def torch_layers(results: dict[str, Any]) -> Figure:
    """Milliseconds of a step of training against the batch: a panel for each question and size."""
    looks = {"skfact": "skfact", "peft": "pyfaust", "dense": "PyTorch", "frozen": "floor"}
    found = cells(results["rows"], "question", "n", "batch")
    sizes = sorted({n for _, n, _ in found})
    questions = {"training": "A layer", "rotation": "Rotated inputs"}
    figure, axes = plt.subplots(len(sizes), 2, figsize=(WIDTH, 6.5), squeeze=False)
    for row, n in zip(axes, sizes):
        for axis, (question, title) in zip(row, questions.items()):
            panel = {b: c for (q, size, b), c in found.items() if (q, size) == (question, n)}
            names = list(next(iter(panel.values())))
            drawn = (
                Line(name, look_of(name, looks), {b: c[name]["ms"] for b, c in panel.items()})
                for name in names
            )
            lines(axis, *drawn, room=8.0)
            axis.set_title(f"{title}, n = {n:,}")
    name_axes(axes, "batch", "milliseconds")
    return figure


def transforms(results: dict[str, Any]) -> Figure:
    """Our time over SciPy's against the batch: a panel for each size, a line for each transform."""
    found = cells(results["rows"], "transform", "n", "batch")
    sizes, names = sorted({n for _, n, _ in found}), list(dict.fromkeys(key[0] for key in found))
    figure, axes = plt.subplots(1, len(sizes), sharey=True, figsize=(WIDTH, 4.0), squeeze=False)
    for axis, n in zip(axes[0], sizes):
        drawn = (Line(name, look, ratios(found, name, n)) for name, look in zip(names, LOOKS))
        lines(axis, *drawn, room=6.0)
        axis.set_title(f"n = {n:,}")
    name_axes(axes, "batch", "time over SciPy's")
    return figure


def inverse_problems(results: dict[str, Any]) -> Figure:
    """Milliseconds of a solution against the unknowns: a panel for each problem."""
    found = cells(results["rows"], "problem", "n")
    problems = list(dict.fromkeys(problem for problem, _ in found))
    figure, axes = plt.subplots(1, len(problems), sharey=True, figsize=(WIDTH, 3.4), squeeze=False)
    for axis, problem in zip(axes[0], problems):
        panel = {float(n): pair for (name, n), pair in found.items() if name == problem}
        lines(
            axis,
            *(
                Line(name, look, {n: p[name]["ms"] for n, p in panel.items() if name in p})
                for name, look in (("matrix", "floor"), ("operator", "skfact"))
            ),
            sizes=sorted(panel),
            room=6.0,
        )
        axis.set_title(problem)
    name_axes(axes, "unknowns", "milliseconds")
    return figure


def ratios(found: Any, name: str, n: int) -> dict[float, float]:
    """Our time over SciPy's for one transform and size, by batch."""
    ms = {b: c for (transform, size, b), c in found.items() if (transform, size) == (name, n)}
    return {b: c["skfact"]["ms"] / c["scipy.fft"]["ms"] for b, c in ms.items()}


def times_of(panel: dict[float, dict[str, dict[str, Any]]], library: str) -> dict[float, float]:
    """The milliseconds of a library, or of the fastest peer, where it was measured."""
    found = {x: fastest(contenders, library) for x, contenders in panel.items()}
    return {x: best[1] for x, best in found.items() if best}


def lines(
    axis: Axes,
    *drawn: Line,
    named: bool = True,
    room: float = 1.0,
    sizes: list[float] | None = None,
) -> None:
    """Lines on logarithmic axes, with names at their ends; `room` for these, as a factor of x."""
    drawn = tuple(line for line in drawn if line.points)
    xs = sizes or sorted({x for line in drawn for x in line.points})
    for line in drawn:
        colour, marker = LOOKS[line.look]
        points = sorted(line.points.items())
        axis.plot(*zip(*points), marker=marker, color=colour)
    logarithmic(axis, "x")
    logarithmic(axis, "y")
    low, high = axis.get_ylim()
    if high < 200 * low:  # powers of ten alone would be too few
        some = (1, 1.5, 2, 3, 5, 7) if high < 8 * low else (1, 2, 5)
        axis.yaxis.set_major_locator(LogLocator(subs=some))
    axis.xaxis.set_major_locator(FixedLocator(xs))
    axis.set_xlim(xs[0] / (xs[-1] / xs[0]) ** 0.08, xs[-1] * max(room, 1.25))
    if named:
        for line in drawn:
            x = max(line.points)
            beside(axis, x, line.points[x], line.words).set_gid("end")


def spread(figure: Figure) -> None:
    """Move the names at the ends of lines apart where they would overlap."""
    figure.draw_without_rendering()
    points = 72 / figure.dpi
    for axis in figure.axes:
        names = [text for text in axis.texts if text.get_gid() == "end"]
        ys = [points * axis.transData.transform(text.xy)[1] for text in names]
        order = sorted(range(len(names)), key=ys.__getitem__)
        apart = list(ys)
        for low, high in [*pairwise(order)] * 30:  # until neighbours of neighbours have room, too
            missing = 13 - (apart[high] - apart[low])
            if missing > 0:  # half down, half up
                apart[low] -= missing / 2
                apart[high] += missing / 2
        for name, before, after in zip(names, ys, apart):
            name.xyann = (9, after - before)


def marks(axis: Axes, groups: dict[str, list[Mark]], label: str, scale: str = "log") -> None:
    """A mark for each value, in groups under a bold name, with its words to the right."""
    ticks, names, y = [], [], 0.0
    for group, found in groups.items():
        axis.text(0, y, group, transform=axis.get_yaxis_transform(), weight="bold", va="center")
        for mark in found:
            y += 1
            colour, marker = LOOKS[mark.look]
            axis.plot(mark.value, y, marker, color=colour, markersize=8)
            beside(axis, mark.value, y, mark.text)
            ticks.append(y)
            names.append(mark.words)
        y += 1.25
    axis.set(yticks=ticks, yticklabels=names, ylim=(y - 0.6, -0.7), xlabel=label)
    values = [mark.value for found in groups.values() for mark in found]
    if scale == "log":
        logarithmic(axis, "x")
        axis.set_xlim(min(values) / 1.6, max(values) * 6)
    else:
        axis.set_xlim(0, 1.25 * max(values))


def beside(axis: Axes, x: float, y: float, words: str) -> Annotation:
    return axis.annotate(words, (x, y), (9, 0), textcoords="offset points", va="center")


def logarithmic(axis: Axes, which: str) -> None:
    """A logarithmic axis with plain numbers."""
    axis.set(**{f"{which}scale": "log"})
    ticks = getattr(axis, f"{which}axis")
    ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ticks.set_minor_locator(NullLocator())


def name_axes(axes: Any, x: str, y: str) -> None:
    """Names at the left and the bottom of a grid of panels."""
    axes = axes.reshape(-1, axes.shape[-1])
    for axis in axes[-1]:
        axis.set_xlabel(x)
    for axis in axes[:, 0]:
        axis.set_ylabel(y)


def look_of(name: str, looks: dict[str, str]) -> str:
    return next(look for start, look in looks.items() if name.startswith(start))


FIGURES: dict[str, Iterable[Callable[[dict[str, Any]], Figure]]] = {
    "butterfly": (factoring, products, chains, one_vector, first_use, processes),
    "permutations": (permutations,),
    "structure": (structure,),
    "compression": (compression,),
    "fixed_support": (disjoint, sweeps),
    "deep_linear_palm": (palm,),
    "deep_linear_training": (training,),
    "relu": (path_norm, functions, embedding),
    "export": (onnx_models, c_source),
    "torch_layers": (torch_layers,),
    "transforms": (transforms,),
    "random_projection": (random_projection,),
    "inverse_problems": (inverse_problems,),
}


def write(folder: Path) -> None:
    """Draw all figures into `folder`, as `benchmark_QUESTION.svg`."""
    for name, questions in FIGURES.items():
        path = ROOT / "benchmarks" / "results" / f"{name}.json"
        results = json.loads(path.read_text(encoding="utf-8"))
        for question in questions:
            with plt.rc_context(STYLE):
                figure = question(results)
                spread(figure)
                drawn = io.StringIO()
                figure.savefig(drawn, format="svg", metadata={"Date": None})
                plt.close(figure)
            # where that font is missing, one that is as wide
            text = drawn.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
            path = folder / f"benchmark_{question.__name__}.svg"
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent / "generated")
