"""What people hand in by mistake or on purpose: every case ends in one sentence and exit code 2, or is accepted."""
