"""One page to look at: a report and its figures in, a file of HTML out that needs nothing else.

The page has its figures as SVG, its tables, the report as JSON, its style and one script. It makes no request: its
``Content-Security-Policy`` allows the script and the style by their hashes, images from within the page, and nothing
else. The names in it are escaped. The same report and figures give the same bytes.
"""

from topoimp.pages.drawings import Drawing
from topoimp.pages.page import page

__all__ = ["Drawing", "page"]
