"""The page that a command writes on request: its report, and all of its figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic

from topoimp.checkpoint import AnyPath, Checkpoint, Staging
from topoimp.choices import PictureSize
from topoimp.commands.pictures import Figures, Picture, Results
from topoimp.errors import OptionError
from topoimp.reports.cells import Row
from topoimp.reports.report import Report
from topoimp.writing.outputs import check_files

ENDINGS = (".html", ".htm")


@dataclass(frozen=True)
class Page(Generic[Results]):
    """The requested page: none without ``report``; checked when it is made.

    Args:
        figures: the figures of the command; the page has those that the results lack nothing for.
        report: an .html file; None for no page.

    Raises:
        OptionError: if the file has another ending.
        OutputError: if matplotlib is not installed.
    """

    figures: Figures[Results]
    report: AnyPath | None = None

    def __post_init__(self) -> None:
        if self.report is not None:
            import topoimp.plots  # noqa: F401  # says what is missing, before anything is computed

            if Path(self.report).suffix not in ENDINGS:
                raise OptionError(f"`report` is {self.report}; its name must end in {' or '.join(ENDINGS)}")

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the figures that may be drawn."""
        return frozenset() if self.report is None else frozenset(self.figures)

    def by_role(self) -> dict[str, Path]:
        """Return the requested path, by argument name."""
        return {} if self.report is None else {"report": Path(self.report)}

    def write(
        self,
        staging: Staging,
        report: Report,
        results: Results,
        *,
        tables: Mapping[str, Sequence[Row]] | None = None,
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        """Write the requested page about a report under a temporary name, with the figures of the results.

        ``tables`` and ``provenance`` are those of ``topoimp.pages.page``.
        """
        if self.report is None:
            return
        from topoimp.pages import Drawing, page

        missing = {name: figure.lacking(results) or figure.too_many(results) for name, figure in self.figures.items()}
        drawings = [
            Drawing(name, figure.meaning, figure.draw(results, PictureSize.PAGE))
            for name, figure in self.figures.items()
            if missing[name] is None
        ]
        lacking = {name: what for name, what in missing.items() if what is not None}
        text = page(report, drawings, lacking=lacking, tables=tables, provenance=provenance)
        staging.partial(Path(self.report)).write_text(text, encoding="utf-8", newline="\n")


@dataclass(frozen=True)
class PictureFiles(Generic[Results]):
    """The requested picture and page of a command."""

    picture: Picture[Results]
    page: Page[Results]

    @property
    def by_role(self) -> dict[str, Path]:
        """The requested paths, by argument name."""
        return {**self.picture.by_role(), **self.page.by_role()}

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the figures that may be drawn."""
        return self.picture.drawn | self.page.drawn

    def write(
        self,
        staging: Staging,
        report: Report,
        results: Results,
        *,
        tables: Mapping[str, Sequence[Row]] | None = None,
        provenance: Mapping[str, str] | None = None,
    ) -> Report:
        """Write the requested files under temporary names; return the report with their settings, paths and notes."""
        notes = [*report.notes, *self.picture.write(staging, results)]
        settings = {**report.settings, **self.picture.settings()}
        outputs = {**report.outputs, **self.by_role}
        report = replace(report, settings=settings, outputs=outputs, notes=notes)

        self.page.write(staging, report, results, tables=tables, provenance=provenance)
        return report


def with_files(
    files: PictureFiles[Results],
    report_of: Callable[[], tuple[Report, Results]],
    *inputs: Checkpoint,
    force: bool,
) -> Report:
    """Return a report with the requested picture and page, which are written once the report is complete.

    The page has the metadata of the first input, a checkpoint, if there is one.

    Raises:
        OutputError: if a file exists (without ``force``) or cannot be written.
    """
    outputs = list(files.by_role.values())
    check_files(outputs, *inputs)
    with Staging(outputs, force=force) as staging:
        report, results = report_of()
        provenance = inputs[0].metadata if inputs else None
        report = files.write(staging, report, results, provenance=provenance)
        if outputs:
            for each in inputs:
                each.check_unchanged()
            staging.commit()
    return report
