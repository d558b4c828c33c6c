"""Pages in the browser: served on this machine, to whoever was given the address with its token.

``guard`` and ``server`` know nothing of what is shown; ``live`` is the page of ``dance live``.
"""
