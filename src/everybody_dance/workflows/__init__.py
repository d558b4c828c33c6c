"""Prepare, train, transfer, evaluate: typed requests in, typed results out, events to a listener."""
