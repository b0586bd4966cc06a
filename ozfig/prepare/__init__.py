"""From documents and data sets to pairs that can be trained on, and questions that are not."""
