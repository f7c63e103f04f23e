"""docs/architecture.md is true: every file and folder that it names exists, and it names every folder."""

import re

from conftest import REPOSITORY

PAGE = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")


def named_in(text):
    """Every path that the text names: folders end with a slash, files with .py or .md."""
    return set(re.findall(r"(?<![\w/<-])(?:\w+/)*\w+(?:/(?!\w)|\.(?:py|md)\b)", text))


def missing_in(text):
    places = (REPOSITORY, REPOSITORY / "topoimp")
    return {path for path in named_in(text) if not any((place / path).exists() for place in places)}


def folders_not_named_in(text):
    folders = {f"{path.parent.name}/" for path in (REPOSITORY / "topoimp").glob("*/__init__.py")}
    return folders - named_in(text)


def test_every_path_that_the_page_names_exists():
    assert len(named_in(PAGE)) > 40
    assert missing_in(PAGE) == set()


def test_the_page_names_every_folder():
    assert folders_not_named_in(PAGE) == set()


def test_the_guards_see_a_path_that_is_missing_and_a_folder_that_is_not_named():
    text = "`topology/surprise.py`, and weights in `attic/`, but `kernels/` and `errors.py` are real"

    assert missing_in(text) == {"topology/surprise.py", "attic/"}
    assert "layers/" in folders_not_named_in(text)
