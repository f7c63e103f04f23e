"""The Python of the documents runs, and prints what they say it prints."""

import re
import subprocess
import sys

from conftest import REPOSITORY

OWN_LOOP = (REPOSITORY / "docs" / "own-loop.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_loop_of_ones_own_runs_and_prints_what_it_shows(tmp_path):
    code, shown = blocks(OWN_LOOP, "python"), blocks(OWN_LOOP, "text")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == "".join(shown)


def test_every_file_that_it_points_to_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", OWN_LOOP)

    assert links
    assert [link for link in links if not (REPOSITORY / "docs" / link).exists()] == []
