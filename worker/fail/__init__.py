"""Fail: what becomes of a job whose attempt did not simply succeed."""
