"""The webmail's side of the engine."""
