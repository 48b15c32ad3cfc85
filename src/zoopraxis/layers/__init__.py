"""Building blocks that two families of networks use unchanged."""
