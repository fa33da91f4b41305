"""LiteLLM's path of its MLflow callback."""

from litellm._reexport import names

__getattr__, __dir__ = names(__name__, {"litellm.unbuilt": "MlflowLogger"})
