"""Kernels of CUDA run on the CPU: built by g++, called as CuPy does, watched by sanitizers."""

import atexit
import ctypes
import hashlib
import math
import mmap
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import NUMPY
from skfact._kernels.apply import cuda as apply
from skfact._kernels.low_rank_blocks import cuda as low_rank_blocks

HERE = Path(__file__).parent
SANITIZERS = {"thread": ("thread",), "address": ("address", "undefined")}
FLAGS = ("-std=c++20", "-pthread", "-w", "-fno-strict-aliasing", "-I", str(HERE))


def usable() -> bool:
    """Whether there is a compiler, with the sanitizers of Linux."""
    return sys.platform == "linux" and shutil.which("g++") is not None


@cache
def folder() -> Path:
    """Where binaries go, as long as the process lives."""
    path = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def kernels_of(code: str) -> list[str]:
    """Names of the kernels of a source.

    Raises
    ------
    ValueError
        If it has none, or one without launch bounds.
    """
    names = re.findall(r"__global__\s+void\s+__launch_bounds__\([^)]*\)\s*(\w+)\(", code)
    if not names or len(names) != code.count("__global__"):
        raise ValueError(
            f"Of {code.count('__global__')} kernels of the source these have launch bounds: {names}"
        )
    return names


@cache
def build(code: str, options: tuple[str, ...], *flags: str) -> Path:
    """A binary of the kernels of a source."""
    names = kernels_of(code)
    kernels = "".join(f"KERNEL({name})" for name in names)
    key = hashlib.sha256(repr((code, options, flags)).encode()).hexdigest()[:16]
    source, binary = folder() / f"{key}.cpp", folder() / key
    source.write_text(f'#include "cuda.hpp"\n{code}\n#include "seam.hpp"\n', "utf-8")
    macros = [option for option in options if option.startswith("-D")]
    command = ["g++", *FLAGS, f"-DKERNELS={kernels}", *macros, *flags, "-o", binary, source]
    subprocess.run(command, check=True, timeout=120)
    return binary


class Launch(NamedTuple):
    """One launch, as a program reads it from a file."""

    code: str
    options: tuple[str, ...]
    name: str
    record: bytes


def with_few_threads(monkeypatch: Any) -> None:
    """Blocks of 32 threads, which have several rows each, and cost less at barriers."""
    few = partial(apply.lay_out, tuning=apply.Tuning(threads=32))
    monkeypatch.setattr(apply, "lay_out", few)
    monkeypatch.setattr(low_rank_blocks, "THREADS", 32)
    monkeypatch.setattr(low_rank_blocks, "SUMMING", 32)


class Device:
    """A device of NumPy arrays that has the attributes of a graphics card."""

    id = 0

    def __init__(self, memory: int = 232448, multiprocessors: int = 132) -> None:
        facts = {"MaxSharedMemoryPerBlockOptin": memory, "MultiProcessorCount": multiprocessors}
        self.attributes = facts

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class RawModule:
    """CuPy's class of this name, for arrays of NumPy or with a pointer `data.ptr`."""

    def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
        self.code, self.options = code, options

    def get_function(self, name: str) -> "Kernel":
        return Kernel(self.code, self.options, name)


class Kernel:
    """A kernel that runs on the CPU."""

    max_dynamic_shared_size_bytes = 48 * 1024
    last_block_only = False  # as if the others had run

    def __init__(self, code: str, options: tuple[str, ...], name: str) -> None:
        self.code, self.options, self.name = code, options, name

    def __call__(
        self,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        args: tuple[Any, ...],
        *,
        shared_mem: int = 0,
    ) -> None:
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        binary = build(self.code, self.options, "-O0", "-shared", "-fPIC")
        memory = [pointer_or_value(argument) for argument in args]
        arguments = (ctypes.c_void_p * len(args))(*(ctypes.addressof(m) for m in memory))
        first = grid[0] - 1 if self.last_block_only else 0
        counts = (ctypes.c_uint(count) for count in (first, grid[0], block[0]))
        sizes = *counts, ctypes.c_size_t(shared_mem)
        getattr(ctypes.CDLL(str(binary)), f"launch_{self.name}")(arguments, *sizes)


def by_value(argument: Any) -> bool:
    """Numbers and structs are passed themselves, arrays by a pointer to them."""
    return isinstance(argument, np.generic | np.ndarray) and argument.ndim == 0


def pointer_or_value(argument: Any) -> Any:
    """Memory that holds what the kernel is given."""
    if by_value(argument):
        return ctypes.create_string_buffer(argument.tobytes())
    if argument is None:
        return ctypes.c_void_p()
    address = argument.ctypes.data if isinstance(argument, np.ndarray) else argument.data.ptr
    return ctypes.c_void_p(address)


class Recorder(RawModule):
    """Keeps launches in place of running them."""

    launches: list[Launch]

    def get_function(self, name: str) -> Any:
        module = self

        class Recording(Kernel):
            def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
                parts = [struct.pack("4q", grid[0], block[0], shared_mem, len(args))]
                parts += [described(argument) for argument in args]
                module.launches.append(Launch(module.code, module.options, name, b"".join(parts)))

        return Recording(self.code, self.options, name)


def described(argument: Any) -> bytes:
    """An argument with its contents, from its first entry to its last and no further."""
    if argument is None:
        return struct.pack("3q", 0, 0, -1)
    if by_value(argument):
        contents = argument.tobytes()
        return struct.pack("3q", 1, len(contents), 0) + contents
    start, end = np.lib.array_utils.byte_bounds(argument) if argument.size else (0, 0)
    contents = ctypes.string_at(start, end - start) if end > start else b""
    return struct.pack("3q", 0, len(contents), start % 16) + contents


def sanitize(launches: list[Launch], which: str, *, code: str | None = None, skip: int = -1) -> str:
    """Run launches of one module under a sanitizer; "" or what it has to say.

    `code` takes the place of the source, and barrier number `skip` is left out of every block.
    """
    source, options, name, _ = launches[0]
    assert all(launch[:3] == launches[0][:3] for launch in launches)
    flags = [f"-fsanitize={each}" for each in SANITIZERS[which]]
    binary = build(code or source, options, "-DPROGRAM", "-O0", "-g1", *flags)
    path = folder() / "launches"
    path.write_bytes(b"".join(launch.record for launch in launches))
    ended = subprocess.run(
        [binary, path, str(skip), name],
        env={"TSAN_OPTIONS": "halt_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ended.returncode == 0 and ended.stdout == f"{len(launches)} launches done\n":
        return ""
    return f"{ended.stdout}{ended.stderr}" or f"ended with {ended.returncode}"


def vast(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that take no memory until they are written, after as many bytes as an int can be off.

    Raises
    ------
    OSError
        If the system does not give away so much of its address space.
    """
    count, before = math.prod(shape), 2**31
    size = (before + count) * np.dtype(dtype).itemsize
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
    memory = mmap.mmap(-1, size, flags=flags)
    return np.frombuffer(memory, dtype)[before:].reshape(shape)


class Namespace:
    """NumPy with a `RawModule`, as if its arrays were on a device."""

    cuda = SimpleNamespace(
        runtime=SimpleNamespace(is_hip=False),
        get_current_stream=lambda: SimpleNamespace(synchronize=lambda: None),
    )

    def __init__(self, raw_module: Any = RawModule) -> None:
        self.RawModule = raw_module

    def __getattr__(self, name: str) -> Any:
        return getattr(NUMPY, name)
