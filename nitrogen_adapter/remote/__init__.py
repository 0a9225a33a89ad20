"""A model on another machine: the public server's protocol, spoken at both ends, and safely."""
