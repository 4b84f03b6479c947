"""The actors and what runs them."""
