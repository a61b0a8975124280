"""When the parameters of a product of factors are determined by it, and how stably."""
