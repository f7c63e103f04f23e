"""The shape of the images and the number of classes of published data sets, without their files.

More data sets are known here than can be read (``load_images``): bounds need their shapes alone.
"""

from dataclasses import dataclass
from types import MappingProxyType

from topoimp.architectures import ImageShape
from topoimp.choices import Data
from topoimp.errors import OptionError


@dataclass(frozen=True)
class DataShape:
    """Channels, height and width of the images of a data set, and the number of its classes."""

    image: ImageShape
    n_classes: int


DATA_SHAPES = MappingProxyType(
    {
        Data.DIGITS.value: DataShape((1, 8, 8), 10),
        Data.MNIST.value: DataShape((1, 28, 28), 10),
        Data.FASHION_MNIST.value: DataShape((1, 28, 28), 10),
        Data.CIFAR10.value: DataShape((3, 32, 32), 10),
        "cifar100": DataShape((3, 32, 32), 100),
        "tiny-imagenet": DataShape((3, 64, 64), 200),
    }
)
"""The known data sets by name; tiny-imagenet is that of Stanford's course CS231n: 200 classes of ImageNet, 64 x 64."""


def data_shape(data: str) -> DataShape:
    """Return the shape of a data set that is known by name.

    Raises:
        OptionError: if none has this name.

    >>> data_shape("tiny-imagenet")
    DataShape(image=(3, 64, 64), n_classes=200)
    """
    if data not in DATA_SHAPES:
        raise OptionError(f"the shape of the data set {data!r} is not known; known are {', '.join(DATA_SHAPES)}")
    return DATA_SHAPES[data]
