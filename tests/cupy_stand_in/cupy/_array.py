"""The array: memory of a device, which NumPy computes with and the host may not look into."""

from __future__ import annotations

import operator
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from cupy._ledger import ledger
from cupy.cuda import Device, current_device
from cupy.cuda.memory import OutOfMemoryError


class Memory:
    """What one allocation took, of which there may be many views."""

    taken: Counter[int] = Counter()  # bytes, by device
    of: WeakValueDictionary[int, Memory] = WeakValueDictionary()  # by id of the owner
    size = 0

    def __init__(self, owner: np.ndarray) -> None:
        self.owner, self.device = owner, current_device()
        if owner.nbytes and Memory.taken[self.device] + owner.nbytes > ledger.limit:
            raise OutOfMemoryError(owner.nbytes, Memory.taken[self.device], ledger.limit)
        self.size = owner.nbytes
        Memory.taken[self.device] += self.size

    def __del__(self) -> None:
        Memory.taken[self.device] -= self.size


def wrapped(host: Any) -> Any:
    """Results of NumPy: where their memory is, or on the current device if it is new."""
    if isinstance(host, tuple):
        return tuple(wrapped(part) for part in host)
    host = owner = np.asarray(host)
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    memory = Memory.of.get(id(owner))
    if memory is None:
        memory = Memory(owner)
        Memory.of[id(owner)] = memory
    array = ndarray.__new__(ndarray)
    array.on_host, array.memory = host, memory
    return array


def unwrapped(value: Any, function: str) -> Any:
    """Arguments for NumPy; what CuPy refuses is refused."""
    if isinstance(value, ndarray):
        if value.memory.device != current_device():
            raise ValueError(
                "Array device must be same as the current device: array device = "
                f"{value.memory.device} while current = {current_device()}"
            )
        return value.on_host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)} in cupy.{function}")
    if isinstance(value, tuple | list):
        return type(value)(unwrapped(part, function) for part in value)
    return value


def launch(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function of NumPy, on the device."""
    ledger.launches[name] += 1
    host = [unwrapped(arg, name) for arg in args]
    with np.errstate(all="ignore"):
        result = function(*host, **{key: unwrapped(arg, name) for key, arg in kwargs.items()})
    moved = _bytes_moved([*args, *kwargs.values()], result)
    ledger.traffic += [moved] if moved else []
    return kwargs["out"] if isinstance(kwargs.get("out"), ndarray) else wrapped(result)


def _bytes_moved(given: Any, result: Any) -> int:
    arrays = {id(array): array.on_host for array in _arrays_of(given)}.values()
    made = result if isinstance(result, tuple) else (result,)
    new = [array for array in made if isinstance(array, np.ndarray)]
    if any(np.may_share_memory(array, other) for array in new for other in arrays):
        return 0
    return sum(array.nbytes for array in [*arrays, *new])


def _arrays_of(value: Any) -> Iterator[ndarray]:
    if isinstance(value, ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _arrays_of(part)


class Pointer(NamedTuple):
    """Where memory starts."""

    ptr: int


class ndarray:
    """An array of a device."""

    on_host: np.ndarray  # what a test compares with; nothing else may look here
    memory: Memory

    # What the host knows without asking the device

    dtype = property(lambda self: self.on_host.dtype)
    shape = property(lambda self: self.on_host.shape)
    ndim = property(lambda self: self.on_host.ndim)
    size = property(lambda self: self.on_host.size)
    nbytes = property(lambda self: self.on_host.nbytes)
    itemsize = property(lambda self: self.on_host.itemsize)
    strides = property(lambda self: self.on_host.strides)
    flags = property(lambda self: self.on_host.flags)
    device = property(lambda self: Device(self.memory.device))
    data = property(lambda self: Pointer(self.on_host.ctypes.data))

    def __len__(self) -> int:
        return len(self.on_host)

    def __iter__(self) -> Iterator[ndarray]:
        return (self[i] for i in range(len(self)))

    # To the host: by name, or one number at a time

    def get(self) -> np.ndarray:
        ledger.to_host.append(self.nbytes)
        ledger.wait("get")
        return self.on_host.copy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def number(self, kind: Callable[[Any], Any]) -> Any:
        ledger.to_host.append(self.nbytes)
        ledger.wait(kind.__name__)
        return kind(self.on_host)

    def __bool__(self) -> bool:
        return self.number(bool)

    def __float__(self) -> float:
        return self.number(float)

    def __int__(self) -> int:
        return self.number(int)

    def __complex__(self) -> complex:
        return self.number(complex)

    def tolist(self) -> Any:
        return self.number(np.ndarray.tolist)

    def __repr__(self) -> str:
        return repr(self.get())

    def __reduce__(self) -> Any:
        return sys.modules["cupy"].array, (self.get(),)

    # NumPy's functions of such arrays are CuPy's

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or any(map(has_the_last_word, inputs)):
            return NotImplemented
        return getattr(sys.modules["cupy"], ufunc.__name__)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = sys.modules[function.__module__.replace("numpy", "cupy")]
        return getattr(module, function.__name__)(*args, **kwargs)

    # Entries and methods

    def __getitem__(self, key: Any) -> Any:
        return launch("getitem", operator.getitem, self, sent(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        waits = getattr(value, "size", 1) > 1  # a mask then counts its entries
        launch("setitem", operator.setitem, self, sent(key, waits), value)

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        if not copy and self.dtype == dtype:
            return self
        return launch("astype", lambda host: host.astype(dtype), self)

    def __invert__(self) -> ndarray:
        return launch("invert", np.invert, self)

    def __neg__(self) -> ndarray:
        return launch("negative", np.negative, self)

    def __abs__(self) -> ndarray:
        return launch("absolute", np.absolute, self)


def has_the_last_word(other: Any) -> bool:
    """Whether the object says that it is no array: CuPy leaves an operation with it to it."""
    return getattr(other, "__array_ufunc__", 0) is None


def sent(key: Any, waits: bool = True) -> Any:
    """An index, with its arrays of the host sent to the device."""
    if isinstance(key, tuple):
        return tuple(sent(part, waits) for part in key)
    if isinstance(key, list | np.ndarray):
        key = sys.modules["cupy"].asarray(key)
    if waits and isinstance(key, ndarray) and key.dtype.kind == "b":
        ledger.wait("mask")  # how many entries are there?
    return key


OPERATORS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
COMPARISONS = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}


def _binary(ufunc: np.ufunc, step: int) -> Callable[[Any, Any], Any]:
    def method(self: ndarray, other: Any) -> Any:
        if has_the_last_word(other):
            return NotImplemented
        return launch(ufunc.__name__, ufunc, *(self, other)[::step])

    return method


def _in_place(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    return lambda self, other: launch(ufunc.__name__, ufunc, self, other, out=self)


def _same(name: str) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: launch(
        name, getattr(np.ndarray, name), self, *args, **kwargs
    )


for name, ufunc in {**OPERATORS, **COMPARISONS}.items():
    setattr(ndarray, f"__{name}__", _binary(ufunc, 1))
for name, ufunc in OPERATORS.items():
    setattr(ndarray, f"__r{name}__", _binary(ufunc, -1))
    setattr(ndarray, f"__i{name}__", _in_place(ufunc))
for name in ("copy", "max", "ravel", "reshape"):
    setattr(ndarray, name, _same(name))
for name in ("T", "mT", "real", "imag"):
    setattr(ndarray, name, property(lambda self, name=name: wrapped(getattr(self.on_host, name))))
