"""Things on their way to another process."""

import pickle


def arrived(pickled):
    """Return the object that another process unpickles."""
    return pickle.loads(pickled)  # noqa: S301  # made by a test


def travelled(thing):
    """Return the object that another process gets when this one is sent."""
    return arrived(pickle.dumps(thing))
