"""Jobs: workflows that run in processes of their own, and survive whatever ends the program that asked for them."""
