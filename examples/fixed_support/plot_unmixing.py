"""
==========================================
Unmixing spectra whose bands are known
==========================================

Each pixel of a hyperspectral image has a spectrum: a mixture of the spectra of the materials
there. To find materials and their shares from the image alone is a non-negative matrix
factorization, which rarely has one solution only. Often more is known: which part of the spectrum a
material can show in. That is a support, and :class:`~skfact.fixed_support.FixedSupportMF` keeps to
it with ``positive=True``. How much does it help?
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import NMF

from skfact import FixedSupportMF

# %%
# An image of four materials
# --------------------------
#
# The spectra are sums of bands. A mask for each material says where it may have some: wide windows,
# which overlap. Every pixel is a mixture, none is pure, and there is noise.

rng = np.random.default_rng(0)
side, n_bands = 40, 120
wavelengths = np.linspace(400, 1000, n_bands)
lines = {  # centres of the bands, and their heights
    "water": ([820, 930], [0.6, 1.0]),
    "leaves": ([550, 700, 780], [0.5, 0.6, 1.0]),
    "soil": ([620, 690, 760], [0.7, 1.0, 0.7]),
    "paint": ([450, 520, 600], [1.0, 0.6, 0.5]),
}
spectra = np.array(
    [
        sum(h * np.exp(-(((wavelengths - c) / 25) ** 2)) for c, h in zip(*bands, strict=True))
        for bands in lines.values()
    ]
)
windows = pd.DataFrame(spectra > 0.02, index=lines, columns=wavelengths.round(0))
spectra *= windows.to_numpy()

fields = [gaussian_filter(rng.standard_normal((side, side)), 5) for _ in lines]
fields = np.exp(8 * np.stack(fields))
shares = (fields / fields.sum(axis=0)).reshape(len(lines), -1).T
deviation = 0.03 * (1 + 4 * (wavelengths > 900))  # the sensor is worse there
image = shares @ spectra + deviation * rng.standard_normal((side**2, n_bands))
print(f"{len(image)} pixels, {n_bands} bands; largest share of one material: {shares.max():.2f}")

# %%
# With and without the windows
# ----------------------------
#
# The mask is a data frame, whose index names the components. The noise is known, so each entry has
# a weight: one over its variance. Spectra are compared with the true ones up to their scale. (NMF
# of scikit-learn takes no negative entry, so the noise is cut off for it.)

weights = np.tile(1 / deviation**2, (side**2, 1))
unmixing = FixedSupportMF(
    supports=(None, windows.to_numpy()), positive=True, tol=1e-5, max_iter=2000
)
weighted = FixedSupportMF(supports=(None, windows), positive=True, tol=1e-5, max_iter=2000)
plain = NMF(len(lines), init="nndsvda", max_iter=2000).fit(image.clip(0))
found = {
    "NMF": plain.components_,
    "windows": unmixing.fit(image).components_,
    "windows and weights": weighted.fit(image, entry_weight=weights).components_,
}
rebuilt = {
    "NMF": plain.transform(image.clip(0)) @ plain.components_,
    "windows": unmixing.left_factor_ @ unmixing.components_,
    "windows and weights": weighted.left_factor_ @ weighted.components_,
}


def cosines(components):
    """Of each true spectrum with the component that is most like it."""
    unit = components / np.linalg.norm(components, axis=1, keepdims=True)
    return (spectra / np.linalg.norm(spectra, axis=1, keepdims=True) @ unit.T).max(axis=1)


for name, components in found.items():
    angles = np.degrees(np.arccos(np.minimum(cosines(components), 1)))
    residual = np.linalg.norm(image - rebuilt[name]) / np.linalg.norm(image)
    print(f"{name:20} relative residual {residual:.3f}, angles to the true spectra in degrees: "
          + " ".join(f"{a:5.1f}" for a in angles))  # fmt: skip
noise = np.linalg.norm(image - shares @ spectra) / np.linalg.norm(image)
print(f"{'the noise':20} relative residual {noise:.3f}")

figure, axes = plt.subplots(1, 4, figsize=(11, 2.8), layout="constrained", sharey=True)
styles = {"NMF": ("0.6", "--"), "windows and weights": ("#0072B2", "-")}
for k, (ax, name) in enumerate(zip(axes, lines, strict=True)):
    ax.fill_between(wavelengths, spectra[k] / spectra[k].max(), color="#E69F00", alpha=0.4,
                    label="truth", linewidth=0)  # fmt: skip
    for label, (color, style) in styles.items():
        H = found[label]
        unit = H / np.linalg.norm(H, axis=1, keepdims=True)
        nearest = H[np.argmax(unit @ spectra[k])]
        ax.plot(wavelengths, nearest / nearest.max(), style, color=color, label=label)
    ax.set(title=name, xlabel="wavelength in nm")
axes[0].set_ylabel("spectrum, largest = 1")
axes[-1].legend(fontsize="small", loc="upper right")
figure.suptitle("Spectra of the materials")
plt.show()

# %%
# Shares of the materials
# -----------------------
#
# Codes are the shares, up to the scale of each component. ``transform`` gives non-negative ones, of
# new pixels too; here with the weights of the fit.

codes = weighted.transform(image, entry_weight=weights)
scale = (codes * shares).sum(axis=0) / (codes**2).sum(axis=0)
print("materials:", ", ".join(weighted.get_feature_names_out()))
print(f"root mean square error of a share: {np.sqrt(np.mean((codes * scale - shares) ** 2)):.3f}")

figure, axes = plt.subplots(2, 4, figsize=(9, 4.6), layout="constrained")
for row, maps, label in zip(axes, (shares, codes * scale), ("truth", "found"), strict=True):
    for ax, values in zip(row, maps.T, strict=True):
        picture = ax.imshow(values.reshape(side, side), vmin=0, vmax=1, cmap="viridis")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(label)
for ax, name in zip(axes[0], lines, strict=True):
    ax.set_title(name)
figure.colorbar(picture, ax=axes, label="share", shrink=0.8)
figure.suptitle("Shares of the materials")
plt.show()

# %%
# All fits leave residuals of the size of the noise, .32 to .33 of the image: these do not tell that
# the spectra found without the windows are mixtures themselves. Windows can be wrong, too: then the
# residual shows it, where a pixel has a band that no component may use.
