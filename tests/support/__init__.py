"""Helpers of the tests: a misbehaving upstream, a real llama.cpp server, the gateway as a process."""
