"""What the dynamics does: a Setting in, a Trajectory out, one module per engine."""
