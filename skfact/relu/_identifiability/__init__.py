"""When the paths determine the network up to rescaling (arXiv 2107.09370)."""
