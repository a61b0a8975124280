"""A row space approximated by factors: rotations first, then the energy in it raised directly."""
