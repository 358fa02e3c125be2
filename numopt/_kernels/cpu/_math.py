"""Branch-free exponentials and logarithm that LLVM vectorises: without SVML, libm's `exp` costs six times more."""

import math

import numpy as np

from numopt._kernels.cpu._jit import jit

_LOG2E = 1.4426950408889634
_ROUND64 = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer in the low bits
_LN2_HI64, _LN2_LO64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (1 / math.factorial(k) for k in range(2, 14))

_HALF_ROOT = 0x3FE6A09E667F3BCD  # the bits of 1/sqrt(2)
_LEAST64, _MOST64 = np.finfo(np.float64).smallest_normal, np.finfo(np.float64).max
_L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8, _L9, _L10 = (2.0 / (2 * k + 1) for k in range(1, 11))  # 2 artanh(s) - 2 s

_f32 = np.float32
_ROUND32, _ONE32 = _f32(12582912.0), _f32(1.0)
_LOW_TWO64, _HIGH_TWO64 = -708.0 * _LOG2E, 709.0 * _LOG2E
_LOW_TWO32, _HIGH_TWO32 = _f32(-75.0 * _LOG2E), _f32(87.0 * _LOG2E)

# (2**r - 1) / r on [-1/2, 1/2] at Chebyshev's nodes: 2**r to 1e-17 and 2e-7
_D0, _D1, _D2, _D3, _D4, _D5 = (
    0.6931471805599453, 0.24022650695910097, 0.05550410866482159, 0.0096181291076069, 0.0013333558146418052,
    0.00015403530441733052,
)  # fmt: skip
_D6, _D7, _D8, _D9, _D10 = (
    1.5252733828614522e-05, 1.321544258585974e-06, 1.0178063026613412e-07, 7.072586722911188e-09, 4.454862599313504e-10,
)  # fmt: skip
_E0, _E1, _E2, _E3, _E4 = map(
    _f32, (0.6931471805599453, 0.2402234903802036, 0.05550381013796457, 0.009666368515385448, 0.0013381302537320875)
)


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
def log64(x):
    """Natural logarithm in float64 to 2 ulp; -inf below the normal numbers, inf and NaN for themselves.

    x = 2**k m with m from 1/sqrt(2) to sqrt(2), and log m = 2 artanh(s), s = (m - 1) / (m + 1).
    """
    bits = np.float64(x).view(np.int64)
    k = (bits - _HALF_ROOT) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = _L9 + z * _L10
    p = _L8 + z * p
    p = _L7 + z * p
    p = _L6 + z * p
    p = _L5 + z * p
    p = _L4 + z * p
    p = _L3 + z * p
    p = _L2 + z * p
    p = _L1 + z * p
    value = k * _LN2_HI64 + (2.0 * s + (s * z * p + k * _LN2_LO64))
    value = value if x <= _MOST64 else x
    return value if not x < _LEAST64 else -np.inf


@jit(fastmath={"contract"})
def exp2_64(x):
    """2**x in float64, between the clamps of exp64; two thirds of its cost, and as exact.

    Its argument is reduced by one exact subtraction: who scales exponents anyway should scale by log2(e) as well.
    """
    x = min(max(x, _LOW_TWO64), _HIGH_TWO64)
    t = x + _ROUND64
    r = x - (t - _ROUND64)
    p = _D9 + r * _D10
    p = _D8 + r * p
    p = _D7 + r * p
    p = _D6 + r * p
    p = _D5 + r * p
    p = _D4 + r * p
    p = _D3 + r * p
    p = _D2 + r * p
    p = _D1 + r * p
    p = _D0 + r * p
    p = 1.0 + r * p
    bits = np.float64(p).view(np.int64) + (np.float64(t).view(np.int64) << 52)
    return np.int64(bits).view(np.float64)


@jit(fastmath={"contract"})
def exp2_32(x):
    """2**x in float32, between e**-75 and e**87; relative error below 4e-7.

    e**-75 times a weight above 1e-5 is still no subnormal number.
    """
    x = min(max(x, _LOW_TWO32), _HIGH_TWO32)
    t = x + _ROUND32
    r = x - (t - _ROUND32)
    p = _E3 + r * _E4
    p = _E2 + r * p
    p = _E1 + r * p
    p = _E0 + r * p
    p = _ONE32 + r * p
    shift = np.int32(np.float32(t).view(np.int32) << np.int32(23))
    return np.int32(np.float32(p).view(np.int32) + shift).view(np.float32)
