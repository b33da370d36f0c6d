"""The API's OpenAPI 3.1 document, made of what the handlers declare and validate with; `make generate` writes it."""
