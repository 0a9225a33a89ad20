"""How a model learns: recipes, the loop, what it is judged by, and runs in folders of their own."""
