"""Nothing of this machine's environment changes what the SDK does in a test."""

from support.environment import bare_environment as bare_environment
