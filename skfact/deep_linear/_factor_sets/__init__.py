"""What a factor may be: patterns, masks, budgets, structured factors."""
