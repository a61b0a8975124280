"""Operators in files: NumPy's .npz format, without pickle and without trust in what is read."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from math import prod
from typing import Any

import numpy as np

from skfact._inputs import FLOATING, dtype_name
from skfact.operators._factors import Factor

FORMATS = {
    "product": "skfact.operators.FactorizedOperator",
    "sum": "skfact.operators.OperatorSum",  # also says how many factors each term has
}
VERSION = 1
HEADER = "header"  # member with the description of all others: JSON, as an array of bytes
# What unreadable files raise inside zipfile, json, struct and numpy. OSError is a seek to nowhere:
# opening the file happens outside.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def save(
    terms: Sequence[Sequence[Factor]], dtype: Any, kind: str, path: str | os.PathLike[str]
) -> None:
    """Write the factors of all terms to exactly `path`: all of them, or what stands there stays."""
    name = path_name(path)
    described = []
    arrays: dict[str, np.ndarray] = {}
    for position, factor in enumerate(chain.from_iterable(terms)):
        description, parts = factor._described()
        described.append(description)
        arrays |= {member(position, name): part for name, part in parts.items()}
    header: dict[str, Any] = {
        "format": FORMATS[kind],
        "version": VERSION,
        "dtype": dtype_name(dtype),
        "factors": described,
    }
    if kind == "sum":
        header["terms"] = [len(factors) for factors in terms]
    arrays[HEADER] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    with written_whole(name) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def path_name(path: Any) -> str:
    """The path as text."""
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path must be a str or path-like, got {path!r}.") from None


@contextmanager
def written_whole(path: str) -> Iterator[Any]:
    """A file to write to, which takes the place of a regular one at the end, if there is no error.

    Links stay and lead to the new file, which has the permissions of the old one. What is no
    regular file, such as a pipe or a device, is written to directly.
    """
    target = replaceable(path)
    if target is None:
        buffer = io.BytesIO()  # a .zip is written back and forth
        yield buffer
        with open(path, "wb") as file:
            file.write(buffer.getbuffer())
        return
    exists = os.path.exists(target)
    if exists:
        os.close(os.open(target, os.O_WRONLY))  # what may not be written to is not replaced either
    beside = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if exists:
            keep_owner_and_mode(target, beside)
        os.replace(beside, target)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError) and error.filename == beside:
            raise OSError(error.errno, error.strerror, path) from error
        raise


def keep_owner_and_mode(old: str, new: str) -> None:
    """Give the new file the owner, where we may, and the permissions of the old one."""
    there = os.stat(old)
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(new, there.st_uid, there.st_gid)
    shutil.copymode(old, new)


def replaceable(path: str) -> str | None:
    """The regular file, or the free place for one, that the path leads to; None if neither."""
    if not os.path.basename(path):
        return None
    target = os.path.realpath(path)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return target
    # an open file that has no name any more is reached by its path, but not by what that stands for
    named = os.path.exists(target) and os.path.samestat(there, os.stat(target))
    return target if stat.S_ISREG(there.st_mode) and named else None


def member(position: int, name: str) -> str:
    """Name of an array of the factor at `position`."""
    return f"factor{position}_{name}"


Builders = dict[str, Callable[[list[list[Factor]], np.dtype], Any]]  # by the kind of operator


def load(path: str | os.PathLike[str], builders: Builders) -> Any:
    """What the builder of its kind makes of the terms in a file; `ValueError` if there are none."""
    path = path_name(path)
    with open(path, "rb", opener=open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(
                f"path={path!r} is no regular file but a device, a pipe or the like, whose size "
                "is not known before it is read: copy it to a file first."
            )
        try:
            kind, terms, dtype = read(file)
            if kind in builders:
                return builders[kind](terms, dtype)
        except UNREADABLE as error:
            raise ValueError(
                f"{path!r} holds no readable operator ({type(error).__name__}: {error}). It is "
                "corrupted or truncated, or was not written by the method save of an operator."
            ) from error
    raise ValueError(
        f"{path!r} holds another kind of operator, {FORMATS[kind]}: read it by its method load, or "
        "by load_operator, which takes all kinds."
    )


def open_at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody to write to a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read(file: Any) -> tuple[str, list[list[Factor]], np.dtype]:
    """Read the kind of operator, the factors of all its terms and their dtype from a file."""
    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        # members are stored as they are, so they cannot be larger than the file, alone or together
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("a member is compressed")
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("the members are larger than the file")
        if len({entry.filename for entry in entries}) != len(entries):
            raise ValueError("two members have the same name")
        length = archive.getinfo(f"{HEADER}.npy").file_size
        header = json.loads(read_array(archive, HEADER, np.dtype(np.uint8), (None,)).tobytes())
        kinds = [kind for kind, name in FORMATS.items() if name == header["format"]]
        if not kinds or header["version"] != VERSION:
            raise ValueError(f"format {header['format']!r}, version {header['version']!r}")
        if header["dtype"] not in FLOATING:
            raise ValueError(f"dtype {header['dtype']!r}")
        if len(header["factors"]) > length:
            raise ValueError("more factors than the header has room for")
        dtype = np.dtype(header["dtype"])
        saved = [
            SavedFactor(archive, position, description, dtype)
            for position, description in enumerate(header["factors"])
        ]
        factors = [Factor._kinds[s.description["kind"]]._read(s) for s in saved]
        used = {f"{HEADER}.npy"}.union(*(s.used for s in saved))
        if used != {entry.filename for entry in entries}:
            raise ValueError("there are members that the header does not mention")
    counts = header["terms"] if kinds == ["sum"] else [len(factors)]
    return kinds[0], split(factors, counts), dtype


def split(factors: list[Factor], counts: list[int]) -> list[list[Factor]]:
    """The factors of each term, of which the header states how many there are."""
    if any(type(count) is not int or count < 1 for count in counts) or sum(counts) != len(factors):
        raise ValueError(f"terms of {counts} factors")
    remaining = iter(factors)
    return [list(islice(remaining, count)) for count in counts]


class SavedFactor:
    """One factor in a file, as described in its header; `used` are the members read."""

    def __init__(
        self, archive: zipfile.ZipFile, position: int, description: dict[str, Any], dtype: np.dtype
    ) -> None:
        self.archive, self.position = archive, position
        self.description, self.dtype = description, dtype
        self.used: set[str] = set()

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the factor as a matrix, as stated."""
        n_out, n_in = (self.size(side) for side in self.description["shape"])
        return n_out, n_in

    def size(self, value: Any, least: int = 1) -> int:
        """An int from the header, checked."""
        if type(value) is not int or value < least:
            raise ValueError(f"{value!r} where a size should be")
        return value

    def numbers(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """An array of the operator's dtype."""
        return self._array(name, self.dtype, shape)

    def integers(self, name: str, size: int) -> np.ndarray:
        """A list of indices."""
        return self._array(name, np.dtype(np.int64), (size,))

    def _array(self, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        name = member(self.position, name)
        self.used.add(f"{name}.npy")
        return read_array(self.archive, name, dtype, shape)


def read_array(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int | None, ...]
) -> np.ndarray:
    """Read a member that must have this dtype and shape (None: any length).

    What its .npy header claims is compared with what is expected, and with the size of the
    member, before anything of that size is read.
    """
    stated = archive.getinfo(f"{name}.npy").file_size
    with archive.open(f"{name}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            claimed, fortran, found = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            claimed, fortran, found = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"{name} has version {version} of the .npy format")
        expected = claimed if shape == (None,) and len(claimed) == 1 else shape
        if found.newbyteorder("=") != dtype or claimed != expected or (fortran and len(shape) > 1):
            raise ValueError(f"{name} has dtype {found} and shape {claimed}")
        n_bytes = prod(claimed) * dtype.itemsize
        if min(claimed, default=0) < 0 or stream.tell() + n_bytes != stated:
            raise ValueError(f"{name} takes {stated} bytes for shape {claimed}")
        content = stream.read(n_bytes + 1)  # to the end: there the checksum is compared
    if len(content) != n_bytes:
        raise ValueError(f"{name} ends early")
    return np.frombuffer(content, found).astype(dtype).reshape(claimed)
