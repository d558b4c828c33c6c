"""The studio's folder and what is in it: people, dances, results, uploads. The page in the browser is in ``web``."""
