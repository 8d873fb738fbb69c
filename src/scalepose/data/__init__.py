"""What is in the pictures: annotations, images, augmentation, data sets and loaders."""
