"""The emulators that tests/conformance compares: one template, and how each of them runs it."""
