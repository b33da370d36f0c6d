"""schemathesis over the whole OpenAPI document, as nobody, as a user and as an admin; `make attack`."""
