"""Where the objects of the auth service are built, once in each execution environment.

There is one module for each use case, so that no function loads at its start what it does not use: the authorizer no
Postgres, refreshing tokens no bcrypt and no HTTP client. Imports stand at the top: they belong to the initialisation,
for which Lambda gives a whole processor; inside a function they would run in the first request's third of one.
"""
