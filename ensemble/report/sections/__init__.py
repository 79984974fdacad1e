"""Sections of the report, one file each: functions of `Material` that return blocks."""
