"""Objects in stores and on the Hugging Face hub: an address on one side, bytes on the other; without a file format."""

from topoimp.stores.address import Address, AnyPath, as_local, as_place
from topoimp.stores.fetching import AT_ONCE, Version, fetch_range, fetch_start, fetch_whole
from topoimp.stores.listing import is_listed, names_in

__all__ = [
    "AT_ONCE",
    "Address",
    "AnyPath",
    "Version",
    "as_local",
    "as_place",
    "fetch_range",
    "fetch_start",
    "fetch_whole",
    "is_listed",
    "names_in",
]
