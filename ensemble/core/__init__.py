"""What everything else stands on: errors, threads, the console, metrics, and storage. Knows no competition."""
