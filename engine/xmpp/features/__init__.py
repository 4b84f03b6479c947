"""engine/xmpp/features."""
