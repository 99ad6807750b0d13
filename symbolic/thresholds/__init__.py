"""How many samples per dimension, exactly: closures, certificates and the price of noise (theory, 9)."""
