import pytest

from rebatch import RebatchError, analyze
from rebatch.symbolic.language.catalog import catalog, named
from rebatch.symbolic.language.papers import papers

ENTRIES = list(catalog())


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_known_exponents_are_what_the_analysis_finds(entry):
    analysis = analyze(entry.target)
    assert analysis.information_exponent.value == entry.information_exponent
    assert analysis.leap.value == entry.leap
    assert analysis.generative_leap.value == entry.generative_leap
    assert "undecided" not in [verdict.verdict for verdict in analysis.two_step]


def test_there_are_at_least_forty_targets_each_from_a_paper():
    assert len({entry.text for entry in ENTRIES}) >= 40
    assert {entry.paper for entry in ENTRIES} <= papers().keys()


def test_a_name_is_found_with_and_without_its_at_sign():
    assert named("@he3") is named("he3")


def test_an_unknown_name_is_refused_with_where_to_look():
    with pytest.raises(RebatchError, match="rebatch catalog"):
        named("@nobody")
