"""Seeds of runs and streams."""

from rebatch.numeric.machine.draws import seeds


def test_experiments_of_different_seeds_share_no_run():
    first, second = seeds(0, 200), seeds(1, 200)
    assert len({*first, *second}) == 400
    assert seeds(0, 10) == first[:10]
