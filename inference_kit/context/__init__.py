"""What a search method sees of one problem, and where its seeds and steps come from."""

from inference_kit.context.context import Context, Method, Rules

__all__ = ["Context", "Method", "Rules"]
