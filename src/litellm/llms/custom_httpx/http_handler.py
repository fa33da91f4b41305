"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.types.clients": "httpxSpecialProvider",
        "litellm.sdk.http_handlers": "AsyncHTTPHandler HTTPHandler get_async_httpx_client",
    },
)
