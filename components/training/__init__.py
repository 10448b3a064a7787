"""What the Trainer is made of: the network, its schedule, its data order, its exports."""
