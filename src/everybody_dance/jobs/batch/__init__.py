"""Many transfers as one: rows that are read and checked, engines that dance them, and a record of what is whole."""
