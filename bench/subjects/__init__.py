"""Bench, subjects: the programs under measurement, each as its own documentation says to write it.

Except for `paceline.py` they import nothing of this project but their neighbours here: they run in an environment of
their own (`installing.py`), with the versions of `requirements.lock`.
"""
