"""What the options of ``topoimp prune`` say about the rates of single layers."""

import re


def layer_rates(texts: list[str] | None) -> dict[str, float]:
    """Give the rates of layers that --layer-rate names, in its order.

    Raises:
        OptionError: if one is no pattern and rate, or a pattern is named twice.
    """
    from topoimp.errors import OptionError

    rates = {}
    for text in texts or []:
        pattern, _, rate = text.rpartition("=")
        if not pattern or not re.fullmatch(r"[0-9]*\.?[0-9]+", rate):
            raise OptionError(f"--layer-rate is {text!r}; it must be a pattern and a rate, as in 'conv*=0.1'")
        if pattern in rates:
            raise OptionError(f"--layer-rate names {pattern!r} twice; once is meant")
        rates[pattern] = float(rate)
    return rates


def output_rate_of(text: str | None) -> float | str | None:
    """Give what --output-rate says: a word, a rate, or nothing.

    Raises:
        OptionError: if it is neither.
    """
    from topoimp.errors import OptionError
    from topoimp.rounds.planning import HALF, SAME

    if text is None or text in (HALF, SAME):
        return text
    try:
        return float(text)
    except ValueError as error:
        raise OptionError(f"--output-rate is {text!r}; it must be half, same, or a rate as in 0.1") from error


def with_output_rate(
    rates: dict[str, float], layer: str | None, output_rate: str | None, rate: float | None
) -> dict[str, float]:
    """Give the rates of layers of a checkpoint, which does not say what its output layer is."""
    from topoimp.errors import OptionError
    from topoimp.pruning.schedule import DEFAULT_RATE
    from topoimp.rounds.planning import output_rates

    if (output_rate is None) != (layer is None):
        raise OptionError("--output-rate and --output-layer go together: a checkpoint does not say which layer it is")
    parsed = output_rate_of(output_rate)
    if layer is None or parsed is None:
        return rates
    return output_rates(rates, layer, parsed, DEFAULT_RATE if rate is None else rate)
