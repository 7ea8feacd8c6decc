"""What the command says of stores, as data: one module a question."""
