"""Branch-free exponentials that LLVM vectorises: without SVML, libm's `exp` costs six times more."""

import math

import numpy as np

from numopt._kernels.cpu._jit import jit

_LOG2E = 1.4426950408889634
_ROUND64 = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer in the low bits
_LN2_HI64, _LN2_LO64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (1 / math.factorial(k) for k in range(2, 14))

_f32 = np.float32
_LOG2E32, _ROUND32, _ONE32 = _f32(1.44269504), _f32(12582912.0), _f32(1.0)
_LN2_HI32, _LN2_LO32 = _f32(0.693359375), _f32(-2.12194440e-4)
_S2, _S3, _S4, _S5, _S6 = (_f32(1 / math.factorial(k)) for k in range(2, 7))
_LOW32, _HIGH32 = _f32(-75.0), _f32(87.0)


@jit(fastmath={"contract"})
def exp64(x):
    """e**x in float64, argument clamped to [-708, 709]; relative error below 3e-16 near 0.

    Clamping from below keeps subnormal numbers, which are 10 to 50 times slower, out of the kernels.
    """
    x = min(max(x, -708.0), 709.0)
    t = x * _LOG2E + _ROUND64
    k = t - _ROUND64
    r = (x - k * _LN2_HI64) - k * _LN2_LO64
    p = _C12 + r * _C13
    p = _C11 + r * p
    p = _C10 + r * p
    p = _C9 + r * p
    p = _C8 + r * p
    p = _C7 + r * p
    p = _C6 + r * p
    p = _C5 + r * p
    p = _C4 + r * p
    p = _C3 + r * p
    p = _C2 + r * p
    p = 1.0 + r * p
    p = 1.0 + r * p
    bits = np.float64(p).view(np.int64) + (np.float64(t).view(np.int64) << 52)
    return np.int64(bits).view(np.float64)


@jit(fastmath={"contract"})
def exp32(x):
    """e**x in float32, argument clamped to [-75, 87]; relative error below 3e-7.

    e**-75 times a weight above 1e-5 is still no subnormal number.
    """
    x = min(max(x, _LOW32), _HIGH32)
    t = x * _LOG2E32 + _ROUND32
    k = t - _ROUND32
    r = (x - k * _LN2_HI32) - k * _LN2_LO32
    p = _S5 + r * _S6
    p = _S4 + r * p
    p = _S3 + r * p
    p = _S2 + r * p
    p = _ONE32 + r * p
    p = _ONE32 + r * p
    shift = np.int32(np.float32(t).view(np.int32) << np.int32(23))
    return np.int32(np.float32(p).view(np.int32) + shift).view(np.float32)
