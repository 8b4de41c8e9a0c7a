"""Engines behind a server: one session, the kinds of servers, what they are asked and what they answer."""
