"""What becomes of the answers elsewhere: on altered photographs, and on fakes of a kind never seen."""
