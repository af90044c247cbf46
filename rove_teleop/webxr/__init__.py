"""The headset page: what a browser shows and sends, and the server that talks to it."""
