"""The face of rebatch: the command line and its figures."""
