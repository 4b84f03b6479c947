"""The stage on which scenario plays run: the whole system, once in memory with a mock clock, once over real sockets with TLS.

A play gets a `Stage` and `Actor`s on it speak as XMPP clients do; it can't tell on which stage it runs.
"""
