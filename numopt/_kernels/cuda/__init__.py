"""Kernels for CuPy arrays, behind ``use_kernels("cuda")`` until a device has measured that they pay."""
