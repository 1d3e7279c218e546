"""A world of two dimensions in which a round can be seen, with the engine's own rounds, and where they help."""
