"""
======================================
From a trained model to a served file
======================================

A model is trained in scikit-learn, and is to run elsewhere: as an ONNX file, with nothing installed
but a runtime. How small can that file be, and does it still answer as the model did?

:func:`~skfact.compression.compress` writes the layers of a network as products of factors with
fewer numbers. It takes the file itself, and rows of what the network will see, without labels.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import time

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import skl2onnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skfact.compression import compress
from skfact.export import to_onnx

threadpool_limits(1)

# %%
# The trained model
# -----------------
#
# Handwritten digits, scaled, and a perceptron with two hidden layers of 256 neurons. A fifth of the
# images is for the choice of a size, another fifth for the final check.

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X.astype(np.float32), y, test_size=0.2, stratify=y, random_state=0
)
X, X_choice, y, y_choice = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
model = make_pipeline(
    StandardScaler(), MLPClassifier((256, 256), early_stopping=True, random_state=0)
)
model.fit(X, y)
print(f"accuracy: {model.score(X_test, y_test):.3f}")

# %%
# skl2onnx writes the whole pipeline. The last node of the file names a class, the one before has a
# probability for each.

dense = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False}, target_opset=18)


class Service:
    """What runs where the model is used: a file, and no scikit-learn."""

    def __init__(self, model):
        self.file = model.SerializeToString()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.file, options)
        self.input = self.session.get_inputs()[0].name

    def __call__(self, rows):
        """Classes and probabilities."""
        return self.session.run(None, {self.input: rows})

    def score(self, X, y):
        """Share of rows whose class is right."""
        return float(np.mean(self(X)[0] == y))


served = Service(dense)
assert np.array_equal(served(X_test)[0], model.predict(X_test))
print(f"file: {len(served.file) / 1000:.0f} kB")

# %%
# Smaller files
# -------------
#
# One budget of numbers over all layers, from 40 % of them down to 4 %.

densities = [0.4, 0.25, 0.16, 0.1, 0.06, 0.04]
found = {density: compress(dense, X, max_density=density) for density in densities}
services = {density: Service(small.network) for density, small in found.items()}
scores = {density: service.score(X_choice, y_choice) for density, service in services.items()}
print("numbers   file   accuracy")
print(f"   100%  {len(served.file) / 1000:4.0f} kB  {served.score(X_choice, y_choice):.3f}")
for density, service in services.items():
    print(f"{density:7.0%}  {len(service.file) / 1000:4.0f} kB  {scores[density]:.3f}")

# %%
# The smallest file that costs at most one image in a hundred:

chosen = min(d for d in densities if scores[d] >= served.score(X_choice, y_choice) - 0.01)
small = found[chosen]
print(small)

# %%
# All layers end up with low rank here. Learned layers rarely have more structure than that; what
# pays is that the ranks suit the activations, and that layers share one budget.

figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", width_ratios=[1, 1.4])
sizes = [len(service.file) / 1000 for service in services.values()]
axes[0].semilogx(sizes, list(scores.values()), "o-", label="compressed")
axes[0].plot(len(served.file) / 1000, served.score(X_choice, y_choice), "ks", label="trained")
axes[0].plot(len(services[chosen].file) / 1000, scores[chosen], "o", ms=14, mfc="none", mec="C3")
axes[0].set_xticks([20, 50, 100, 200, 400], ["20", "50", "100", "200", "400"])
axes[0].xaxis.set_minor_locator(plt.NullLocator())
axes[0].set(xlabel="size of the file, kB", ylabel="accuracy on images for the choice")
axes[0].set_title("The file that is served is in the circle")
axes[0].legend(loc="lower right")
axes[0].grid(alpha=0.3)
small.plot(ax=axes[1])
plt.show()

# %%
# The final check
# ---------------
#
# On images that neither training nor choice has seen:

service = services[chosen]
labels, probabilities = service(X_test)
agreement = np.mean(labels == model.predict(X_test))
print(f"accuracy: {model.score(X_test, y_test):.3f} before, {service.score(X_test, y_test):.3f}")
print(f"same class as before: {agreement:.1%}")
assert service.score(X_test, y_test) >= model.score(X_test, y_test) - 0.02
assert len(service.file) < len(served.file) / 3

# %%
# Is it faster, too? On one thread:


def microseconds(service, rows):
    """Median time of an answer."""
    times = []
    for _ in range(200):
        start = time.perf_counter()
        service(rows)
        times.append(1e6 * (time.perf_counter() - start))
    return np.median(times)


for n_rows in (1, 256):
    before, after = (microseconds(one, X_choice[:n_rows]) for one in (served, service))
    print(f"{n_rows:4} rows: {before:6.0f} µs before, {after:6.0f} µs after")

# %%
# Without a file
# --------------
#
# The perceptron alone can be compressed in Python. The result predicts as any perceptron, and
# :func:`~skfact.export.to_onnx` writes it.

scaler, mlp = model
in_python = compress(mlp, scaler.transform(X), max_density=chosen)
rows = scaler.transform(X_test)
alone = Service(to_onnx(in_python.network))
assert np.allclose(alone(rows)[0], in_python.network.predict_proba(rows), atol=1e-5)
print(f"accuracy: {in_python.network.score(rows, y_test):.3f}")
