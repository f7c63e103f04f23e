"""A method of whole networks and a run folder in, the method for the run's network out: its graph and its inputs."""

from dataclasses import replace

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import PathInputs
from topoimp.data import Images
from topoimp.pruning.methods.network_method import NetworkMethod, method_for, trained_method
from topoimp.pruning.methods.paths import Paths
from topoimp.rounds.plan import Plan


def needs_images(plan: Plan) -> bool:
    """Return whether the masks depend on the images that the network was trained on."""
    method = plan.scheme.method
    return isinstance(method, NetworkMethod) and method.needs_images


def with_training(plan: Plan, *, has_images: bool) -> Plan:
    """Return a plan of rounds that are trained: the method ``paths`` looks at the images of training if there are any.

    It switches as it does with training between the rounds; options that were given stay.
    """
    method = trained_method(plan.scheme.method)
    if has_images and isinstance(method, Paths):
        method = replace(method, usual_inputs=PathInputs.DATA)
    return replace(plan, scheme=replace(plan.scheme, method=method))


def plan_for_network(plan: Plan, images: Images | None) -> Plan:
    """Return a plan whose method knows the network of the plan; other methods need not.

    Raises:
        OptionError: if the method needs a graph and the plan has none, or needs images and there are none.
    """
    graph = plan.graph
    deviations = None if images is None or graph is None else input_deviations(images, graph.places[graph.inputs])
    method = method_for(plan.scheme.method, graph, deviations)
    return replace(plan, scheme=replace(plan.scheme, method=method))


def input_deviations(images: Images, n_inputs: int) -> FloatArray:
    """Return the standard deviation of each input over the training images, as training sees them.

    ``n_inputs`` is the number of channels, of a network that begins with a convolution, or of the values of an image.
    Each channel has deviation 1 over all its pixels, as training standardises it. A pixel that is the same in all
    images has deviation 0, and so has a channel of such pixels.

    >>> pixels = np.array([[[[0.0, 3.0]]], [[[0.0, 1.0]]]], np.float32)
    >>> images = Images("two", pixels, np.arange(2), pixels, np.arange(2))
    >>> input_deviations(images, 2).round(3).tolist()
    [0.0, 0.816]
    """
    pixels: FloatArray = images.train_images.std(axis=0, dtype=np.float64)
    channels: FloatArray = images.train_images.std(axis=(0, 2, 3), dtype=np.float64)
    scale: FloatArray = np.where(channels > 0, channels, 1.0)
    deviations: FloatArray = channels / scale if n_inputs == len(channels) else pixels / scale[:, None, None]
    return deviations.reshape(-1)
