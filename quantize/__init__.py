"""Float TFLite -> float16, int8 and mixed TFLite: recipes, activation ranges, what is in the file."""
