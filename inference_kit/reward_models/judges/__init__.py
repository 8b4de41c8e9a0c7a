"""Chat models that are asked whether a solution is right, by an engine, a server or the logits of weights here."""
