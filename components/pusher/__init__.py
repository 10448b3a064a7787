"""Pusher: publish a blessed model as the next version for a model server."""

from components.pusher.component import Pusher, PusherConfig

__all__ = ["Pusher", "PusherConfig"]
