"""The report as one HTML file that needs no network: sections in, text out."""

from ensemble.report.page.render import render

__all__ = ["render"]
