"""How the bundled toy models and their benchmark were made; nothing but its tests imports this."""
