"""Right answers in other forms, one module an assignment; ``styles`` holds forms that any answer can take."""
