"""The upkeep of a store: looking for damage, mending it, and keeping copies. Used by people, never by rounds."""
