"""The page of statements: its names and tests are there, and papers that are cited are listed."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def papers(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "doc")
    yield import_module("papers")
    for name in ("papers", "api_reference"):
        sys.modules.pop(name, None)


def test_names_and_tests_are_there(papers):
    """A test is of a name: it stands in the folder of its system, or its file speaks of it."""
    for one in papers.statements():
        assert set(one.sources) <= set(papers.SOURCES), one
        assert bool(one.names) == bool(one.tests) == (one.section != "Left out"), one
        for name in one.names:
            papers.resolve(name)
        systems = {name.split(".")[1] for name in one.names}
        last = re.compile("|".join(rf"\b{name.rpartition('.')[2]}\b" for name in one.names))
        for file, function in one.tests:
            text = (ROOT / file).read_text(encoding="utf-8")
            found = not function or re.search(rf"^ *def {function}\(", text, re.MULTILINE)
            assert found, (file, function)
            assert file.parts[1] in systems or last.search(text), (one.names, file)


def test_no_statement_is_there_twice(papers):
    found = [(one.section, one.statement) for one in papers.statements()]
    assert len(set(found)) == len(found)


def test_every_paper_is_used_and_those_that_docstrings_cite_are_listed(papers):
    used = {source for one in papers.statements() for source in one.sources}
    assert used == set(papers.SOURCES)
    number = re.compile(r"arXiv:(\d{4}\.\d{5})")
    cited = {
        found
        for file in (ROOT / "skfact").rglob("*.py")
        for found in number.findall(file.read_text(encoding="utf-8"))
    }
    listed = set(number.findall(" ".join(papers.SOURCES.values())))
    assert cited <= listed


def test_the_citation_file_lists_the_papers_of_the_page(papers):
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    titles = [title.lower() for title in re.findall(r'^    title: "?(.*?)"?\n', citation, re.M)]
    texts = [text.lower() for text in papers.SOURCES.values()]
    missing = [title for title in titles if not any(title in text for text in texts)]
    assert missing == []
    number = re.compile(r"arXiv:(\d{4}\.\d{5})")
    assert set(number.findall(" ".join(papers.SOURCES.values()))) == set(number.findall(citation))


def test_the_page(papers):
    page = papers.page()
    assert all(f"**{letters}**" in page for letters in papers.SOURCES)
    assert "`skfact/butterfly/_factorize.py`" in page
    with pytest.raises(ValueError, match="public name of"):
        papers.full_name("no_such_name")
