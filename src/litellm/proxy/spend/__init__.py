"""Spend, exactly once: from the call, through the journal, into the store."""
