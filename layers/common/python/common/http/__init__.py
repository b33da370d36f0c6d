"""HTTP in and out of a handler: parsed requests, responses, status codes and texts of errors."""
