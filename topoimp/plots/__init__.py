"""Draw what the reports say: records in, axes of matplotlib out. Needs the extra ``plot``.

Each function draws on ``ax``, or on a new figure of its own, and returns the axes; ``save`` writes a figure whose bytes
depend on nothing but what is drawn. Nothing is computed here but where a line is cut into fewer points.
"""

from topoimp.errors import OutputError

try:
    import matplotlib  # noqa: F401  # here, so that one sentence says what to install
except ModuleNotFoundError as error:
    raise OutputError("a picture needs matplotlib; install it by: pip install 'topoimp[plot]'") from error

from topoimp.plots.barcodes import barcode
from topoimp.plots.betti import betti_curve
from topoimp.plots.canvas import new_figure, save, small_multiples
from topoimp.plots.component_sizes import component_sizes
from topoimp.plots.diagrams import diagram
from topoimp.plots.floors_by_round import floors, floors_of_prunings
from topoimp.plots.input_images import input_image
from topoimp.plots.lottery_tickets import lottery_ticket, over_density
from topoimp.plots.masks import mask
from topoimp.plots.overviews import blocks_by_role, overview
from topoimp.plots.paired_differences import accuracy_gains, gains_over_density
from topoimp.plots.retention_curves import retention
from topoimp.plots.two_barcodes import before_after

__all__ = [
    "accuracy_gains",
    "barcode",
    "before_after",
    "betti_curve",
    "blocks_by_role",
    "component_sizes",
    "diagram",
    "floors",
    "floors_of_prunings",
    "gains_over_density",
    "input_image",
    "lottery_ticket",
    "mask",
    "new_figure",
    "over_density",
    "overview",
    "retention",
    "save",
    "small_multiples",
]
