"""The kernel the services share, shipped as the common layer and imported as `common` from /opt/python."""
