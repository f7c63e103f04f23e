"""Things on their way to another process."""

import pickle


def arrived(pickled):
    """Give what another process makes of a pickle."""
    return pickle.loads(pickled)  # noqa: S301  # made by a test


def travelled(thing):
    """Give what another process makes of a thing."""
    return arrived(pickle.dumps(thing))
