"""Where a request keeps what is known of it: `litellm_metadata` if it has that, else `metadata`."""

from typing import Any

from litellm.types.calls import as_object


def get_or_create_metadata_bucket(request_data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The bucket's name and the bucket itself, made if there is none. `metadata` may be the caller's own on endpoints
    that send it on (`/responses`): such requests have a `litellm_metadata`."""
    name = "litellm_metadata" if "litellm_metadata" in request_data else "metadata"
    bucket = as_object(request_data.get(name))
    if bucket is None:
        bucket = request_data[name] = dict[str, Any]()
    return name, bucket
