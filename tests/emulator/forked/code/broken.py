raise RuntimeError("broken at its import")
