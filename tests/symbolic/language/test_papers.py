"""The papers that are cited: one list, read from BibTeX."""

import re
from pathlib import Path

import pytest

from rebatch import RebatchError
from rebatch.symbolic.language.papers import bibtex, papers

DOCS = Path(__file__).parents[3] / "docs"


def test_every_entry_of_the_file_is_read_whole():
    text = (DOCS / "references.bib").read_text(encoding="utf-8")
    assert list(papers()) == re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE)
    for key, paper in papers().items():
        assert paper.key == key
        assert paper.authors
        assert 1900 < paper.year < 2100
        assert paper.title
        assert paper.note
        assert paper.bibtex in text
        assert not re.search(r"[{}\\]", f"{paper}{paper.title}")


def test_a_key_ends_in_a_year_that_is_about_that_of_the_paper():
    # A preprint is cited by its year, and appears a year later.
    for key, paper in papers().items():
        assert 0 <= paper.year % 100 - int(key[-2:]) <= 1


def test_accents_are_read_and_long_lists_of_authors_are_cut():
    assert str(papers()["A23"]) == "Abbe, Boix-Adserà, Misiakiewicz 2023, the leap complexity"
    assert papers()["KZM25"].authors == ("Kovačević", "Zhang", "Mondelli")
    assert str(papers()["D24"]).startswith("Dandi et al. 2024")


def test_the_entries_of_keys_are_bibtex_and_an_unknown_key_is_refused():
    assert bibtex("D24", "L24").count("@") == 2
    with pytest.raises(RebatchError, match="no paper X99"):
        bibtex("X99")
