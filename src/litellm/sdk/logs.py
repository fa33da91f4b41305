"""The loggers under LiteLLM's names, and its switches for them.

This package itself logs to `litellm` and below it; the switches hold for that one too.
"""

import logging
from typing import Final

verbose_logger: Final = logging.getLogger("LiteLLM")
verbose_router_logger: Final = logging.getLogger("LiteLLM Router")
verbose_proxy_logger: Final = logging.getLogger("LiteLLM Proxy")
ALL_LOGGERS: Final = [logging.getLogger("litellm"), verbose_logger, verbose_router_logger, verbose_proxy_logger]

_handler: Final = logging.StreamHandler()
_handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s:%(levelname)s: %(filename)s:%(lineno)s - %(message)s"))


def turn_on_debug() -> None:
    """Show everything on standard error."""
    for logger in ALL_LOGGERS:
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
        logger.addHandler(_handler)  # a second time it is not added


def disable_debugging() -> None:
    """Log nothing at all."""
    for logger in ALL_LOGGERS:
        logger.disabled = True


def enable_debugging() -> None:
    for logger in ALL_LOGGERS:
        logger.disabled = False


def print_verbose(print_statement: object) -> None:
    verbose_logger.debug("%s", print_statement)
