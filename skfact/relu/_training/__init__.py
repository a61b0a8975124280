"""Networks and data: what a network is trained for, and training within a zero pattern."""
