"""One file for each kind of work; each has a function that plays one round on a bench and says what was measured.

A workload knows exactly what it asked for and counts exactly what came: a round in which something is missing, doubled or
out of order is a fault, and has no figures.
"""
