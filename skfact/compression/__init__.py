"""Whole networks made smaller: their linear layers as products of sparse factors."""

from skfact.compression._compress import compress, compression_path
from skfact.compression._display import CompressionDisplay
from skfact.compression._report import Compression
from skfact.compression._row import CompressedLayer

__all__ = ["CompressedLayer", "Compression", "CompressionDisplay", "compress", "compression_path"]
