"""Routing, strategy by strategy, through bad days: `make simulate`.

Time is a heap of events, so that a million requests take half a minute. What decides is the router's own: `plan.py`,
`health.py`, `budget.py`, `fallbacks.py`, the strategies. Only what carries decisions out (`router.py`) is written again
here, in `calls.py`; `tests/router/test_simulation.py` runs both on the same requests and compares every attempt.
"""
