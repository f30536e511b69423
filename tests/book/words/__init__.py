"""What pages say of measurements in words, with the numbers that must bear it out: one module a page.

``SAID`` maps words of the page, as they stand there, to a function of ``result``, which gives an experiment's results
by its name. It returns whether the words are true. Bounds are those that a reader would grant the words: "about a
third" is 0.28 to 0.38, "hardly" is less than a tenth, "always" is in every seed.
"""
