"""The report: everything about one target on one page that needs no network."""
