"""``rove bag``: what people do with the bags of episodes."""
