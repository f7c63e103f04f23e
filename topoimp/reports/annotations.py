"""Annotations of GitHub Actions: a line on stdout that the runner shows beside the step that printed it."""


def annotation(title: str, message: str) -> str:
    r"""Return the workflow command that shows an error; it is one line, whatever the message has.

    Source: "Workflow commands for GitHub Actions" (docs.github.com), and for the escapes ``escapeData`` and
    ``escapeProperty`` in packages/core/src/command.ts of actions/toolkit.

    >>> annotation("topoimp barcode", "beta0 is 3:\n50% more")
    '::error title=topoimp barcode::beta0 is 3:%0A50%25 more'
    """
    property_ = _data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::error title={property_}::{_data(message)}"


def _data(text: str) -> str:
    """Return text in which the sign of escapes, first, and the ends of lines are escaped."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
