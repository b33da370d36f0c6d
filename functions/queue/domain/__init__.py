"""Models and rules of the queue: no AWS, HTTP, SQL or Redis."""
