"""Where the events service's objects are built: at their first use, once for each execution environment.

One module for the functions that load the same code: reading a sale's terms loads no code for changing events.
"""
