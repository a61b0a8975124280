"""What stands for a device in the tests of kernels says so where it has not run one."""

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from skfact._kernels import _cuda
from tests._kernels.cuda_on_cpu import emulation

KERNELS = _cuda.COMMON.parent
ROOT = Path(__file__).parents[2]
on_cpu = pytest.mark.skipif(not emulation.usable(), reason="g++ is not installed")
SCALE = """\
extern "C" __global__ void __launch_bounds__(32) scale(float* x, float s)
{
    x[blockIdx.x * blockDim.x + threadIdx.x] *= s;
}
"""


@on_cpu
def test_a_launch_of_no_kernel_is_not_taken_for_a_sound_one(recorder):
    kernel = emulation.Recorder(code=SCALE, options=()).get_function("scale")
    for _ in range(2):
        kernel((2,), (4,), (np.ones(8, "float32"), np.float32(3)))
    assert emulation.sanitize(recorder.launches, "address") == ""
    short = [recorder.launches[0], recorder.launches[1]._replace(record=b"")]
    assert "1 launches done" in emulation.sanitize(short, "address")
    other = [launch._replace(name="scales") for launch in recorder.launches]
    assert "no kernel is named scales" in emulation.sanitize(other, "address")


def test_kernels_have_launch_bounds():
    assert emulation.kernels_of(SCALE) == ["scale"]
    for wrong in ("", SCALE.replace("__launch_bounds__(32) ", "")):
        with pytest.raises(ValueError, match="launch bounds"):
            emulation.kernels_of(wrong)


def test_the_page_of_kernels_says_no_more_than_is_known(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "doc")
    page = run_path(str(ROOT / "doc" / "cuda_kernels.py"))
    sources = {source.folder: source for source in page["sources"]()}
    assert {path.parent.name for path in KERNELS.glob("*/*.cu")} == set(sources)
    assert sources["low_rank_blocks"].kernels == ["split_rank_one", "summarize"]
    source, text = sources["apply"], _cuda.code(sources["apply"].module.SOURCE)
    rows = [{"source": "apply", "dtype": "float32"}]
    results = {
        "date": "today",
        "device": {"name": "a card"},
        "sources": {"apply": page["digest"](text)},
        "sections": {"correctness": {"state": "done", "rows": rows}},
    }
    mark = page["on_device"]
    assert mark(source, "float32", results) == "a card, today"
    assert mark(source, "float64", results) == "none yet"
    assert mark(sources["low_rank_blocks"], "float32", results) == "none yet"
    changed = results | {"sources": {"apply": page["digest"](text + " ")}}
    assert mark(source, "float32", changed) == "none since the source changed"
    wrong = {"correctness": {"state": "failed: 200 eps", "rows": rows}}
    assert mark(source, "float32", results | {"sections": wrong}) == "none yet"
    assert mark(source, "float32", results | {"device": None}) == "none yet"
