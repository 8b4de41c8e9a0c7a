"""Engines behind a server: one session, the kinds of servers, what they are asked and what they answer.

Promises: torch is not imported; an answer is lost only where the server gives none, and then the error says so.
"""
