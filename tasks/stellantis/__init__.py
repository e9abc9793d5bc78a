"""The Stellantis operations, one module of names per kind of subscription: `b2b` for fleet owners.

Promise and scope: as in `tasks/hub/`; `models.py` has the parameters, `remotes.py` the bodies, `rows.py` the table.
"""
