"""The main job on real clients: slixmpp, Profanity and Finch, over TLS, against a server in a process of its own."""
