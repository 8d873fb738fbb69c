"""What the network should say: heatmaps and the places of tags."""
