"""The gallery's problems of transport, by fingerprint: sum, sum of squares, position-weighted sum."""

import numpy as np
import pytest

from numopt import gallery
from numopt.exceptions import InvalidInputError, InvalidTypeError
from tests.oracles.gallery import fingerprint

PROBLEMS = {
    "assignment": (
        lambda: gallery.assignment(),
        (1.0, 2.0e-3, 1.0275987272e-03),
        (1.0, 2.0e-3, 1.0275987272e-03),
        (1.2497762094e05, 8.3282633491e04, 8.2405877332e01),
    ),
    "images l2": (
        lambda: gallery.digit_images("l2"),
        (1.0, 2.0693548370e-03, 4.6770502189e-04),
        (1.0, 2.7535374899e-03, -1.0627502184e-04),
        (1.1003101235e05, 3.3469652932e04, 4.1914203537e-01),
    ),
    "images l1": (
        lambda: gallery.digit_images("l1"),
        (1.0, 2.0693548370e-03, 4.6770502189e-04),
        (1.0, 2.7535374899e-03, -1.0627502184e-04),
        (2.1220266667e05, 9.1645728395e04, 4.1929224938e-01),
    ),
    "images l1, 3 to 8": (
        lambda: gallery.digit_images("l1", 3, 8),
        (1.0, 2.5154259616e-03, -7.1308238614e-04),
        (1.0, 2.1321933098e-03, -4.5075408370e-04),
        (2.1220266667e05, 9.1645728395e04, 4.1929224938e-01),
    ),
    "mixture 1000": (
        lambda: gallery.gaussian_mixtures(1000),
        (1.0, 1.0e-3, 9.7560688499e-04),
        (1.0, 1.0840628787e-03, 4.5429953619e-03),
        (1.4453730998e06, 4.0223291146e06, 2.3692306162e01),
    ),
    "mixture 2000, seed 1": (
        lambda: gallery.gaussian_mixtures(2000, rng=1),
        (1.0, 5.0e-4, 7.6747136066e-04),
        (1.0, 5.4124050447e-04, 4.0501789328e-04),
        (4.7694752290e06, 8.3633026359e06, -8.3386875027e02),
    ),
    "mixture 50 in 5 dimensions, seed 3": (
        lambda: gallery.gaussian_mixtures(50, 3, 5),
        (1.0, 2.0e-2, -4.4523997668e-03),
        (1.0, 2.1992826139e-02, 5.0792959955e-02),
        (2.8969505716e03, 5.0313209087e03, -6.1040836414e00),
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_seeds_give_the_same_arrays(name):
    make, *expected = PROBLEMS[name]
    for array, words in zip(make(), expected, strict=True):
        assert array.dtype == np.float64 and array.flags.c_contiguous
        np.testing.assert_allclose(fingerprint(array), words, rtol=2e-9)


def test_clouds_are_the_points_of_the_mixtures():
    X, Y, a, b = gallery.gaussian_clouds(60, rng=2, dim=3)
    same_a, same_b, C = gallery.gaussian_mixtures(60, rng=2, dim=3)
    distances = ((X[:, None] - Y) ** 2).sum(axis=2)
    np.testing.assert_allclose(C, distances / np.median(distances), rtol=1e-14)
    assert (a == same_a).all() and (b == same_b).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gallery.assignment(0), InvalidInputError, "n is 0"),
        (lambda: gallery.assignment(5, rng=-1), InvalidInputError, "rng is -1"),
        (lambda: gallery.gaussian_clouds(2.5), InvalidTypeError, r"n is 2\.5"),
        (lambda: gallery.gaussian_mixtures(5, dim=0), InvalidInputError, "dim is 0"),
        (lambda: gallery.digit_images("l3"), InvalidInputError, "metric is 'l3'"),
        (lambda: gallery.digit_images(j=1797), InvalidInputError, "j is 1797.*1797 images"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
