"""The gates of recurrent layers: how many graphs a weight holds that has the name of one of torch's RNN, GRU and LSTM.

torch stacks the gates of a layer along the rows of its weights: ``weight_hh_l0`` has the shape (gates * hidden, hidden)
and ``weight_ih_l0`` (gates * hidden, inputs), with 1 gate in an RNN, 3 in a GRU and 4 in an LSTM. ``_reverse`` follows
for the other direction, and cells have no ``_l0``. An LSTM with a projection has ``weight_hr_l0`` of the shape
(projection, hidden), and ``weight_hh_l0`` has as many columns as the projection. Each gate is a layer of its own.
"""

import re
from collections.abc import Mapping

NUMBERS_OF_GATES = (1, 3, 4)
"""Gates of an RNN, a GRU and an LSTM."""

_NAME = re.compile(r"(?P<module>(?:.*\.)?)weight_(?:ih|hh)(?P<place>(?:_l\d+(?:_reverse)?)?)")

Shape = tuple[int, ...]


def is_recurrent(name: str, shape: Shape) -> bool:
    """Whether a tensor has two axes and the name that torch gives to the stacked gates of a recurrent layer.

    >>> is_recurrent("encoder.weight_ih_l1_reverse", (400, 100))
    True
    """
    return len(shape) == 2 and _NAME.fullmatch(name) is not None


def gates_in(name: str, shapes: Mapping[str, Shape]) -> int | None:
    """Return the number of gates in a recurrent weight; None if it does not follow from the shapes.

    It is rows / hidden units, if that is one of ``NUMBERS_OF_GATES``. The hidden units are the columns of
    ``weight_hr``, or of ``weight_hh`` where the layer has no projection.

    Args:
        name: a name for which ``is_recurrent`` holds.
        shapes: of all tensors, by name.

    >>> gates_in("lstm.weight_ih_l0", {"lstm.weight_ih_l0": (400, 28), "lstm.weight_hh_l0": (400, 100)})
    4
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    of_hidden, of_projection = (f"{found['module']}weight_{each}{found['place']}" for each in ("hh", "hr"))
    hidden = shapes.get(of_projection, shapes.get(of_hidden, ()))
    rows = shapes[name][0]
    if len(hidden) != 2 or hidden[1] == 0 or rows != shapes.get(of_hidden, (0,))[0] or rows % hidden[1]:
        return None
    n_gates = rows // hidden[1]
    return n_gates if n_gates in NUMBERS_OF_GATES else None
