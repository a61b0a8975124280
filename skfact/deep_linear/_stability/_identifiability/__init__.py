"""Whether products determine their factors, and how much noise moves them."""
