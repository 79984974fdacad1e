"""Backbones for photographs: a network, its initial weights and its stem. Independent of training and scikit-learn."""

from members.backbones.build import build_network, check_network
from members.backbones.network import Normalisation, PhotographNetwork
from members.packaged import PACKAGED, WeightsError

__all__ = ["PACKAGED", "Normalisation", "PhotographNetwork", "WeightsError", "build_network", "check_network"]
