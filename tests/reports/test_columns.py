from conftest import REPOSITORY

from topoimp.reports.columns import COLUMNS


def test_the_columns_are_those_of_the_documentation():
    page = (REPOSITORY / "docs/reports.md").read_text(encoding="utf-8")

    table = [f"| {name} | {column.kind} | {column.meaning} |" for name, column in COLUMNS.items()]
    assert "\n".join(["| column | kind | meaning |", "| --- | --- | --- |", *table, ""]) in page


def test_the_meaning_of_a_column_is_a_sentence():
    assert [name for name, column in COLUMNS.items() if not column.meaning.endswith(".")] == []
