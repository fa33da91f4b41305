"""What LiteLLM's HTTP clients are for, besides calling a provider."""

from enum import StrEnum


class httpxSpecialProvider(StrEnum):  # noqa: N801  # LiteLLM's spelling
    LoggingCallback = "logging_callback"
    GuardrailCallback = "guardrail_callback"
    Caching = "caching"
    Oauth2Check = "oauth2_check"
    SecretManager = "secret_manager"
    PassThroughEndpoint = "pass_through_endpoint"
    PromptFactory = "prompt_factory"
    SSO_HANDLER = "sso_handler"
    Search = "search"
    MCP = "mcp"
