"""From a published or fine-tuned model to an installed one: find, download, export, verify."""
