"""Who is calling, and what they may do: virtual keys in memory, kept current by the store's feed."""
