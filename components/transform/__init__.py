"""Transform: the component that scales raw images."""

from components.transform.component import Transform, TransformConfig

__all__ = ["Transform", "TransformConfig"]
