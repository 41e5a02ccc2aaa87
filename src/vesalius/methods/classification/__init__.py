"""Classification: adversarial training with dual batch normalisation, and saliency maps."""
