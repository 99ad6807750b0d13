"""The inner loops, compiled; they know arrays and nothing else."""
