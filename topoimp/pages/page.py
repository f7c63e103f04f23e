"""The page: a document of HTML with everything in it, and the policy that keeps it from asking for more."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files

from topoimp.pages.drawings import Drawing
from topoimp.pages.sections import (
    columns_section,
    figures_section,
    layers_section,
    left_out_section,
    network_section,
    notes_section,
    origin_section,
    tables_section,
)
from topoimp.reports.cells import Row
from topoimp.reports.html_table import html_text
from topoimp.reports.readable import plain
from topoimp.reports.report import Report


def page(
    report: Report,
    drawings: Sequence[Drawing] = (),
    *,
    lacking: Mapping[str, str] | None = None,
    tables: Mapping[str, Sequence[Row]] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> str:
    """Return a page about a report, as HTML.

    Args:
        report: the report; of a pruning in rounds the page shows the layers of the last round.
        drawings: the figures to show, in order.
        lacking: by name of a figure that is not drawn, what the results lack for it.
        tables: further tables by name, a word in small letters; those without rows are left out.
        provenance: texts that the input files hold about themselves, by name.

    >>> text = page(Report("bound", {}, {}, [{"level": "network", "floor": 3}]))
    >>> text.startswith("<!doctype html>"), "default-src 'none'" in text
    (True, True)
    """
    style = files("topoimp.pages").joinpath("page.css").read_text(encoding="utf-8")
    script = files("topoimp.pages").joinpath("page.js").read_text(encoding="utf-8")
    policy = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash_of(style),
        "script-src": _hash_of(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    paths = [str(path) for path in report.inputs.values()]
    title = f"topoimp {report.command}" + (f": {plain(', '.join(paths))}" if paths else "")
    sections = [
        f"<h1>topoimp {escape(report.command)}</h1>",
        *(f'<p class="path">{html_text(path)}</p>' for path in paths),
        notes_section(report),
        network_section(report),
        figures_section(drawings, lacking or {}),
        tables_section(tables or {}),
        layers_section(report),
        left_out_section(report),
        origin_section(report, provenance or {}),
        columns_section(report, tables or {}),
    ]
    return f"""<!doctype html>
<html lang="en" class="no-script">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{"; ".join(f"{name} {value}" for name, value in policy.items())}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
{chr(10).join(filter(None, sections))}
<script type="application/json" id="report">{_for_html(report.to_json(indent=None))}</script>
<script type="application/json" id="tables">{_for_html(json.dumps(tables or {}, allow_nan=False))}</script>
<script>{script}</script>
</body>
</html>
"""


def _hash_of(text: str) -> str:
    """Return the source of a policy that allows one text within the page."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _for_html(content: str) -> str:
    """Return JSON in which no text ends the element that holds it."""
    return content.strip().replace("<", r"\u003c")
