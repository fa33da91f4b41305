"""`python -m litellm` is the `litellm` command."""

import sys

from litellm.cli import main

if __name__ == "__main__":
    sys.exit(main())
