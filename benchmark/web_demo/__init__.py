"""A local web page that runs model files side by side: the quickest way to show what quantization did."""
