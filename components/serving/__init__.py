"""Numbered versions of a model, laid out as TensorFlow Serving watches them: listed, published, rolled back.

Every child of a model's base path whose name is a whole number is a version, the highest is served by default, and
all else is passed over (TensorFlow Serving, `file_system_storage_path_source`).
"""
