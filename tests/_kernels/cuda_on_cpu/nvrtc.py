"""What NVIDIA's compiler makes of a kernel: registers, spills and loads, without a driver."""

import ctypes
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100")


class Compiled(NamedTuple):
    """What the compiler says about the kernels of a source for one architecture."""

    registers: int
    spilled: int  # bytes stored and loaded
    stack: int  # bytes of local memory
    wide_loads: int  # of 16 bytes, from global memory
    loads: int  # all others from there


@cache
def library() -> ctypes.CDLL | None:
    """The wheel `nvidia-cuda-nvrtc-cu12`; None where it is not installed."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations if spec else ():
        for path in Path(folder).glob("cuda_nvrtc/lib/libnvrtc.so.*"):
            if "alt" not in path.name:
                return ctypes.CDLL(str(path))
    return None


def compile_kernel(code: str, options: tuple[str, ...], architecture: str) -> Compiled:
    """Compile for an architecture as CuPy would, which lets float32 denormals be zero.

    Raises
    ------
    RuntimeError
        If the source does not compile; the message is the compiler's.
    """
    nvrtc, program = library(), ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"kernel.cu", 0, None, None)
    flags = [*options, "-ftz=true", f"--gpu-architecture={architecture}", "--ptxas-options=-v"]
    arguments = (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
    failed = nvrtc.nvrtcCompileProgram(program, len(flags), arguments)
    log = _text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
    if failed:
        raise RuntimeError(log)
    assembly = _text(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    loads = re.findall(r"ld\.global(?:\.nc)?(\.v[24])?\.[a-z](\d+)", assembly)
    widths = [int(vector[2:] or 1) * int(bits) for vector, bits in loads]
    return Compiled(
        registers=max(map(int, _found(r"Used (\d+) registers", log))),
        spilled=sum(map(int, _found(r"(\d+) bytes spill", log))),
        stack=sum(map(int, _found(r"(\d+) bytes stack frame", log))),
        wide_loads=sum(width == 128 for width in widths),
        loads=sum(width < 128 for width in widths),
    )


def _text(size_of: ctypes.CDLL, read: ctypes.CDLL, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    size_of(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    read(program, buffer)
    return buffer.value.decode()


def _found(pattern: str, log: str) -> list[str]:
    found = re.findall(pattern, log)
    if not found:
        raise RuntimeError(f"The compiler does not say {pattern!r}:\n{log}")
    return found
