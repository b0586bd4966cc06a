"""From prepared pairs and a base model to an adapter: tokens, packing, training, resume."""
