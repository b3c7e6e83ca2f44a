"""CT-Transformer: texts to texts with marks."""
