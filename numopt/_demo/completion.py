"""A photograph of which half is lost and a tenth of the rest is wrong, and a hard matrix with its certificate.

The example ``plot_inpainting.py`` of the documentation does the first at length.
"""

from time import perf_counter

import numpy as np

import numopt
from numopt._demo import drawn, photograph, ready, say
from numopt.completion import matrix_completion

RANK = 40


def main(step=1, folder="."):
    """Complete, say how certain the answer is, and write the picture into `folder`; `step` thins the pixels."""
    clean = photograph("china.jpg")[::step, ::step]
    ready("completion")

    X = _side_by_side(clean)
    rng = np.random.default_rng(0)
    damaged, wrong = X.copy(), rng.random(X.shape) < 0.1
    damaged[wrong] = rng.integers(0, 2, wrong.sum())
    damaged[rng.random(X.shape) < 0.5] = np.nan
    say("problem", f"a photograph as a matrix of {X.shape[0]} x {X.shape[1]}: half missing, 10 % of the rest wrong")
    began = perf_counter()
    result = matrix_completion(
        damaged, RANK // step, loss="huber", ridge=0.5, center="global", tol=1e-3, rng=0, on_failure="ignore"
    )
    say("solved", f"in {perf_counter() - began:.2f} s: {result.message}")
    found = result.to_dense()
    grey = np.nan_to_num(damaged, nan=0.5)
    before, after = (-10 * np.log10(np.mean((x - X) ** 2)) for x in (grey, found))
    say("", f"{before:.1f} dB before, {after:.1f} dB after")

    m = 400 // step
    p = numopt.gallery.low_rank(m, m, 5, oversampling=2, condition=10)
    began = perf_counter()
    hard = matrix_completion(p[:4], 5, tol=1e-8, rng=0, on_failure="ignore")
    seconds = perf_counter() - began
    off = np.linalg.norm(hard.predict(p.test_rows, p.test_cols) - p.test_values) / np.linalg.norm(p.test_values)
    share = p.values.size / m**2
    say("beside", f"{m} x {m} of rank 5 and condition 10 from {share:.1%} of its entries, in {seconds:.2f} s")
    say("certain", f"residual {hard.rel_residual:.1e}; unique around: least curvature {hard.local_conditioning:.2f}")
    say("", f"entries that nobody saw are off by {off:.1e}")

    with drawn(folder, "numopt-demo-completion.png", (12, 3)) as figure:
        _draw(figure, [clean, _picture(grey), _picture(found)])
    return 0 if result.success and hard.success else 1


def _side_by_side(picture):
    """Return the three colours side by side in one matrix."""
    return picture.transpose(0, 2, 1).reshape(picture.shape[0], -1)


def _picture(X):
    return np.clip(X.reshape(X.shape[0], 3, -1).transpose(0, 2, 1), 0, 1)


def _draw(figure, pictures):
    for ax, picture in zip(figure.subplots(1, 3), pictures, strict=True):
        ax.imshow(picture)
        ax.set_axis_off()
