"""A purchase over HTTP, as a front end makes it: printed by `make demo`, used by the e2e tests."""
