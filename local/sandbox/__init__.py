"""Simulates the outside parties on 127.0.0.1: PortOne V2, reCAPTCHA and social login, with faults on demand.

One file per party. Nothing here is deployed, and nothing here imports the application.
"""
