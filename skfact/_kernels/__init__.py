"""The few hot loops, one folder each; `generic.py` is the array-API specification of a loop."""
