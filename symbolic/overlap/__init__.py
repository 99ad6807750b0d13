"""The overlap after one and two steps as a formula."""
