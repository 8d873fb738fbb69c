"""What people do with the library: find pictures, keep results, predict, look after the installation."""
