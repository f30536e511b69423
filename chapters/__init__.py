"""The pages of the book, the code that draws its figures and builds it, and the measured results."""
