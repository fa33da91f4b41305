"""A key-value server, Redis or Valkey: what limits and caches share between hosts."""
