"""The gallery's problems of completion, by fingerprint: sum, sum of squares, position-weighted sum."""

import numpy as np
import pytest

from numopt import gallery
from numopt.exceptions import InvalidInputError, InvalidTypeError
from tests.oracles.gallery import fingerprint

PROBLEMS = {
    "C": (
        lambda: gallery.low_rank(condition=100.0),
        (-405.82585023, 59666.465794, 3.0449752093),
        (-283.19634475, 199600.2204, 364.09198168),
    ),
    "ratings": (
        lambda: gallery.ratings(),
        (3122760.0, 11832392.0, -999.99837293),
        (346378.0, 1310584.0, 118.52652512),
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_values_are_the_same_everywhere(name):
    make, train, test = PROBLEMS[name]
    p = make()
    assert np.allclose(fingerprint(p.values), train, rtol=1e-8)
    assert np.allclose(fingerprint(p.test_values), test, rtol=1e-8)


def test_entries_are_distinct_and_inside():
    p = gallery.low_rank(30, 40, 2, oversampling=3, noise=0.1, outliers=0.2)
    assert len({*zip(p.rows.tolist(), p.cols.tolist(), strict=True)}) == p.values.size == 3 * 2 * 68
    assert p.rows.max() < 30 and p.cols.max() < 40 and p.rows.min() >= 0 and p.cols.min() >= 0
    q = gallery.low_rank(30, 40, 2, oversampling=3, noise=0.1, outliers=0.2)
    assert all(np.array_equal(x, y) for x, y in zip(p, q, strict=True))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"oversampling": 0.0}, "oversampling is 0"),
        ({"condition": 0.5}, r"condition is 0\.5"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(InvalidInputError, match=match):
        gallery.low_rank(**arguments)
    with pytest.raises(InvalidTypeError, match=r"m is 2\.5"):
        gallery.low_rank(2.5)
    with pytest.raises(InvalidInputError, match="count is 5"):
        gallery.ratings(count=5)
