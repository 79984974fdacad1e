"""Scores of probabilities, their intervals, and the decisions behind them."""
