"""Low-rank matrix completion, with certificates."""

from numopt.completion._result import CompletionResult
from numopt.completion._solve import matrix_completion

__all__ = ["CompletionResult", "matrix_completion"]
