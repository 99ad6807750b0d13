"""What a fresh install must do: each floor once, and the command. Run with the interpreter of that install."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import rebatch as rb

here = Path(rb.__file__).resolve().parent
assert (here / "py.typed").exists()
assert (here / "__init__.pyi").exists()
assert str(rb.analyze("z1 + He(3, z2)").two_step[1].order) == "3"
formula = rb.two_step_overlap("He(3, z1)", "h + h^2/2 + h^3/6", loss="correlation")
assert str(formula.M2[0, 0]).startswith("1215")
setting = rb.Setting(target="z1", activation="erf", alpha=2, eta=0.5, steps=2)
for engine, options in (("lazy", {"d": 200}), ("dense", {"d": 200}), ("flow", {"d": 200}), ("limit", {})):
    run = rb.simulate(setting, engine, seed=1, **options)
    assert (run.M.shape[-1], run.stopped) == (1, "")
with TemporaryDirectory() as folder:
    runs = rb.sweep(setting, d=[100, 200], seeds=2, folder=folder)
    assert dict(runs.data.M.sizes)["d"] == 2
    runs.plot(x="d")[0].figure.savefig(Path(folder) / "figure.png")
    assert len(runs.to_dataframe()) == 4
command = [str(Path(sys.executable).with_name("rebatch")), "analyze", "z1*z2"]
assert "hidden" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
print("ok", sys.version.split()[0])
