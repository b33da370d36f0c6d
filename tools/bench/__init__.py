"""What measures. Each prints a table of ratios within one run; these machines are noisy."""
