"""Backbones for photographs: a network, its first weights and its stem. Knows no training and no scikit-learn."""

from members.backbones.build import build_network, check_network
from members.backbones.network import Normalisation, PhotographNetwork
from members.backbones.weights import PACKAGED, WeightsError

__all__ = ["PACKAGED", "Normalisation", "PhotographNetwork", "WeightsError", "build_network", "check_network"]
