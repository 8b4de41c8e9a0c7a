"""What goes between this machine and a server: its way there, the keys it is sent, and the bodies that come back."""
