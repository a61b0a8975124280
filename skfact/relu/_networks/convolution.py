"""Convolutions as linear maps whose matrix has each number of a kernel in many places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._checks import check_number, positive_ints


@dataclass(frozen=True)
class Convolution:
    """Which number of a kernel stands where in the matrix, (n_in * inputs, n_out * outputs).

    Entries of a node are numbered as those of a C-ordered array (channels, *positions).
    """

    kernel_shape: tuple[int, ...]  # (n_out, n_in, *sizes)
    input_shape: tuple[int, ...]  # without channels
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Positions of the output, without channels."""
        sizes = zip(self.input_shape, self.kernel_shape[2:], self.stride, self.padding)
        return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in sizes)

    @property
    def n_channels(self) -> tuple[int, int]:
        """Numbers of channels of input and output."""
        return self.kernel_shape[1], self.kernel_shape[0]

    @cached_property
    def places(self) -> np.ndarray:
        """Index of the number in the flat kernel at each entry of the matrix, its size for none."""
        n_out, n_in, *sizes = self.kernel_shape
        n_positions, n_offsets = math.prod(self.input_shape), math.prod(sizes)
        read = self._read()  # (outputs, offsets): positions of the input, -1 in the padding
        output, offset = np.nonzero(read >= 0)
        found = np.full(
            (n_in, n_positions, n_out, len(read)), math.prod(self.kernel_shape), dtype=np.int64
        )
        numbers = np.arange(math.prod(self.kernel_shape)).reshape(n_out, n_in, n_offsets)
        found[:, read[output, offset], :, output] = numbers.transpose(2, 1, 0)[offset]
        return found.reshape(n_in * n_positions, -1)

    def _read(self) -> np.ndarray:
        """The flat position of the input under each offset of the kernel, for each output."""
        total = np.zeros((1, 1), dtype=np.int64)
        outside = np.zeros((1, 1), dtype=bool)
        axes = zip(
            self.input_shape, self.output_shape, self.kernel_shape[2:], self.stride, self.padding
        )
        for n, m, k, s, p in axes:
            at = s * np.arange(m)[:, None] + np.arange(k) - p  # (m, k)
            beyond = (at < 0) | (at >= n)
            shape = (len(total) * m, total.shape[1] * k)
            total = (total[:, None, :, None] * n + at[None, :, None, :]).reshape(shape)
            outside = (outside[:, None, :, None] | beyond[None, :, None, :]).reshape(shape)
        return np.where(outside, -1, total)

    def matrix(self, kernel: Any) -> Any:
        """The matrix of a kernel."""
        return _entries(kernel, self.places)

    def kernel(self, matrix: Any) -> Any:
        """The kernel of a matrix; zero where a number only ever meets padding."""
        first = np.full(math.prod(self.kernel_shape) + 1, self.places.size)
        numbers, where = np.unique(self.places, return_index=True)
        first[numbers] = where
        return _entries(matrix, first[:-1].reshape(self.kernel_shape))

    def biases(self, bias: Any) -> Any:
        """The bias of each entry of the output, from those of channels."""
        xp, m = array_namespace(bias), math.prod(self.output_shape)
        ones = xp.ones((1, m), dtype=bias.dtype, device=device(bias))
        return xp.reshape(bias[:, None] * ones, (-1,))

    def of_channels(self, biases: Any) -> Any:
        """The bias of each channel, from those of the entries."""
        return array_namespace(biases).reshape(biases, (self.kernel_shape[0], -1))[:, 0]

    def sums(self, of_entries: Any, of_biases: Any) -> tuple[Any, Any]:
        """What belongs to entries, summed over the places of each number and each channel."""
        n = math.prod(self.kernel_shape)
        entries = to_numpy(of_entries).astype(np.float64).ravel()
        kernel = np.bincount(self.places.ravel(), entries, minlength=n + 1)[:n]
        kernel = kernel.reshape(self.kernel_shape)
        xp = array_namespace(of_entries)
        kernel = xp.astype(move(kernel, xp, device(of_entries)), of_entries.dtype)
        channels = xp.reshape(of_biases, (self.kernel_shape[0], -1))
        return kernel, xp.sum(channels, axis=1)

    def is_of_channels(self, vector: Any) -> bool:
        """Whether a vector has one number for each channel of the output."""
        xp = array_namespace(vector)
        by_channel = xp.reshape(vector, (self.kernel_shape[0], -1))
        return bool(xp.all(by_channel == by_channel[:, :1]))


def _entries(array: Any, places: np.ndarray) -> Any:
    """Entries of a flat array at some places, zero past its end."""
    xp, where = array_namespace(array), device(array)
    flat = xp.reshape(array, (-1,))
    flat = xp.concat([flat, xp.zeros(1, dtype=array.dtype, device=where)])
    found = xp.take(flat, move(places.reshape(-1), xp, where))
    return xp.reshape(found, places.shape)


def checked_convolution(
    kernel_shape: tuple[int, ...], input_shape: Any, stride: Any, padding: Any, label: str
) -> Convolution:
    """The convolution of a kernel, (n_out, n_in, *sizes), on positions of a shape.

    A TypeError tells that a number is no integer, a ValueError that one is out of range, or that
    the kernel does not fit on the input.
    """
    shape = positive_ints(input_shape, f"{label}: input_shape")
    n = len(shape)
    strides, paddings = (
        _for_each_axis(value, n, f"{label}: {name}", low)
        for value, name, low in ((stride, "stride", 1), (padding, "padding", 0))
    )
    found = Convolution(kernel_shape, shape, strides, paddings)
    if min(found.output_shape) < 1:
        raise ValueError(
            f"{label}: a kernel of size {kernel_shape[2:]} does not fit on an input of shape "
            f"{shape} with padding {paddings}."
        )
    return found


def _for_each_axis(value: Any, n: int, label: str, low: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(values) != n:
        raise ValueError(f"{label} must be an int, or one for each of the {n} axes; got {value!r}.")
    for one in values:
        check_number(one, label, int, low)
    return tuple(int(one) for one in values)
