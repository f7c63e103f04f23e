"""Objects in stores and on the Hugging Face hub: an address on one side, bytes on the other; without a file format.

Who fetches imports ``topoimp.stores.fetching`` and ``topoimp.stores.listing``, which take a while to load.
"""

from topoimp.stores.address import Address, AnyPath, Version, as_local, as_place, looks_like_address

__all__ = ["Address", "AnyPath", "Version", "as_local", "as_place", "looks_like_address"]
