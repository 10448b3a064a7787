"""Files on disk: splits, raw images, pictures, digests."""
