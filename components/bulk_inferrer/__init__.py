"""BulkInferrer: predict many images into sharded Parquet files."""

from components.bulk_inferrer.component import BulkInferrer, BulkInferrerConfig

__all__ = ["BulkInferrer", "BulkInferrerConfig"]
