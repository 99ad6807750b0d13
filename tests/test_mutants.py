import runpy
from pathlib import Path

PROGRAM = runpy.run_path(str(Path(__file__).with_name("mutants.py")))
MUTANTS, fault_of = PROGRAM["MUTANTS"], PROGRAM["fault_of"]


def test_every_mutant_can_be_put_in():
    assert [fault for fault in map(fault_of, MUTANTS) if fault] == []


def test_every_mutant_changes_the_text_and_has_a_name_of_its_own():
    assert all(mutant.wrong != mutant.right for mutant in MUTANTS)
    assert len({mutant.what for mutant in MUTANTS}) == len(MUTANTS)
