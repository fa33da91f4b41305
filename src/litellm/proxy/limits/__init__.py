"""Counting calls against limits: reserve before, settle after (`base.py`)."""
