"""The server as a process that is harmed from outside, and an oracle that tells whether anything was lost."""
