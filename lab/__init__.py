"""The workshop: training, random models, benchmarks, fine-tuning. The product never imports it."""
