"""schemathesis over the whole OpenAPI document: anonymous, as a user and as an admin; `make attack`."""
