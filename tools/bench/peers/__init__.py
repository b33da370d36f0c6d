"""This stack beside pretix, the same buyers in turns on the same processors: `make bench-peers` (docs/peers.md)."""
