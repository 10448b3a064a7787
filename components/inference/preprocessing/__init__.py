"""Images of strangers: found, read, and brought to the convention that the network learned."""
