"""How a node gets the bundle and follows it: mirrors, The Update Framework's client, expiry, and its own stops."""
