"""Preprocessing of arbitrary images: read them from files and normalize them as MNIST's digits are."""
