"""What a person sees of a command: lines, progress, durations, and plain text made of anything."""
