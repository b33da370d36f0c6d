"""What an admission is and does: no AWS, HTTP, SQL or Redis."""
