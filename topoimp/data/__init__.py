"""Data sets of small images: a word or a file on one side, images with their classes on the other.

Nothing that is stored in a file is ever run, and no archive is unpacked to disk.
"""

from topoimp.data.images import Images
from topoimp.data.loading import load_images

__all__ = ["Images", "load_images"]
