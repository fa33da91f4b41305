"""An endpoint's response headers as users of an answer read them."""

from litellm.types.http import RawHeaders


def additional_headers(headers: RawHeaders) -> dict[str, str]:
    """The endpoint's headers under `llm_provider-`, and its `x-ratelimit-*` also as they are."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[f"llm_provider-{name}"] = value
        if name.startswith("x-ratelimit-"):
            found[name] = value
    return found
