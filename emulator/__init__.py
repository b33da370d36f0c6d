"""Runs any SAM template on one machine: no Docker, no AWS account. It does not depend on any one template."""
