"""Sparse arrays become canonical CSR, and nobody's input is written to."""

import numpy as np
import pytest
import scipy.sparse

from numopt import _array
from numopt._csr import as_csr
from numopt.exceptions import InvalidInputError, InvalidTypeError


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_as_csr_takes_every_format(form, kind, dtype):
    A = kind(np.array([[0, 2, 0], [1, 0, 3]], dtype=dtype)).asformat(form)
    B = as_csr(A)
    assert isinstance(B, scipy.sparse.csr_array) and B.has_canonical_format
    assert B.indices.dtype == B.indptr.dtype == np.int32
    assert B.dtype == ("float32" if dtype == "float32" else "float64")
    np.testing.assert_array_equal(B.toarray(), [[0, 2, 0], [1, 0, 3]])
    assert _array.namespace(A) is _array.namespace(np.empty(0)) and _array.device(A) == "cpu"


def test_as_csr_never_writes_its_input():
    data, indices, indptr = (
        np.array([1.0, 2.0, 4.0]),
        np.array([1, 1, 0], np.int64),
        np.array([0, 3], np.int64),
    )
    A = scipy.sparse.csr_array((data, indices, indptr), shape=(1, 2))
    B = as_csr(A)
    np.testing.assert_array_equal(B.toarray(), [[4.0, 3.0]])
    assert A.nnz == 3 and A.data.tolist() == [1.0, 2.0, 4.0] and A.indices.tolist() == [1, 1, 0]


def test_as_csr_shares_what_needs_no_change():
    A = scipy.sparse.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(as_csr(A).data, A.data)


def test_as_csr_refuses_what_32_bit_indices_cannot_hold():
    class Huge:
        shape, nnz = (3, 2**31), 5

    with pytest.raises(InvalidInputError, match=r"blocks of rows"):
        as_csr(Huge())
    with pytest.raises(InvalidTypeError, match="complex128"):
        as_csr(scipy.sparse.eye_array(2, dtype=complex))
