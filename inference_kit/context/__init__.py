"""What a search method sees of one problem, and where its seeds and steps come from."""

from inference_kit.context.context import Context, Method
from inference_kit.context.rules import Rules

__all__ = ["Context", "Method", "Rules"]
