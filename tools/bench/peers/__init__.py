"""Compares this stack with pretix: the same buyers, in turns, on one machine; `make bench-peers` (docs/peers.md)."""
