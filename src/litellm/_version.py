"""The version, where LiteLLM's users look for it (`litellm._version.version`)."""

version = "1.105.100"
