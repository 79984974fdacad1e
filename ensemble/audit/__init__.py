"""Audits: shortcuts and traps of a competition's data, found before anybody trains for hours."""
