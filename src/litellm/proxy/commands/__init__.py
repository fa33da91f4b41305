"""The commands of `litellm`: one module each, loaded when it is called. `cli.py` has their table."""
