"""What outlives the process: keys, teams, budgets, spend. SQL behind two seams, `base.py`."""
