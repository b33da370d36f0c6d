"""Runs any SAM template on one machine: no Docker, no AWS account. It knows nothing of what the template is for."""
