"""The studio's page and its HTTP API, which is all that the page uses."""
