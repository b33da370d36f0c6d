"""A process that has built nothing yet, as in a new execution environment."""

import sys


def forget_wiring() -> None:
    """Clear every object that a wiring module keeps."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("common.wiring", "functions.")):
            for kept in list(vars(module).values()):
                if hasattr(kept, "cache_clear"):
                    kept.cache_clear()
