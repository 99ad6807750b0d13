"""Exponents and verdicts: how hard a target is, direction by direction."""
