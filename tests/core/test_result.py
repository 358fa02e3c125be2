"""Results: attributes, mapping, printing, identity, pickling."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
from scipy.optimize import OptimizeResult

from numopt._result import Result, result_class


@result_class
class Solution(Result):
    x: object
    _problem: object = None

    @property
    def size(self):
        return self.x.size


def make(**fields):
    common = {
        "success": True,
        "status": 0,
        "message": "converged",
        "nit": 2,
        "time": 0.5,
        "certificate": {"gap": 1e-9},
        "history": {"nit": np.array([1, 2]), "measure": np.array([1.0, 0.0])},
    }
    return Solution(**(common | {"x": np.arange(20.0)} | fields))


def test_fields_are_attributes_and_entries():
    res = make()
    assert res["nit"] == res.nit == 2 and "x" in res and len(res) == 8
    assert list(res) == ["success", "status", "message", "nit", "time", "certificate", "history", "x"]
    assert dict(**res)["message"] == "converged" and res.get("nothing") is None


def test_properties_can_be_read_as_entries_but_are_not_listed():
    res = make()
    assert res["size"] == 20 and "size" in res and "size" not in list(res)


@pytest.mark.parametrize("key", ["_problem", "keys", "nothing", 3, None])
def test_other_keys_are_key_errors(key):
    with pytest.raises(KeyError):
        make()[key]


def test_scipy_can_take_it():
    assert OptimizeResult(**make()).nit == 2


def test_it_prints_in_one_line_a_field():
    lines = repr(make(_problem="secret", message="two\nlines")).splitlines()
    assert len(lines) == 8 and "secret" not in "".join(lines)
    assert lines[5] == "certificate: gap = 1e-09"
    assert lines[2].endswith("two lines") and lines[6].endswith("nit, measure (2 records)")
    assert lines[7].endswith("ndarray of shape (20,), float64")


def test_short_arrays_are_shown():
    assert repr(make(x=np.array([1.0, 2.0]))).endswith("x: [1. 2.]")


def test_equality_is_identity():
    res = make()
    assert res == res and res != make() and len({res, res}) == 1


def test_no_stray_attributes():
    with pytest.raises(AttributeError):
        make().succes = False


def test_pickle_keeps_everything():
    again = pickle.loads(pickle.dumps(make(_problem=3)))
    assert again.nit == 2 and again._problem == 3 and again.certificate == {"gap": 1e-9}
    np.testing.assert_array_equal(again.x, np.arange(20.0))


def test_a_field_may_be_made_when_it_is_first_read():
    made = []
    res = make(message=partial(lambda: made.append(1) or "made"), history=partial(dict))
    assert not made
    assert res["message"] == dict(res)["message"] == res.message == "made" and made == [1] and res.history == {}
    res = make(message=partial(str, "made"))
    assert pickle.loads(pickle.dumps(res)).message == copy.copy(res).message == "made"
    res.message = "another"
    assert "another" in repr(res)
