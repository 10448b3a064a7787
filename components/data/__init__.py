"""Images and labels between memory and disk: building, splitting, scaling, reading back."""
