"""Train the embedded demonstration models on synthetic speech; README.md lists the steps."""
