"""Observe: what people and programs get to see of a job, after the redactor."""
