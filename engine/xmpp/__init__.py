"""engine/xmpp."""
