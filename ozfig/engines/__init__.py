"""How to talk to a model, and where models come from."""
