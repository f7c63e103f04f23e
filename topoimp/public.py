"""The public face of topoimp in one place; ``topoimp`` hands these names on."""

from topoimp.barcode import Barcode, barcode_of, neural_persistence
from topoimp.bounds import LayerBound, layer_bound
from topoimp.catalogue import LayerPatterns
from topoimp.choices import Data, Method, NeuralPersistence, Scale, Scope, View
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report, tensor_list
from topoimp.commands.bound import architecture_bound_report, bound_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.job import Pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.train import Training, train_run
from topoimp.errors import (
    CheckpointError,
    DataError,
    GateError,
    LayerError,
    OptionError,
    OutputError,
    TopoimpError,
    TrainingError,
    VerificationError,
)
from topoimp.forest import Forest, spanning_forest
from topoimp.layers import Layer, as_layer
from topoimp.mask import PackedMask, read_masks
from topoimp.report import COLUMNS, Report

__all__ = [
    "COLUMNS",
    "Barcode",
    "CheckpointError",
    "Data",
    "DataError",
    "Forest",
    "GateError",
    "Layer",
    "LayerBound",
    "LayerError",
    "LayerPatterns",
    "Method",
    "NeuralPersistence",
    "OptionError",
    "OutputError",
    "PackedMask",
    "Pruning",
    "Report",
    "Scale",
    "Scope",
    "TopoimpError",
    "Training",
    "TrainingError",
    "VerificationError",
    "View",
    "apply_mask",
    "architecture_bound_report",
    "as_layer",
    "barcode_of",
    "barcode_report",
    "bound_report",
    "comparison_report",
    "layer_bound",
    "neural_persistence",
    "prune_checkpoint",
    "read_masks",
    "spanning_forest",
    "tensor_list",
    "train_run",
]
