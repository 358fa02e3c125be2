"""Low-rank matrix completion, with certificates."""

from numopt.completion._files import complete_files
from numopt.completion._result import CompletionResult
from numopt.completion._solve import matrix_completion

__all__ = ["CompletionResult", "complete_files", "matrix_completion"]
