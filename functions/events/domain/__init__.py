"""Models, rules and errors of venues, events and seats; no AWS, HTTP, SQL or Redis."""
