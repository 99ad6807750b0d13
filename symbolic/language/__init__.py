"""What a user writes: text to parse, its symbols, the target, its vectorised evaluation, named targets."""
