"""Random convolution trees without any care for what is recoverable."""

import math

import numpy as np

from skfact.deep_linear import ConvolutionTree


def random_tree(random: np.random.Generator, images: bool = False) -> ConvolutionTree:
    count = int(random.integers(1, 7))
    edges = [(int(random.integers(v)), v) for v in range(1, count + 1)]
    size = tuple(map(int, random.integers(3, 9, 2))) if images else int(random.integers(4, 70))
    n = math.prod(size) if images else size
    supports = []
    for _ in edges:
        places = random.choice(n, int(random.integers(1, min(4, n) + 1)), replace=False)
        supports.append([divmod(int(i), size[1]) if images else int(i) for i in places])
    order = random.permutation(count)
    return ConvolutionTree([edges[i] for i in order], [supports[i] for i in order], size)


def by_fourier(tree: ConvolutionTree, kernels: list[np.ndarray]) -> np.ndarray:
    """The product, with Fourier transforms."""
    columns = []
    for path in tree.paths:
        spectrum = np.ones(tree.shape[:-1], dtype=complex)
        for e in path:
            kernel = np.zeros(tree.shape[:-1], dtype=complex)
            for place, value in zip(tree.supports[e], kernels[e]):
                kernel[place] = value
            spectrum = spectrum * np.fft.fftn(kernel)
        columns.append(np.fft.ifftn(spectrum))
    product = np.stack(columns, axis=-1)
    return product if any(np.iscomplexobj(kernel) for kernel in kernels) else product.real
