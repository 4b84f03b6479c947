"""Tests of the package that touches bytes."""
