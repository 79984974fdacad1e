"""The report as one HTML file that needs no network: sections in, text out."""
