"""The gallery's games, programs and sums, by fingerprint: sum, sum of squares, position-weighted sum."""

import numpy as np
import pytest

from numopt import gallery
from numopt.exceptions import InvalidInputError
from tests.oracles.gallery import fingerprint

PROBLEMS = {
    "police": (lambda: gallery.police_game(), (1.9654401263e05, 2.4311758461e05, 3.6413406909)),
    "gauss": (lambda: gallery.gaussian_game(500, 500), (8.3258686175e01, 2.5047999694e05, -6.4534784161e02)),
    "power": (lambda: gallery.power_game(), (7.3062677292e04, 3.2421083688e04, -5.6387348125e-01)),
    "sparse": (lambda: gallery.sparse_game().data, (-1.6230894358e02, 2.6587336604e04, 3.5947429809)),
    "toeplitz": (lambda: gallery.toeplitz_game(), (-7.7129308672e03, 2.4364183672e05, -1.8602268011e01)),
    "transport": (lambda: gallery.transport_program()[0], (6.3626984465e03, 4.1458101699e03, -1.9602415657e01)),
    "program": (lambda: gallery.random_program()[0], (2.4151467757e03, 1.2278904253e05, -3.1952503586e02)),
    "iso": (lambda: gallery.logistic_sum()[0], (1.4182323290e02, 2.0198585412e04, -6.1842307374e01)),
    "c100": (lambda: gallery.logistic_sum(condition=100)[0], (9.1797697693e01, 2.0472355122e04, -9.4657308949e01)),
    "coupling": (lambda: gallery.coupling_sum("152")[1], (1.3690667363e02, 7.9881771855e05, -5.7422951726e01)),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_fingerprints(name):
    make, expected = PROBLEMS[name]
    np.testing.assert_allclose(fingerprint(make()), expected, rtol=1e-9)


def test_the_worst_case_is_symmetric_and_convex():
    P, A, b, c = gallery.worst_case_saddle(20)
    assert (P == P.T).all() and np.linalg.eigvalsh(P).min() > -1e-12
    assert A.shape == (20, 20) and b.shape == c.shape == (20,)


def test_bad_sizes():
    with pytest.raises(InvalidInputError, match="n is 0"):
        gallery.police_game(0)
    with pytest.raises(InvalidInputError, match="kind is '30'"):
        gallery.coupling_sum("30")
