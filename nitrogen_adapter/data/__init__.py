"""What a model learns from: stored episodes, public labels, Minari data sets."""
