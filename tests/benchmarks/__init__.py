"""What is measured and never asserted: ratios of times, taken in one run on one machine."""
