"""A function that cannot start."""

raise RuntimeError("the module is broken")
