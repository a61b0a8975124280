"""One reader and writer for each kind of network: its layers, what they see, and a copy of it."""
