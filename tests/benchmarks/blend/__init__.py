"""How fast and how honest the blend is: `make bench NAME=blend ARGS="greedy | command | rows | honesty"`."""
