"""Counting calls against limits: one algorithm, three places to count in (`base.py`)."""
