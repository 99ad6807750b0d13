"""What does a second look at the same batch change? From the proof to the formula to the runs, for one target."""

import rebatch as rb

TARGET = "z1 + He(3, z2)"
ACTIVATION = "h + h^2/2 + h^3/6"

# Each verdict with its proof: e2 is learned on a reused batch because E[y^3 z] is not orthogonal to it.
analysis = rb.analyze(TARGET)
for verdict in analysis.two_step:
    print(f"{verdict.verdict:8} {verdict.reason()}")

# The overlap as a formula, and the terms that only reuse has.
formula = rb.two_step_overlap(TARGET, ACTIVATION, loss="correlation")
print("M2 along z2:       ", formula.M2[0, 1])
print("of it, by reuse:   ", formula.gain()[0, 1])

# Runs at d = 20,000 held against it.
experiment = rb.Setting(target=TARGET, activation=ACTIVATION, loss="correlation", alpha=2, eta=0.05, steps=2)
runs = [rb.simulate(experiment, d=20_000, seed=seed) for seed in range(12)]
print(rb.agreement(formula.at(alpha=2, eta=0.05), runs))
