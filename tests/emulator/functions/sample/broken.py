"""Cannot be imported."""

raise LookupError("no configuration")
