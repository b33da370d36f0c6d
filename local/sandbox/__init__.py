"""The outside world for local use: PortOne V2 and reCAPTCHA, played on 127.0.0.1, with faults on demand.

One file per outside party. Nothing here is deployed, and nothing here imports the application.
"""
