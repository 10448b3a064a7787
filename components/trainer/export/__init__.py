"""The trained network in the forms that one deploys: each takes raw images, and is tried before it is kept."""
