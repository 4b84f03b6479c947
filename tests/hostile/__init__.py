"""Hostile input: what strangers and members send to harm others, as tests. `SECURITY.md` names the promise of each."""
