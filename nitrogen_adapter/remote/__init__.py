"""A model on another machine: the public server's protocol, at both ends, and safely."""
