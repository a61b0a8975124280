"""The embedding and what is computed from it without listing paths."""
