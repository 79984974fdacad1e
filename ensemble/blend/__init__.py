"""From the members' logits to one submission: blenders of one idea each, their honest scores, and the choice."""
