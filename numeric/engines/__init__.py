"""The engines: one call, one type of result."""
