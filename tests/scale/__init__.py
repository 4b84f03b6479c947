"""Ten thousand members: what must not grow with them, and that every command works with them."""
