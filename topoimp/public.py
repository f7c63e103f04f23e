"""The public names of topoimp, which ``import topoimp`` hands on.

Importing it does not import torch; a name of ``WITH_TORCH`` does, when it is used.
"""

from types import MappingProxyType

from topoimp.chance.betti import ExpectedBettiNumbers, expected_betti_curve
from topoimp.chance.curves import BettiBesideChance, DeathHistogram, betti_beside_chance, death_histogram
from topoimp.chance.forest_by_chance import forest_edges_by_chance
from topoimp.chance.null_distribution import ExactDistribution, NullDistribution
from topoimp.chance.null_models import null_forest_edges
from topoimp.chance.simulation import shuffled_forest_edges
from topoimp.checkpoint import Checkpoint, open_checkpoint
from topoimp.choices import (
    BarConvention,
    Data,
    Essential,
    MaskShuffle,
    Method,
    NeuralPersistence,
    Preset,
    PruningSchedule,
    Scale,
    Scope,
    Shuffle,
    SpatialConvention,
    View,
)
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.bound_shapes import architecture_bound_report, shape_bound_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.compare_over_seeds import comparison_over_seeds
from topoimp.commands.mask_report import mask_report
from topoimp.commands.plan_pruning import PruningPlan, plan_pruning
from topoimp.commands.plan_run import plan_run
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.commands.pruning_job import Pruning
from topoimp.commands.tensor_list import tensor_list
from topoimp.commands.train import Training, train_run
from topoimp.commands.trained_rounds import IterativePruning
from topoimp.errors import (
    CheckpointError,
    DataError,
    EngineError,
    EvaluationError,
    GateError,
    LayerError,
    MethodError,
    OptionError,
    OutputError,
    TopoimpError,
    TrainingError,
    VerificationError,
)
from topoimp.layers.by_name import layer_names, read_layer
from topoimp.layers.edge_counts import EdgeCounts, edge_counts
from topoimp.layers.layer import Layer, as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.layers.spatial import InputSize
from topoimp.network.deep_graph_persistence import DeepGraphPersistence, deep_graph_persistence
from topoimp.network.glued_persistence import GluedPersistence, glued_persistence
from topoimp.network.graph import Connection, NetworkGraph, chain_graph
from topoimp.programs.evaluation import Evaluation, parse_evaluation
from topoimp.pruning.bounds import LayerBound, layer_bound
from topoimp.pruning.masks import PackedMask, read_masks
from topoimp.pruning.masks_in_memory import write_masks
from topoimp.pruning.options import PruningOptions
from topoimp.pruning.preservation import overlap
from topoimp.reports.columns import COLUMNS
from topoimp.reports.report import Report
from topoimp.rounds.trainer import Trainer, parse_trainer
from topoimp.topology.barcode import Barcode, Unit, barcode_of, neural_persistence, unit_of
from topoimp.topology.bars import Bars, bars_of
from topoimp.topology.betti import BettiNumbers, betti_curve
from topoimp.topology.components import Components, components_of
from topoimp.topology.distance import (
    BarcodeDistances,
    barcode_distances,
    bottleneck_distance,
    sorted_linf_distance,
    wasserstein_distance,
)
from topoimp.topology.filter_barcodes import FilterBarcodes, filter_barcodes
from topoimp.topology.forest import Forest, spanning_forest
from topoimp.topology.summaries import persistent_entropy, total_persistence
from topoimp.topology.vectors import VectorSettings, vectors_of
from topoimp.torch_modules.activation_norms import activation_norms
from topoimp.torch_modules.holding import HeldMask, hold_mask
from topoimp.torch_modules.masks import rewind_module
from topoimp.torch_modules.network_graph import network_graph
from topoimp.torch_modules.pruning import ModulePruner, ModulePruning, prune_module, topological_unstructured

__all__ = [
    "COLUMNS",
    "BarConvention",
    "Barcode",
    "BarcodeDistances",
    "Bars",
    "BettiBesideChance",
    "BettiNumbers",
    "BoundOptions",
    "Checkpoint",
    "CheckpointError",
    "Components",
    "Connection",
    "Data",
    "DataError",
    "DeathHistogram",
    "DeepGraphPersistence",
    "EdgeCounts",
    "EngineError",
    "Essential",
    "Evaluation",
    "EvaluationError",
    "ExactDistribution",
    "ExpectedBettiNumbers",
    "FilterBarcodes",
    "Forest",
    "GateError",
    "GluedPersistence",
    "HeldMask",
    "InputSize",
    "IterativePruning",
    "Layer",
    "LayerBound",
    "LayerError",
    "LayerPatterns",
    "MaskShuffle",
    "Method",
    "MethodError",
    "ModulePruner",
    "ModulePruning",
    "NetworkGraph",
    "NeuralPersistence",
    "NullDistribution",
    "OptionError",
    "OutputError",
    "PackedMask",
    "Preset",
    "Pruning",
    "PruningOptions",
    "PruningPlan",
    "PruningSchedule",
    "Report",
    "Scale",
    "Scope",
    "Shuffle",
    "SpatialConvention",
    "TopoimpError",
    "Trainer",
    "Training",
    "TrainingError",
    "Unit",
    "VectorSettings",
    "VerificationError",
    "View",
    "activation_norms",
    "apply_mask",
    "architecture_bound_report",
    "as_layer",
    "barcode_distances",
    "barcode_of",
    "barcode_report",
    "bars_of",
    "betti_beside_chance",
    "betti_curve",
    "bottleneck_distance",
    "bound_report",
    "chain_graph",
    "comparison_over_seeds",
    "comparison_report",
    "components_of",
    "death_histogram",
    "deep_graph_persistence",
    "edge_counts",
    "expected_betti_curve",
    "filter_barcodes",
    "forest_edges_by_chance",
    "glued_persistence",
    "hold_mask",
    "layer_bound",
    "layer_names",
    "mask_report",
    "network_graph",
    "neural_persistence",
    "null_forest_edges",
    "open_checkpoint",
    "overlap",
    "parse_evaluation",
    "parse_trainer",
    "persistent_entropy",
    "plan_pruning",
    "plan_run",
    "prune_checkpoint",
    "prune_module",
    "prune_run",
    "prune_with_trainer",
    "read_layer",
    "read_masks",
    "rewind_module",
    "shape_bound_report",
    "shuffled_forest_edges",
    "sorted_linf_distance",
    "spanning_forest",
    "tensor_list",
    "topological_unstructured",
    "total_persistence",
    "train_run",
    "unit_of",
    "vectors_of",
    "wasserstein_distance",
    "write_masks",
]

WITH_TORCH = MappingProxyType({"TopologicalUnstructured": "topoimp.torch_modules.topological_method"})
"""Public names that derive from classes of torch, and the modules that hold them; ``import *`` leaves them out."""
