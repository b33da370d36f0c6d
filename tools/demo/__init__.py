"""A purchase over HTTP, as a front end would make it: narrated by `make demo`, relied on by the e2e tests."""
