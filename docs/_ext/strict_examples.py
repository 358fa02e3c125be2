"""Examples of the gallery run in processes of their own: there too a warning of ours is an error."""

import warnings
from typing import Any

from numopt.exceptions import NumoptWarning


def strict(gallery_conf: dict[str, Any], fname: str) -> None:
    """Set the filter before each example; `sphinx_gallery_conf` names this function."""
    warnings.filterwarnings("error", category=NumoptWarning)
