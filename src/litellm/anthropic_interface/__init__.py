"""An old import path: `litellm.anthropic.messages.acreate`."""

from litellm.anthropic_interface import messages as messages
