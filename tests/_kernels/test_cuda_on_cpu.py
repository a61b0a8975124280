"""What stands for a device in the tests of kernels says so where it has not run one."""

import numpy as np
import pytest

from tests._kernels.cuda_on_cpu import emulation

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
