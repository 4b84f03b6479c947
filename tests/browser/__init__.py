"""The pages of webmail in Debian's Chromium, beside an XMPP client, on a server of their own."""
