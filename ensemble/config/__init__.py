"""The experiment: a YAML file as typed, validated objects."""
