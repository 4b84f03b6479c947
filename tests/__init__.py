"""Proves what the packages promise; mirrors their tree, and adds plays, conformance, properties, interop, load and faults."""
