"""The wire between an operator's device and the bridge: messages, checks, server, client."""
