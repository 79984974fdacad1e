"""The report's sections, one file each: functions of `Material` that give blocks."""
