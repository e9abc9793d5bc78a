"""Limiter: budgets and permits that every process shares."""
